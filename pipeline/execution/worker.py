"""One unit of work from weight file to published metrics: a plain function that knows no cluster."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from checkpoints.downloads import Say
from pipeline.execution.attempt import finish, new_attempt, outcome_of
from pipeline.execution.held_base import hold_base
from pipeline.execution.job import Job, Outcome
from pipeline.execution.memory import PeakMemory
from pipeline.measurement.metrics import layers_table
from pipeline.planning.plan import Unit


@dataclass(slots=True)
class _Stages:
    """What the stages leave for the log: columns of an `AttemptRow`."""

    columns: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.columns[f"seconds_{stage}"] = time.perf_counter() - start


def run_unit(
    unit: Unit,
    job: Job,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    *,
    try_number: int = 1,
    node: str | None = None,
) -> Outcome:
    """Fetch a weight file, compute what is missing, publish it, and log the attempt.

    Spectra that are there are not computed again; then the weights are not even fetched. Whatever goes wrong
    becomes a row of the log and of the outcome, and nothing half-done is left.

    Args:
        unit: The weight file.
        job: What it has in common with others.
        turn: Entered for computing, not for fetching: others may compute while this unit is fetched.
        try_number: Which of the tries at it this is.
        node: The cluster's name of this machine.
    """
    start = time.perf_counter()
    stages = _Stages()
    notes: list[str] = []
    attempt = replace(new_attempt(unit.file, job, unit=unit.fit_id), try_number=try_number, node=node)
    n_layers = 0
    failure: Exception | None = None
    with PeakMemory() as memory, threadpool_limits(job.threads):
        try:
            n_layers = _publish(unit, job, stages, notes.append, turn)
        except Exception as error:  # noqa: BLE001 - whatever one file does must not stop the others
            failure = error
    seconds = time.perf_counter() - start
    attempt = replace(attempt, **stages.columns, seconds=seconds, peak_rss_anon=memory.peak)
    attempt = finish(attempt, failure)
    try:
        job.folder.record(attempt)
    except OSError as error:  # a disk too full even for the log
        failure = failure or error
    return replace(outcome_of(unit, failure, seconds, n_layers), notes=tuple(notes), attempt=attempt)


def _publish(unit: Unit, job: Job, stages: _Stages, say: Say, turn: Callable[[], AbstractContextManager[None]]) -> int:
    reused = job.folder.has_spectra(unit.spectra_id)
    stages.columns["reused_spectra"] = reused
    with ExitStack() as held:
        weights, base = (None, ()) if reused else _fetched(unit, job, stages, say, held)
        with stages.measure("wait"):
            held.enter_context(turn())
        if weights is not None:
            from pipeline.execution.making import make_spectra  # brings torch, which stored spectra do without

            with stages.measure("spectra"):
                stages.columns |= make_spectra(unit, job, weights, base, say)
        with stages.measure("metrics"):
            spectra = job.folder.read_spectra(unit.spectra_id)
            layers = layers_table(spectra, job.options.metrics, job.config)
            job.folder.write_layers(unit.fit_id, layers)
    return len(layers)


def _fetched(unit: Unit, job: Job, stages: _Stages, say: Say, held: ExitStack) -> tuple[Path, tuple[Path, ...]]:
    """The file of a unit, and those of the base, which the first unit of a process fetches for all."""
    from checkpoints.borrowed import borrowed

    subtracted = job.options.spectrum.base
    base: tuple[Path, ...] = ()
    fetched = 0
    with stages.measure("fetch"):
        if subtracted is not None:
            base, fetched = hold_base(subtracted, job.cache, say, keep=job.keep_weights)
        weights = held.enter_context(borrowed(unit.file, job.cache, say, keep=job.keep_weights))
    stages.columns["bytes_fetched"] = weights.bytes_fetched + fetched
    return weights.path, base
