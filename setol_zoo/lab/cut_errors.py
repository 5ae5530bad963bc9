"""Errors of truncated states of a training, kept in the results folder: what is there is not computed again.

truncated/v1/<training>-<hash>.parquet      a row an epoch; the hash is that of the metric options
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.options import MetricOptions, Options
from pipeline.store.parquet import parquet_of_rows
from pipeline.store.storage import write_bytes
from setol_zoo.lab.data.examples import DataSet
from setol_zoo.lab.trained import Trained
from setol_zoo.lab.truncation import truncated_errors

FOLDER = Path("truncated", "v1")

OPTIONS = Options(metrics=MetricOptions(detail="basic"))
"""Where the tail begins, as the metrics of a results folder have it; the detail changes no lambda_min."""


@dataclass(frozen=True, slots=True)
class CutErrors:
    """Errors after an epoch when all layers but the output are cut at once, as shares; NULL where that cannot be.

    Attributes:
        epoch: Which.
        tail_train_error: With the power-law tails alone, on the training examples.
        tail_test_error: On the test examples.
        ecs_train_error: With the effective correlation spaces alone, on the training examples.
        ecs_test_error: On the test examples.
    """

    epoch: int
    tail_train_error: float | None = None
    tail_test_error: float | None = None
    ecs_train_error: float | None = None
    ecs_test_error: float | None = None


_SCHEMA = pa.schema(
    [
        pa.field("epoch", pa.int64(), nullable=False),
        *(pa.field(f"{cut}_{part}_error", pa.float64()) for cut in ("tail", "ecs") for part in ("train", "test")),
    ]
)


def cut_epochs(training: Trained) -> tuple[int, ...]:
    """The epochs whose states are cut: powers of two, and the last that is kept. A cut takes a look at all examples."""
    kept = [row.epoch for row in training.epochs if row.kept and row.epoch]
    return tuple(epoch for epoch in kept if epoch == kept[-1] or epoch & (epoch - 1) == 0)


def cut_errors(results: Path, training: Trained) -> tuple[CutErrors, ...] | None:
    """What is known of a training, an epoch each; None where nothing is, or its file was damaged."""
    try:
        table = pq.read_table(pa.BufferReader(_path(results, training).read_bytes()), schema=_SCHEMA)
    except (FileNotFoundError, pa.ArrowException):
        return None
    return tuple(CutErrors(**row) for row in table.to_pylist())


def cut_into(results: Path, training: Trained, data: DataSet) -> tuple[CutErrors, ...]:
    """Cut some states of a training, count their errors, and store them; what is there already is read.

    Args:
        results: The results folder.
        training: Whose states.
        data: Its data set.

    Raises:
        CheckpointError: A state cannot be read.
    """
    if (found := cut_errors(results, training)) is not None:
        return found
    rows = tuple(_cut(training, epoch, data) for epoch in cut_epochs(training))
    path = _path(results, training)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(parquet_of_rows(pa.Table.from_pylist([asdict(row) for row in rows], schema=_SCHEMA)), path)
    return rows


def _cut(training: Trained, epoch: int, data: DataSet) -> CutErrors:
    found = truncated_errors(training.weights(epoch), training.setting, data, OPTIONS.metrics)
    errors = {
        f"{cut}_{part}_error": getattr(errors, f"{part}_error")
        for cut, errors in found.items()
        for part in ("train", "test")
    }
    return CutErrors(epoch, **errors)


def _path(results: Path, training: Trained) -> Path:
    return results / FOLDER / f"{training.setting.id}-{OPTIONS.config}.parquet"
