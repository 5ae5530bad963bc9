"""From catalog rows to weight files of known content: paths are expanded to shards and hashed."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from catalogs import WeightFile, parse_model_key
from catalogs.apart import tell_apart
from checkpoints.errors import CheckpointError, NotFound
from checkpoints.hashing import sha256_of
from checkpoints.libraries import layout_of
from checkpoints.remote import identify_remote
from checkpoints.shards import weight_files_at
from pipeline.base_model import BaseModel, base_model
from pipeline.errors import OptionError

_REPOSITORIES = ("hub", "timm")
_AT_A_TIME = 8
"""Questions to the hub, and downloads: they wait for the network, not for a core."""


@dataclass(frozen=True, slots=True)
class Unidentified:
    """A catalog row whose content could not be established, and why."""

    file: WeightFile
    error: CheckpointError


@dataclass(frozen=True, slots=True)
class Identified:
    """What became of the rows of a catalog.

    Attributes:
        files: Rows of known content: `weights_sha256` is set, `size` where it was cheap to know, and `layout`
            where the model's own architecture is known.
        unidentified: Rows for which that was not possible.
        renamed: Model keys of the catalog that were made exact (a branch resolved to its commit, a path that is
            another file in the results made absolute), and what they are now; their scores have to follow.
        notes: Lines on what is known by another key, or has changed.
        scores_only: Rows of models of which there are scores and no weights that can be fetched.
    """

    files: tuple[WeightFile, ...]
    unidentified: tuple[Unidentified, ...]
    renamed: Mapping[str, str]
    notes: tuple[str, ...] = ()
    scores_only: tuple[WeightFile, ...] = ()


def identify(files: tuple[WeightFile, ...], cache: Path, max_age: float = 0.0) -> Identified:
    """Establish the content of every weight file of a catalog.

    Rows that pin their sha256 are taken at their word (it is checked when the file is opened); `path:` rows
    without one are read and hashed, after a folder or an index has been expanded to its files. Rows of the hub are
    resolved to a commit, several at a time, and to the sha256 that the hub knows; other rows whose sha256
    nobody knows are downloaded and hashed.

    Args:
        files: Catalog rows.
        cache: Cache directory for what has to be downloaded to know what it is, and for what the hub says.
        max_age: Seconds for which a branch is taken to stand for the commit that it stood for when it was asked last.
    """
    scores_only = tuple(file for file in files if parse_model_key(file.model).source == "scores")
    files = tuple(file for file in files if parse_model_key(file.model).source != "scores")
    addresses = [file for file in files if file.model.startswith("url:") and file.weights_sha256 is None]
    together = (*_REPOSITORIES, "url") if len(addresses) > 1 else _REPOSITORIES  # a single download draws its bar
    pool = ThreadPoolExecutor(_AT_A_TIME)
    try:
        asked = {
            file: pool.submit(_try_to_identify, file, cache, max_age)
            for file in files
            if parse_model_key(file.model).source in together
        }
        found = [asked[file].result() if file in asked else _try_to_identify(file, cache, max_age) for file in files]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an interruption does not wait for questions yet unasked

    known: dict[tuple[str, str], WeightFile] = {}
    unknown: list[Unidentified] = []
    renamed: dict[str, str] = {}
    for file, outcome in zip(files, found, strict=True):
        if isinstance(outcome, Unidentified):
            unknown.append(outcome)
            continue
        for each in outcome:
            known.setdefault((each.model, each.file), each)  # a branch and its commit are one model
            if each.model != file.model:
                renamed[file.model] = each.model
    # A file that could not be identified keeps its model unfinished, under the model's exact name.
    unknown = [
        replace(row, file=replace(row.file, model=renamed.get(row.file.model, row.file.model))) for row in unknown
    ]
    return Identified(tuple(known.values()), tuple(unknown), renamed, scores_only=scores_only)


def identify_base(files: tuple[WeightFile, ...], cache: Path) -> BaseModel:
    """Establish the content of a model that is to be subtracted from others.

    Args:
        files: The catalog rows of that one model.
        cache: As for `identify`.

    Raises:
        OptionError: It cannot be had.
    """
    found = identify(files, cache)
    if found.unidentified:
        row = found.unidentified[0]
        raise OptionError(f"the base {row.file.model} cannot be had: {row.error}")
    return base_model(found.files)


def told_apart(identified: Identified, places: Mapping[str, str], known: Sequence[WeightFile]) -> Identified:
    """Give models keys and names that no other model of a results folder has, as `catalogs.apart.tell_apart` does.

    Args:
        identified: What `identify` found.
        places: Absolute paths of the `path:` models by key.
        known: The weight files that the results folder knows.
    """
    lost = [row.file for row in identified.unidentified]
    found = tell_apart([*identified.files, *lost, *identified.scores_only], places, known)
    n_files = len(identified.files)
    n_weights = n_files + len(lost)
    pairs = zip(identified.unidentified, found.files[n_files:n_weights], strict=True)
    return Identified(
        found.files[:n_files],
        tuple(replace(row, file=file) for row, file in pairs),
        {**identified.renamed, **found.renamed},
        found.notes,
        found.files[n_weights:],
    )


def _try_to_identify(file: WeightFile, cache: Path, max_age: float) -> list[WeightFile] | Unidentified:
    try:
        source = parse_model_key(file.model).source
        if source == "wheel":
            return [file]
        found = _local(file) if source == "path" else identify_remote(file, cache, max_age)
        return [replace(each, layout=layout_of(each)) for each in found]
    except CheckpointError as error:
        return Unidentified(file, _nor_here(file, error))
    except OSError as error:  # a full disk, a cache that may not be written to
        told = CheckpointError(f"{file.model}: {error.strerror or type(error).__name__}", transient=True)
        return Unidentified(file, told)


def _nor_here(file: WeightFile, error: CheckpointError) -> CheckpointError:
    """The error about a model of the hub, for somebody who may have meant a file: `runs/net`."""
    key = parse_model_key(file.model)
    if key.source != "hub" or key.revision or not (isinstance(error, NotFound) or error.transient):
        return error
    told = f"{error} There is no such file here either." if not Path(key.id).exists() else str(error)
    return NotFound(told) if isinstance(error, NotFound) else CheckpointError(told, transient=True)


def _local(file: WeightFile) -> list[WeightFile]:
    shards = weight_files_at(Path(file.file))
    if file.weights_sha256 is not None:
        if len(shards) > 1:
            raise CheckpointError(
                f"{file.file} has {len(shards)} shards, and one sha256 cannot pin them all: "
                "give the catalog a row for each, or leave weights_sha256 out."
            )
        return [replace(file, file=str(shards[0]), size=shards[0].stat().st_size)]
    return [
        replace(file, file=str(shard), weights_sha256=sha256_of(shard), size=shard.stat().st_size) for shard in shards
    ]
