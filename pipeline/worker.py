"""One unit of work from weight file to published metrics: a plain function that knows no cluster."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from threadpoolctl import threadpool_limits

from catalogs import WeightFile
from checkpoints.downloads import Say
from checkpoints.errors import CheckpointError
from checkpoints.fetch import fetch
from checkpoints.libraries import architecture_facts
from checkpoints.open import open_checkpoint
from pipeline.device_choice import ChosenDevice, choose_device
from pipeline.folder import ResultsFolder, write_table
from pipeline.memory import PeakMemory
from pipeline.metrics import layers_table
from pipeline.options import Options
from pipeline.plan import Unit
from pipeline.records import SPECTRA_SCHEMA, AttemptRow
from pipeline.spectra import FileSpectra, file_spectra

_DEVICE = re.compile(r"CUDA|MPS|accelerator|out of memory", re.IGNORECASE)

_TOLD: set[str] = set()
"""Advice that this process has given already."""


class LostWorker(Exception):
    """The process that worked on a unit died, and so did its successors."""


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
    """

    folder: ResultsFolder
    cache: Path
    config: str
    options: Options
    device: str = "auto"
    threads: int = 1


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
        notes: Lines that somebody should read: a worker on another machine has no terminal.
    """

    unit: Unit
    done: bool
    seconds: float
    n_layers: int = 0
    error: str | None = None
    transient: bool = False
    notes: tuple[str, ...] = ()


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


def run_unit(unit: Unit, job: Job) -> Outcome:
    """Fetch a weight file, compute what is missing, publish it, and log the attempt.

    Spectra that are there are not computed again; then the weights are not even fetched. Whatever goes wrong
    becomes a row of the log and of the outcome, and nothing half-done is left.
    """
    start = time.perf_counter()
    stages = _Stages()
    notes: list[str] = []
    attempt = new_attempt(unit.file, job, unit=unit.fit_id)
    n_layers = 0
    failure: Exception | None = None
    with PeakMemory() as memory, threadpool_limits(job.threads):
        torch.set_num_threads(job.threads)
        reused = job.folder.spectra_path(unit.spectra_id).exists()
        try:
            n_layers = _publish(unit, job, stages, notes.append)
        except Exception as error:  # noqa: BLE001 - whatever one file does must not stop the others
            failure = error
    attempt = replace(attempt, **stages.columns, peak_rss_anon=memory.peak, reused_spectra=reused)
    try:
        job.folder.record(finish(attempt, failure))
    except OSError as error:  # a disk too full even for the log
        failure = failure or error
    return replace(outcome_of(unit, failure, time.perf_counter() - start, n_layers), notes=tuple(notes))


def new_attempt(file: WeightFile, job: Job, *, unit: str | None) -> AttemptRow:
    """The log row of an attempt that starts now and, unless told otherwise, succeeds."""
    return AttemptRow(
        unit=unit,
        model=file.model,
        file=file.file,
        weights_sha256=file.weights_sha256,
        config=job.config,
        host=socket.gethostname(),
        device=resolve_device(job.device),
        threads=job.threads,
        started=datetime.now(UTC).isoformat(timespec="microseconds"),
        bytes=file.size,
        outcome="done",
        code_version=version("setol-zoo"),
    )


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
    return Outcome(unit, False, seconds, error=describe(failure), transient=is_transient(failure))


def describe(failure: BaseException) -> str:
    """What went wrong, as a reader is told: a message of ours as it stands, any other with its type."""
    if isinstance(failure, CheckpointError | LostWorker):
        return str(failure)
    return f"{type(failure).__name__}: {failure}"


def is_transient(failure: BaseException) -> bool:
    """Whether the same command may succeed later: the network, memory, the disk."""
    if isinstance(failure, CheckpointError):
        return failure.transient
    if isinstance(failure, RuntimeError | AssertionError) and _DEVICE.search(str(failure)):
        return True  # a GPU that is missing or has failed says nothing about the weights
    return isinstance(failure, OSError | MemoryError | torch.OutOfMemoryError | LostWorker)


def resolve_device(device: str) -> str:
    """`auto` becomes the GPU where torch sees one, else the CPU; any other name stays. Nothing is timed."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def _publish(unit: Unit, job: Job, stages: _Stages, say: Say) -> int:
    spectra_path = job.folder.spectra_path(unit.spectra_id)
    if not spectra_path.exists():
        with stages.measure("fetch"):
            path = fetch(unit.file, job.cache, say)
        options = job.options.spectrum
        chosen = choose_device(job.device, options.precision)
        stages.columns |= {"device": chosen.device, "device_name": chosen.name}
        if chosen.advice and chosen.advice not in _TOLD:
            _TOLD.add(chosen.advice)
            say(chosen.advice)
        with stages.measure("spectra"):
            checkpoint = open_checkpoint(path)
            facts = architecture_facts(unit.file, checkpoint.headers)
            found = file_spectra(unit.file, checkpoint, chosen.device, facts, options)
            write_table(found.table, spectra_path)
        stages.columns |= _making(found, chosen)
        for remark in found.remarks:
            say(f"{unit.file.name}: {remark}")
    with stages.measure("metrics"):
        spectra = pq.read_table(spectra_path, schema=SPECTRA_SCHEMA)
        layers = layers_table(spectra, job.options.metrics, job.config)
        write_table(layers, job.folder.layers_path(unit.fit_id))
    return len(layers)


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
