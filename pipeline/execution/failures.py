"""Why a try came to nothing: what it is called, and whether another may do better."""

import re

from checkpoints.errors import CheckpointError
from pipeline.execution.schedule import Cause

_DEVICE = re.compile(r"CUDA|MPS|accelerator|out of memory", re.IGNORECASE)
_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


class LostWorker(Exception):
    """The process that worked on a unit died."""


class LostNode(LostWorker):
    """The machine that worked on a unit is gone."""


class TimeLimit(LostWorker):
    """A unit took longer than it may, and was stopped."""


class OutOfMemory(LostWorker):
    """The process that worked on a unit was ended because its machine ran out of memory."""


class TooLarge(LostWorker):
    """No machine has the memory that a unit needs."""


_OF_LOST: dict[type[LostWorker], Cause] = {
    LostNode: Cause.NODE,
    TimeLimit: Cause.TIME,
    OutOfMemory: Cause.MEMORY,
}


def describe(failure: BaseException) -> str:
    """What went wrong, as a reader is told: a message of ours as it stands, any other with its type."""
    if isinstance(failure, CheckpointError | LostWorker):
        return str(failure)
    return f"{type(failure).__name__}: {failure}"


def is_transient(failure: BaseException) -> bool:
    """Whether the same command may succeed later: the network, memory, the disk."""
    return cause_of(failure) is not None


def cause_of(failure: BaseException) -> Cause | None:
    """Why a try failed, where another may not; None where it will, as the weights are to blame."""
    if isinstance(failure, CheckpointError):
        return Cause.TRANSIENT if failure.transient else None
    if isinstance(failure, LostWorker):
        return _OF_LOST.get(type(failure), Cause.LOST)
    if isinstance(failure, MemoryError):
        return Cause.MEMORY
    if isinstance(failure, RuntimeError | AssertionError):
        if _MEMORY.search(str(failure)):  # torch's own error is a RuntimeError that says so
            return Cause.MEMORY
        # A GPU that is missing or has failed says nothing about the weights.
        return Cause.TRANSIENT if _DEVICE.search(str(failure)) else None
    return Cause.TRANSIENT if isinstance(failure, OSError) else None
