"""Who may compute on a machine now: as many processes at a time as it has slots, whatever they are."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Turns:
    """A semaphore between processes, of file locks: the system takes them back from a process that dies.

    Whoever waits holds the lock of the next turn, and looks for a permit; the others wait for that lock. They try it
    the less often the more may wait, so that all together cost about as much on a large machine as on a small one.

    Attributes:
        folder: A local folder for the locks, made if missing.
        name: What is shared: the cores, or one GPU.
        permits: How many may hold a turn at a time.
    """

    folder: Path
    name: str
    permits: int

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a permit is free, and hold it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        locks = [FileLock(self.folder / f"{self.name}-{number}.lock", timeout=0) for number in range(self.permits)]
        following = FileLock(self.folder / f"{self.name}-next.lock")
        with following.acquire(poll_interval=_POLL_SECONDS * self.permits):
            while (held := _first_free(locks)) is None:
                time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            held.release()


def _first_free(locks: list[FileLock]) -> FileLock | None:
    for lock in locks:
        try:
            lock.acquire()
        except Timeout:
            continue
        return lock
    return None
