"""The executor without a cluster: one unit after the other, in this process."""

from collections.abc import Iterator, Sequence

from pipeline.execution.held_base import base_here
from pipeline.execution.job import Job, Outcome
from pipeline.execution.worker import run_unit
from pipeline.planning.plan import Unit


def run_serially(units: Sequence[Unit], job: Job) -> Iterator[Outcome]:
    """Work on the units in order and yield each outcome.

    Raises:
        OptionError: The base cannot be had.
    """
    with base_here(units, job):
        for unit in units:
            yield run_unit(unit, job)
