"""The row that a try leaves in the log, and the smaller one that goes back to the driver."""

import socket
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

from catalogs import WeightFile
from pipeline.code_version import code_version
from pipeline.cores import usable_cores
from pipeline.decomposition.device import resolve_device
from pipeline.execution.failures import cause_of, describe, is_transient
from pipeline.execution.job import Job, Outcome
from pipeline.planning.plan import Unit
from pipeline.store.records import AttemptRow


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
        cores=usable_cores(),
        device=resolve_device(job.device),
        threads=job.threads,
        started=datetime.now(UTC).isoformat(timespec="microseconds"),
        bytes=file.size,
        outcome="done",
        code_version=f"{version('setol-zoo')}+{code_version()}",
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
    cause = cause_of(failure)
    return Outcome(unit, False, seconds, error=describe(failure), transient=cause is not None, cause=cause)
