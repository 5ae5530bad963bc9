"""Tries of which no worker could tell any more: what they are called, and their rows in the log."""

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pipeline.execution.attempt import finish, new_attempt, outcome_of
from pipeline.execution.failures import LostNode, LostWorker, OutOfMemory, TooLarge
from pipeline.execution.job import Job, Outcome
from pipeline.execution.schedule import Work
from pipeline.planning.plan import Unit


@dataclass(frozen=True, slots=True)
class Where:
    """The machine that a task has started on."""

    host: str
    node: str


def failed_try(
    work: Work[Unit], failure: LostWorker, where: Where | None, job: Job, began: float | None = None
) -> Outcome:
    """Log a try that failed, for a worker that is gone or never was.

    Args:
        work: What was tried.
        failure: Why it came to nothing.
        where: Where that was; None where it had not begun.
        job: What units have in common.
        began: When it began, by `time.monotonic`; None where it had not.
    """
    unit = work.unit
    attempt = replace(new_attempt(unit.file, job, unit=unit.fit_id), try_number=work.tries + 1)
    if where is not None:
        attempt = replace(attempt, host=where.host, node=where.node, cores=None)
    seconds = 0.0 if began is None else time.monotonic() - began
    if began is not None:
        started = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="microseconds")
        attempt = replace(attempt, started=started, seconds=seconds)
    attempt = finish(attempt, failure)
    with suppress(OSError):  # a disk too full even for the log
        job.folder.record(attempt)
    return replace(outcome_of(unit, failure, seconds), attempt=attempt)


def too_large(work: Work[Unit], largest: int) -> TooLarge:
    """What a unit failed of that no machine can hold; the largest has so many bytes to give."""
    return TooLarge(
        f"needs about {_gib(work.memory)} of memory, and the largest machine has {_gib(largest)} to give. Add a larger "
        "one, then run the same command again."
    )


def out_of_memory(memory: int, where: Where | None) -> OutOfMemory:
    """What a unit failed of whose machine ran out of memory, where so many bytes were set aside for it."""
    return OutOfMemory(
        f"its worker{_on(where)} was stopped as the memory ran out; {_gib(memory)} were set aside for it. Take "
        "machines with more memory, then run the same command again."
    )


def died(tries: int, how: str, where: Where | None) -> LostWorker:
    """What a unit failed of whose worker died in that try."""
    return LostWorker(f"its worker{_on(where)} died in try {tries}: {how}. Run the same command to try again.")


def node_lost(tries: int, where: Where | None) -> LostNode:
    """What a unit failed of whose machine was taken away, or died, in that try."""
    host = f"its machine {where.host}" if where else "its machine"
    return LostNode(f"{host} was lost in try {tries}, as spot instances are. Run the same command to try again.")


def _on(where: Where | None) -> str:
    return f" on {where.host}" if where else ""


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
