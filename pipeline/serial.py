"""The executor without a cluster: one unit after the other, in this process."""

from collections.abc import Iterable, Iterator

from pipeline.job import Job, Outcome
from pipeline.plan import Unit
from pipeline.worker import run_unit


def run_serially(units: Iterable[Unit], job: Job) -> Iterator[Outcome]:
    """Work on the units in order and yield each outcome."""
    for unit in units:
        yield run_unit(unit, job)
