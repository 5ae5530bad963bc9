"""Which files of a repository stand for its model: one format of several, one file or the shards of an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogs import unknown_name
from catalogs.plain import no_file_name
from checkpoints.errors import CheckpointError
from checkpoints.json_file import read_json
from checkpoints.open import SUFFIXES
from checkpoints.shards import INDEX_SUFFIX

FIRST_CHOICE = "model.safetensors"
_PREFERRED = (
    FIRST_CHOICE,
    f"model.safetensors{INDEX_SUFFIX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX_SUFFIX}",
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that a repository lists; sha256 and size where the hub tells them (large files)."""

    path: str
    sha256: str | None
    size: int | None


def choose_weights(listed: Sequence[Listed], wanted: str | None, what: str) -> str:
    """Path of the weight file or index that stands for the model.

    Args:
        listed: The repository's files.
        wanted: The path that somebody chose; None to choose here: safetensors first, one file or an index, then
            `pytorch_model.bin`, then the only weight file at the top.
        what: The repository, for messages.

    Raises:
        CheckpointError: There is no such file, none that can be read, or more than one to choose from.
    """
    paths = [each.path for each in listed]
    readable = [path for path in paths if path.endswith((*SUFFIXES, INDEX_SUFFIX))]
    if wanted is not None:
        if wanted not in paths:
            raise CheckpointError(f"{what}: {unknown_name('file', wanted, readable or paths)}")
        return wanted
    for path in _PREFERRED:
        if path in paths:
            return path
    at_the_top = [path for path in readable if "/" not in path]
    for suffix in (".safetensors", *SUFFIXES):
        if len(found := [path for path in at_the_top if path.endswith(suffix)]) == 1:
            return found[0]
    if readable:
        raise CheckpointError(
            f"{what} holds {len(readable)} weight files ({', '.join(readable[:5])}{', ...' if readable[5:] else ''}) "
            "and none that stands for the model: name one in the column file of a catalog."
        )
    raise CheckpointError(
        f"{what} holds no weight file that can be read: need one of {', '.join(SUFFIXES)}; "
        f"it has {', '.join(paths[:8]) or 'nothing'}{', ...' if paths[8:] else ''}."
    )


def shard_names(index: Path, what: str) -> list[str]:
    """The files that an index names, all in its own folder, sorted.

    Raises:
        CheckpointError: It is no index, or leads out of its folder.
    """
    try:
        names = sorted(set(read_json(index)["weight_map"].values()))
        outside = [name for name in names if Path(name).name != name or no_file_name(name)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{what} is no index of shards: need JSON with a weight_map.") from error
    if not names:
        raise CheckpointError(f"{what} is no index of shards: its weight_map names no file.")
    if outside:
        raise CheckpointError(f"{what} names {outside[0]!r}: shards must lie beside their index.")
    return names
