"""The executor on the cores of this machine, without a cluster: a process a core."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from pipeline.plan import Unit
from pipeline.worker import Job, LostWorker, Outcome, outcome_of, run_unit


def run_in_processes(units: Sequence[Unit], job: Job, *, cpus: int) -> Iterator[Outcome]:
    """Work on the units in parallel and yield each outcome as it comes.

    Args:
        units: In the order in which they are started.
        job: What they have in common.
        cpus: How many processes.
    """
    pool = ProcessPoolExecutor(
        min(cpus, len(units)), mp_context=multiprocessing.get_context("spawn"), initializer=_leave_interrupts_to_parent
    )
    try:
        running = {pool.submit(run_unit, unit, job): unit for unit in units}
        for future in as_completed(running):
            yield _outcome(future, running[future])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _outcome(future: "Future[Outcome]", unit: Unit) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return outcome_of(unit, LostWorker("a process died. Run the same command to try again."), 0.0)
