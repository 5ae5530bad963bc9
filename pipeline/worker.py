"""One unit of work from weight file to published metrics: a plain function that knows no cluster."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from catalogs import WeightFile
from checkpoints.borrowed import borrowed
from checkpoints.downloads import Say
from checkpoints.errors import CheckpointError
from checkpoints.libraries import architecture_facts
from checkpoints.open import open_checkpoint
from pipeline.device_choice import ChosenDevice, choose_device
from pipeline.folder import ResultsFolder
from pipeline.memory import PeakMemory
from pipeline.metrics import layers_table
from pipeline.options import Options
from pipeline.plan import Unit
from pipeline.records import AttemptRow
from pipeline.schedule import Cause
from pipeline.spectra import FileSpectra, file_spectra

_DEVICE = re.compile(r"CUDA|MPS|accelerator|out of memory", re.IGNORECASE)
_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)

_TOLD: set[str] = set()
"""Advice that this process has given already."""


class LostWorker(Exception):
    """The process that worked on a unit died."""


class TimeLimit(LostWorker):
    """A unit took longer than it may, and was stopped."""


class OutOfMemory(LostWorker):
    """The process that worked on a unit was ended because its machine ran out of memory."""


class TooLarge(LostWorker):
    """No machine has the memory that a unit needs."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all units of a run have in common.

    Attributes:
        folder: Where results go.
        cache: Where fetched weights are kept.
        config: Name of the configuration.
        options: How spectra are made and metrics computed.
        device: torch device, or `auto` for the GPU if there is one.
        threads: Threads of every numerical library.
        run: Name of the run, for the log.
        keep_weights: Whether weights that are fetched stay on the machine.
        time_limit: Seconds that a unit may be fetched, and computed; None for a limit by its size.
        code: The code version that a worker must have; None on the driver's own machine.
    """

    folder: ResultsFolder
    cache: Path
    config: str
    options: Options
    device: str = "auto"
    threads: int = 1
    run: str | None = None
    keep_weights: bool = True
    time_limit: float | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The small row that goes back to the driver.

    Attributes:
        unit: What was worked on.
        done: Whether its results are there.
        seconds: How long it took.
        n_layers: How many matrices have metrics.
        error: What went wrong.
        transient: Whether trying again may help.
        cause: Why it failed, where trying again may help.
        notes: Lines that somebody should read: a worker on another machine has no terminal.
        attempt: The row that was logged.
    """

    unit: Unit
    done: bool
    seconds: float
    n_layers: int = 0
    error: str | None = None
    transient: bool = False
    cause: Cause | None = None
    notes: tuple[str, ...] = ()
    attempt: AttemptRow | None = None


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
        torch.set_num_threads(job.threads)
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


def new_attempt(file: WeightFile, job: Job, *, unit: str | None) -> AttemptRow:
    """The log row of an attempt that starts now and, unless told otherwise, succeeds."""
    return AttemptRow(
        run=job.run,
        unit=unit,
        model=file.model,
        file=file.file,
        weights_sha256=file.weights_sha256,
        config=job.config,
        host=socket.gethostname(),
        cores=_cores(),
        device=resolve_device(job.device),
        threads=job.threads,
        started=datetime.now(UTC).isoformat(timespec="microseconds"),
        bytes=file.size,
        outcome="done",
        code_version=version("setol-zoo"),
    )


def _cores() -> int | None:
    """Cores that this process may use, which a container or a scheduler may have cut down."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def finish(attempt: AttemptRow, failure: BaseException | None) -> AttemptRow:
    """The log row with what went wrong, if anything did."""
    if failure is None:
        return attempt
    return replace(
        attempt,
        outcome="failed",
        error_type=type(failure).__name__,
        error=describe(failure),
        transient=is_transient(failure),
    )


def outcome_of(unit: Unit, failure: BaseException | None, seconds: float, n_layers: int = 0) -> Outcome:
    """The row for the driver."""
    if failure is None:
        return Outcome(unit, True, seconds, n_layers)
    cause = cause_of(failure)
    return Outcome(unit, False, seconds, error=describe(failure), transient=cause is not None, cause=cause)


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
        return {TimeLimit: Cause.TIME, OutOfMemory: Cause.MEMORY}.get(type(failure), Cause.LOST)
    if isinstance(failure, MemoryError | torch.OutOfMemoryError):
        return Cause.MEMORY
    if isinstance(failure, RuntimeError | AssertionError):
        if _MEMORY.search(str(failure)):
            return Cause.MEMORY
        # A GPU that is missing or has failed says nothing about the weights.
        return Cause.TRANSIENT if _DEVICE.search(str(failure)) else None
    return Cause.TRANSIENT if isinstance(failure, OSError) else None


def resolve_device(device: str) -> str:
    """`auto` becomes the GPU where torch sees one, else the CPU; any other name stays. Nothing is timed."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def _publish(unit: Unit, job: Job, stages: _Stages, say: Say, turn: Callable[[], AbstractContextManager[None]]) -> int:
    reused = job.folder.has_spectra(unit.spectra_id)
    stages.columns["reused_spectra"] = reused
    with ExitStack() as held:
        if not reused:
            with stages.measure("fetch"):
                weights = held.enter_context(borrowed(unit.file, job.cache, say, keep=job.keep_weights))
            stages.columns["bytes_fetched"] = weights.bytes_fetched
        with stages.measure("wait"):
            held.enter_context(turn())
        if not reused:
            _publish_spectra(unit, job, weights.path, stages, say)
        with stages.measure("metrics"):
            spectra = job.folder.read_spectra(unit.spectra_id)
            layers = layers_table(spectra, job.options.metrics, job.config)
            job.folder.write_layers(unit.fit_id, layers)
    return len(layers)


def _publish_spectra(unit: Unit, job: Job, weights: Path, stages: _Stages, say: Say) -> None:
    options = job.options.spectrum
    chosen = choose_device(job.device, options.precision)
    stages.columns |= {"device": chosen.device, "device_name": chosen.name}
    if chosen.advice and chosen.advice not in _TOLD:
        _TOLD.add(chosen.advice)
        say(chosen.advice)
    with stages.measure("spectra"):
        checkpoint = open_checkpoint(weights)
        facts = architecture_facts(unit.file, checkpoint.headers)
        found = file_spectra(unit.file, checkpoint, chosen.device, facts, options)
        stages.columns["bytes_spectra"] = job.folder.write_spectra(unit.spectra_id, found.table)
    stages.columns |= _making(found, chosen)
    for remark in found.remarks:
        say(f"{unit.file.name}: {remark}")


def _making(found: FileSpectra, chosen: ChosenDevice) -> dict[str, Any]:
    """How spectra were made, as columns of the log."""
    remarks = [*found.remarks, *([chosen.advice] if chosen.advice else [])]
    return {
        "precision": found.precision,
        "float32_deviation": found.float32_deviation,
        "probe_float64": chosen.gpu and chosen.gpu.float64_seconds,
        "probe_float32": chosen.gpu and chosen.gpu.float32_seconds,
        "probe_cpu": chosen.cpu and chosen.cpu.float64_seconds,
        "remarks": "\n".join(remarks) or None,
    }
