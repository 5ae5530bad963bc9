"""Models that come to a results folder: keys and names by which they are told from those that it knows already."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from catalogs.display import names_of
from catalogs.keys import SOURCES, ModelKey, parse_model_key
from catalogs.records import WeightFile


@dataclass(frozen=True, slots=True)
class ToldApart:
    """Weight files under keys and names that no other model of the results folder has.

    Attributes:
        files: In the order in which they came.
        renamed: Keys that belong to other models there, and what theirs are instead.
        notes: Lines on new keys, and on files whose content has changed.
    """

    files: tuple[WeightFile, ...]
    renamed: Mapping[str, str]
    notes: tuple[str, ...]


def tell_apart(files: Sequence[WeightFile], places: Mapping[str, str], known: Sequence[WeightFile]) -> ToldApart:
    """Give models keys and names that are theirs alone.

    The key of a `path:` model is the path as somebody typed it, and two folders can have a file of one name each. The
    one that comes second is known by its absolute path. A model that is known keeps its name.

    Args:
        files: Weight files of the models that come, all those of a model.
        places: Where the `path:` models among them lie, by key: an absolute path of a file, an index or a folder.
        known: The weight files that the results folder knows.
    """
    there = _by_model(known)
    renamed: dict[str, str] = {}
    notes: list[str] = []
    for model, own in _by_model(files).items():
        place, earlier = places.get(model), there.get(model, [])
        if place is None or not earlier:
            continue
        if not _is_at(place, earlier) and not _has_moved(own, earlier):
            renamed[model] = f"path:{place}"
            if renamed[model] not in there:
                notes.append(f"{model} is {earlier[0].file} in these results: {place} is known by its whole path here")
        elif None not in _content(own) | _content(earlier) and _content(own) != _content(earlier):
            notes.append(f"{model.removeprefix('path:')} has changed since: its earlier results are no longer shown")
    exact = [replace(file, model=renamed.get(file.model, file.model)) for file in files]
    names = _names(exact, {renamed.get(model, model): place for model, place in places.items()}, known)
    return ToldApart(tuple(replace(file, name=names[file.model]) for file in exact), renamed, tuple(notes))


def _by_model(files: Iterable[WeightFile]) -> dict[str, list[WeightFile]]:
    found: dict[str, list[WeightFile]] = {}
    for file in files:
        found.setdefault(file.model, []).append(file)
    return found


def _is_at(place: str, files: Sequence[WeightFile]) -> bool:
    """Whether weight files are those of the model at a place: the file itself, in the folder, or beside the index."""
    within = Path(place).parent if place.endswith(".json") else Path(place)
    return all(Path(file.file).is_relative_to(within) for file in files)


def _has_moved(files: Sequence[WeightFile], earlier: Sequence[WeightFile]) -> bool:
    """Whether weight files are those known from another place where they are no more."""
    same = None not in _content(files) and _content(files) == _content(earlier)
    return same and not any(os.path.exists(file.file) for file in earlier)


def _content(files: Sequence[WeightFile]) -> set[str | None]:
    return {file.weights_sha256 for file in files}


def _names(files: Sequence[WeightFile], places: Mapping[str, str], known: Sequence[WeightFile]) -> dict[str, str]:
    """Names by model, those of known models that do not come included."""
    names = {file.model: file.name for file in known}
    claimed = {
        name for file in known if file.model.startswith("path:") for name in names_of(ModelKey("path", file.file, None))
    }
    for model, (first, *_) in _by_model(files).items():
        chain = list(_chain(model, places.get(model)))
        own = names.pop(model, None)
        taken = set(names.values())
        if own is not None and first.name in chain:  # a name that nobody gave it
            wanted = [own, *chain]
        elif own is not None or first.name not in chain:
            wanted = [first.name, *chain]
        else:
            wanted, taken = [first.name, *chain], taken | claimed
        names[model] = next((name for name in wanted if name not in taken), model)
    return names


def _chain(model: str, place: str | None) -> Iterator[str]:
    """Names of a model from short to long."""
    source, _, rest = model.partition(":")
    if source in SOURCES:
        yield from names_of(parse_model_key(model) if place is None else ModelKey("path", place, None))
    else:  # a model in memory
        yield from (rest.partition("@")[0], rest)
    yield model
