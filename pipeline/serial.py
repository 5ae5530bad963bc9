"""The executor without a cluster: one unit after the other, in this process."""

from collections.abc import Iterator, Sequence

from pipeline.held_base import base_here
from pipeline.job import Job, Outcome
from pipeline.plan import Unit
from pipeline.worker import run_unit


def run_serially(units: Sequence[Unit], job: Job) -> Iterator[Outcome]:
    """Work on the units in order and yield each outcome.

    Raises:
        OptionError: The base cannot be had.
    """
    with base_here(units, job):
        for unit in units:
            yield run_unit(unit, job)
