"""From catalog rows to weight files of known content: paths are expanded to shards and hashed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from catalogs import WeightFile, parse_model_key
from checkpoints.errors import CheckpointError
from checkpoints.hashing import sha256_of
from checkpoints.shards import weight_files_at


@dataclass(frozen=True, slots=True)
class Unidentified:
    """A catalog row whose content could not be established, and why."""

    file: WeightFile
    error: CheckpointError


def identify(
    files: tuple[WeightFile, ...], progress: Callable[[WeightFile], None] = lambda _: None
) -> tuple[tuple[WeightFile, ...], tuple[Unidentified, ...]]:
    """Establish the content of every weight file of a catalog.

    Rows that pin their sha256 are taken at their word (it is checked when the file is opened); `path:` rows
    without one are read and hashed, after a folder or an index has been expanded to its files.

    Args:
        files: Catalog rows.
        progress: Called with each row before it is worked on.

    Returns:
        Rows with `weights_sha256` and, for local files, `size`; and the rows for which that was not possible.
    """
    known: list[WeightFile] = []
    unknown: list[Unidentified] = []
    for file in files:
        progress(file)
        try:
            known += _identify_one(file)
        except CheckpointError as error:
            unknown.append(Unidentified(file, error))
    return tuple(known), tuple(unknown)


def _identify_one(file: WeightFile) -> list[WeightFile]:
    if parse_model_key(file.model).source != "path":
        return [file]
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
