"""The files of the model that a run subtracts, on this machine for as long as they are needed."""

import atexit
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalogs.plain import plain_text
from checkpoints.downloads import Say, say_here
from checkpoints.errors import CheckpointError
from pipeline.base_model import BaseModel
from pipeline.errors import OptionError
from pipeline.execution.job import Job
from pipeline.planning.plan import Unit


@dataclass(frozen=True, slots=True)
class _Held:
    reserved: ExitStack
    paths: tuple[Path, ...]


_HELD: dict[str, _Held] = {}
"""What this process works with, by content: units come and go, and each needs all of it."""


def hold_base(base: BaseModel, cache: Path, say: Say = say_here, *, keep: bool) -> tuple[tuple[Path, ...], int]:
    """Fetch the files of a base, once a process: they stay until `release_bases`, or the end of the process.

    Args:
        base: The model.
        cache: Cache directory.
        say: Takes a line about what was damaged in the cache.
        keep: Whether what is fetched stays on this machine for good.

    Returns:
        The files, verified, and the bytes that came over the network for this call.

    Raises:
        CheckpointError: It cannot be had. Never for good: other models are not to blame for it.
        OSError: The disk is full, or cannot be written to.
    """
    from checkpoints.borrowed import borrowed

    if base.sha256 in _HELD:
        return _HELD[base.sha256].paths, 0
    if not base.files:
        told = f"the base is needed: `setol run --base {plain_text(base.model)}` makes these spectra"
        raise CheckpointError(told, transient=True)
    with ExitStack() as reserved:
        try:
            found = [reserved.enter_context(borrowed(file, cache, say, keep=keep)) for file in base.files]
        except CheckpointError as error:
            told = f"the base {plain_text(base.model)} cannot be had: {error}"
            raise CheckpointError(told, transient=True) from error
        _HELD[base.sha256] = _Held(reserved.pop_all(), tuple(each.path for each in found))
    return _HELD[base.sha256].paths, sum(each.bytes_fetched for each in found)


def release_bases() -> None:
    """Let go of what `hold_base` held; what nobody else works with is removed, unless it was there before."""
    while _HELD:
        _HELD.popitem()[1].reserved.close()


atexit.register(release_bases)


@contextmanager
def base_here(units: Iterable[Unit], job: Job) -> Iterator[None]:
    """Hold the base of a run on the machine that starts it, if any of the units needs it.

    There a base that cannot be had is told before any work, and workers on that machine need not fetch it.

    Raises:
        OptionError: It cannot be had.
    """
    base = job.options.spectrum.base
    try:
        if base is not None and not {unit.spectra_id for unit in units} <= job.folder.finished():
            try:
                hold_base(base, job.cache, keep=job.keep_weights)
            except (CheckpointError, OSError) as error:
                raise OptionError(str(error)) from error
        yield
    finally:
        release_bases()
