"""A unit under a hard time limit, in a process of its own that may be ended."""

import faulthandler
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from queue import Empty, SimpleQueue

from pipeline.execution.attempt import finish, new_attempt, outcome_of
from pipeline.execution.failures import TimeLimit
from pipeline.execution.job import Job, Outcome
from pipeline.execution.schedule import Work
from pipeline.execution.worker import run_unit
from pipeline.planning.plan import Unit

LEAST_SECONDS = 1800.0
"""No unit is stopped before this, unless a limit was given."""

LONGEST_SECONDS = 30 * 86400.0
"""No unit is let go on beyond this, whatever limit is given or follows; the system's timers end at some 292 years."""

SLOWEST_BYTES = 1e6
"""Bytes a second below which a network is taken to stand still."""

GRACE_SECONDS = 30.0
"""How long after the limit a process is ended that does not even let Python run."""


PASS_ON_SECONDS = 10.0
"""How long computing waits, at most, until whoever listens knows of it."""


class Stage(StrEnum):
    """What a unit is at. Its limit holds for fetching and for computing, each; waiting for others has none."""

    FETCHING = "fetching"
    WAITING = "waiting"
    COMPUTING = "computing"


@dataclass(frozen=True, slots=True)
class Watch:
    """What a process is told about a try, beside the unit.

    Attributes:
        limit: Seconds that it may fetch, and that it may compute.
        try_number: Which try it is.
        node: The cluster's name of this machine.
    """

    limit: float
    try_number: int = 1
    node: str | None = None


def time_limit(work: Work[Unit], job: Job) -> float:
    """Seconds that a unit may fetch, and that it may compute: far beyond what is to be expected of either."""
    if job.time_limit is not None:
        return job.time_limit
    repeated = 1 + job.options.spectrum.permutations + job.options.metrics.bootstrap
    base = job.options.spectrum.base
    fetched = (work.unit.file.size or 0) + (base.size if base else 0)
    expected = max(LEAST_SECONDS * repeated, 20 * repeated * work.seconds, fetched / SLOWEST_BYTES)
    return min(expected, LONGEST_SECONDS)


def ran_past(limit: float, stage: Stage, host: str) -> TimeLimit:
    """What a unit that was stopped failed of."""
    return TimeLimit(
        f"ran past its time limit: {limit:.0f} s of {stage} on {host}, and was stopped. If it is to take as long, "
        "give a higher --time-limit; else run the same command to try again."
    )


def run_watched(
    unit: Unit, job: Job, turn: Callable[[], AbstractContextManager[None]], watch: Watch
) -> Iterator[Stage | Outcome]:
    """Work on a unit in a thread; yield what it is at, and its outcome at the end.

    After a time limit the thread goes on, so whoever called this ends the process, once the outcome is sent. Code that
    keeps Python from running is ended with the process by a thread of C, a while later.
    """
    told: SimpleQueue[Stage | Outcome | BaseException] = SimpleQueue()
    attempt = replace(new_attempt(unit.file, job, unit=unit.fit_id), try_number=watch.try_number, node=watch.node)
    passed_on = threading.Event()
    start = time.monotonic()

    def arm() -> None:
        faulthandler.dump_traceback_later(watch.limit + GRACE_SECONDS, exit=True)

    @contextmanager
    def telling() -> Iterator[None]:
        faulthandler.cancel_dump_traceback_later()
        told.put(Stage.WAITING)
        with turn():
            arm()  # by this thread: it may be the last that runs
            told.put(Stage.COMPUTING)
            passed_on.wait(PASS_ON_SECONDS)  # while Python runs
            yield

    def work() -> None:
        try:
            told.put(run_unit(unit, job, telling, try_number=watch.try_number, node=watch.node))
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody sees it
            told.put(error)

    stage = Stage.FETCHING
    thread = threading.Thread(target=work, name="unit", daemon=True)
    arm()
    thread.start()
    try:
        while True:
            yield stage
            if stage is Stage.COMPUTING:
                passed_on.set()
            try:
                event = told.get(timeout=None if stage is Stage.WAITING else watch.limit)
            except Empty:
                failure = ran_past(watch.limit, stage, socket.gethostname())
                seconds = time.monotonic() - start
                attempt = finish(replace(attempt, seconds=seconds), failure)
                with suppress(OSError):  # a disk too full even for the log
                    job.folder.record(attempt)
                event = replace(outcome_of(unit, failure, seconds), attempt=attempt)
            if not isinstance(event, Stage):
                break
            stage = event
    finally:
        faulthandler.cancel_dump_traceback_later()
    if isinstance(event, BaseException):
        raise event
    yield event
