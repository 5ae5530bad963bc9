"""What the tensors of a weight file are before it is downloaded: out of the header alone, where the format has one."""

from functools import partial
from pathlib import Path

from catalogs import WeightFile, parse_model_key
from checkpoints.errors import CheckpointError, NotFound
from checkpoints.header_cache import keep_headers
from checkpoints.hub import import_hub
from checkpoints.hub_files import read_part
from checkpoints.ranges import Piece
from checkpoints.remote import repository_of
from checkpoints.safetensors_header import read_header
from checkpoints.tensors import TensorHeader
from checkpoints.url import file_name, read_url


class UnknownBeforeDownload(CheckpointError):
    """Nothing but the file itself says what is in it; the message says why."""


def local_copy(file: WeightFile, cache: Path) -> Path | None:
    """Where an identified weight file lies on this machine; None if it has to be fetched.

    Args:
        file: The catalog row, with the sha256 and the exact model key.
        cache: Cache directory for what is downloaded; what comes from the hub lies in the cache of its own client.
    """
    key = parse_model_key(file.model)
    if key.source == "path":
        return Path(file.file)
    if (place := repository_of(file)) is not None:
        found = import_hub().try_to_load_from_cache(*place, revision=key.commit)
        return Path(found) if isinstance(found, str) else None
    name = Path(file.file).name if key.source == "wheel" else file_name(file.file)
    there = cache / "files" / str(file.weights_sha256) / name
    return there if there.is_file() else None


def remote_headers(file: WeightFile, cache: Path) -> tuple[tuple[TensorHeader, ...], int | None]:
    """The tensors of an identified weight file that is not on this machine, and its size in bytes where it is known.

    The header of a safetensors file is read, and nothing behind it; a server that knows no ranges is told to stop. As
    the rest does not come, what came cannot be checked against the file's sha256: a run does so. The header is kept
    in the cache.

    Raises:
        UnknownBeforeDownload: The file is no safetensors file, or part of a wheel.
        CheckpointError: The header cannot be had, or is damaged.
    """
    if parse_model_key(file.model).source == "wheel":
        raise UnknownBeforeDownload("a wheel comes as a whole")
    place = repository_of(file)
    name = place[1].rpartition("/")[2] if place else file_name(file.file)
    if not name.endswith(".safetensors"):
        raise UnknownBeforeDownload("a pickle's tensors are listed only inside it")
    if place is None:
        headers, size = read_header(partial(read_url, file.file), name)
    else:
        repo, path = place
        headers, size = read_header(partial(_read_hub, repo, str(parse_model_key(file.model).commit), path), name)
    keep_headers(file.weights_sha256, headers, size, cache)
    return headers, size


def _read_hub(repo: str, commit: str, path: str, start: int, stop: int) -> Piece:
    found = read_part(import_hub(), repo, commit, path, start, stop)
    if found is None:
        raise NotFound(f"hub:{repo}@{commit} {path}: the hub has no such file (404). Check the spelling.")
    return found
