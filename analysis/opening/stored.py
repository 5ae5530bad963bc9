"""What lies in results folders: tables that are small, and where the files are that are not."""

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from analysis.errors import AnalysisError
from analysis.opening.mirror import ORIGIN, Mirror, mirror_of
from catalogs import CATALOG_SCHEMA, SCORES_SCHEMA
from catalogs.filled import filled_inside
from catalogs.journal import entry_of, replayed
from catalogs.places import Place, Where

_OPTIONS = ("spectrum", "spectra_version", "metrics", "metrics_version", "catalog", "planned")


@dataclass(frozen=True, slots=True)
class Stored:
    """The content of one or several results folders, everything once.

    Attributes:
        catalog: A row a weight file, schema `CATALOG_SCHEMA`. Of two folders with the same model, the first holds.
        scores: A row a published score, schema `SCORES_SCHEMA`, from the folder that has the model.
        options: Content of the options files, by configuration; of two, the one that was planned later.
        spectra: Files of spectra by spectra id.
        layers: Files of metrics by fit id.
        attempts: Files of the log by their own names.
        mirrors: Where the files are had from.
    """

    catalog: pa.Table
    scores: pa.Table
    options: Mapping[str, Mapping[str, Any]]
    spectra: Mapping[str, Path]
    layers: Mapping[str, Path]
    attempts: Mapping[str, Path]
    mirrors: tuple[Mirror, ...]

    def fetch(self, paths: Collection[Path]) -> None:
        """See to it that files are on this machine; the paths above say where they then lie.

        Raises:
            AnalysisError: They cannot be had.
        """
        for mirror in self.mirrors:
            mirror.fetch(paths)


def find_stored(folders: Sequence[Where]) -> Stored:
    """Look through results folders.

    Args:
        folders: At least one. What two of them hold under one name is the same and is taken from the first.

    Raises:
        AnalysisError: One is missing, is no results folder, or cannot be read.
    """
    catalogs, scores = [], []
    options: dict[str, Mapping[str, Any]] = {}
    models: set[str] = set()
    mirrors = tuple(mirror_of(folder) for folder in folders)
    for mirror in mirrors:
        chosen = mirror.below("options", ".json")
        _check(mirror, chosen)
        mirror.fetch(chosen.values())
        catalog = _journal(mirror, "catalog", CATALOG_SCHEMA)
        own = set(catalog["model"].to_pylist()) - models
        catalogs.append(_about(catalog, own))
        scores.append(_about(_journal(mirror, "scores", SCORES_SCHEMA), own))
        models |= own
        for name, path in chosen.items():
            content = _read_options(path)
            if name not in options or options[name]["planned"] < content["planned"]:
                options[name] = content
    return Stored(
        catalog=pa.concat_tables(catalogs),
        scores=pa.concat_tables([SCORES_SCHEMA.empty_table(), *scores]),
        options=options,
        spectra=_files(mirrors, "spectra/v1"),
        layers=_files(mirrors, "layers/v1"),
        attempts=_files(mirrors, "attempts"),
        mirrors=mirrors,
    )


def read_parquet(paths: Sequence[Path], schema: pa.Schema) -> pa.Table:
    """All rows of some files, in the order of the files.

    Args:
        paths: The files.
        schema: The columns wanted; one that a file does not have is NULL there, others are left out.

    Raises:
        AnalysisError: A file cannot be read.
    """
    try:
        return lazy_parquet(paths, schema).to_table()
    except (OSError, pa.ArrowInvalid) as error:
        broken = next((path for path in paths if not readable(path)), None)
        if broken is None:
            raise AnalysisError(f"cannot read the results: {error}") from error
        raise AnalysisError(damaged(broken, str(error))) from error


def damaged(path: str | Path, error: str) -> str:
    """What is said of a file of results that cannot be read: what the reader met, and the command that heals it."""
    met = re.sub(r"Could not open Parquet input source '[^']*': ", "", " ".join(error.split())).rstrip(".")
    folder = next((each for each in Path(path).parents if (each / "options").is_dir()), Path("FOLDER"))
    if (folder / ORIGIN).is_file():
        return (
            f"{path} cannot be read: {met}. It is a copy from {(folder / ORIGIN).read_text()}: delete it, and it is "
            "fetched again; if that is no better, delete the file there, and the `setol run` that made it makes it anew"
        )
    return (
        f"{path} cannot be read: {met}. The `setol run` that made it sets it aside and makes it anew: "
        f"call it again, with --results {_typed(folder)}"
    )


def lazy_parquet(paths: Sequence[Path], schema: pa.Schema) -> ds.Dataset:
    """Some files as one table that is read where and when it is asked for."""
    if not paths:
        return ds.dataset(schema.empty_table())
    return ds.dataset([str(path) for path in paths], schema=schema, format="parquet")


def _check(mirror: Mirror, options: Collection[str]) -> None:
    folder = mirror.where
    if _journal_files(mirror, "catalog"):
        if options:
            return
        raise AnalysisError(
            f"{folder} is not a complete results folder: it has no options/*.json. "
            f"The `setol run` that made it completes it: call it again, with --results {_typed(folder)}"
        )
    named = "Name a folder that `setol run` has filled"
    if isinstance(folder, Place):
        fill = f"setol run --catalog demo --results {_typed(folder)}"
        raise AnalysisError(f"there are no results in {folder}. {named}, or fill this one: {fill}")
    if folder.exists() and not folder.is_dir():
        raise AnalysisError(f"{folder} is no folder. {named}.")
    if folder.is_dir() and any(folder.iterdir()):
        raise AnalysisError(f"{folder} is not a results folder: it has no catalog. {named}{filled_inside(folder)}")
    what = f"{folder} is empty" if folder.exists() else f"there is no folder {folder}"
    raise AnalysisError(f"{what}. {named}, or fill this one: setol run --catalog demo --results {_typed(folder)}")


def _typed(folder: Where) -> str:
    """A folder as a shell takes it."""
    return shlex.quote(str(folder))


def _about(table: pa.Table, models: set[str]) -> pa.Table:
    return table.filter(pa.array([model in models for model in table["model"].to_pylist()], pa.bool_()))


def _journal(mirror: Mirror, name: str, schema: pa.Schema) -> pa.Table:
    """A table that is kept as a journal."""
    paths = _journal_files(mirror, name)
    mirror.fetch(paths)
    entries = []
    for path in paths:
        try:
            entries.append(entry_of(path, schema))
        except (OSError, pa.ArrowException) as error:
            raise AnalysisError(damaged(path, str(error))) from error
    return replayed(entries, schema)


def _journal_files(mirror: Mirror, name: str) -> list[Path]:
    """Its files, the oldest first; a table from before there were journals is one."""
    old = mirror.root / f"{name}.parquet"
    return [*([old] if f"{name}.parquet" in mirror.files else []), *mirror.below(name, ".parquet").values()]


def _files(mirrors: Sequence[Mirror], below: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for mirror in mirrors:
        found = mirror.below(below, ".parquet") | found
    return found


def _read_options(path: Path) -> Mapping[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        missing = [name for name in _OPTIONS if name not in content]
    except (OSError, ValueError, TypeError) as error:
        raise AnalysisError(f"{path} cannot be read: {error}. The same `setol run` writes it again.") from error
    if missing:
        raise AnalysisError(f"{path} lacks {', '.join(missing)}. The same `setol run` writes it again.")
    return content


def readable(path: Path) -> bool:
    """Whether a Parquet file can be read."""
    try:
        pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        return False
    return True
