"""Trained networks in a results folder: a folder a training, put in place whole when it has ended.

trained/v1/<id>/epochs.parquet              a row per epoch
trained/v1/<id>/epoch-0012.safetensors      the weights after the epochs that are kept
"""

import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import save_file

from pipeline.store.parquet import parquet_of
from setol_zoo.lab.data.examples import DataSet
from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.networks import n_parameters
from setol_zoo.lab.setting import Setting
from setol_zoo.lab.training import train

FOLDER = Path("trained", "v1")

_TABLE = "epochs.parquet"

_STALE_SECONDS = 6 * 3600
"""Age after which an unfinished training is taken for what a killed process left behind."""

_SETTING = b"setting"
"""Key of the table's metadata that holds the setting as JSON."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch of a training, as it is stored; the fields are those of `training.Epoch`.

    Attributes:
        params: Weights and biases of the network.
    """

    epoch: int
    kept: bool
    end: str | None
    train_loss: float | None
    train_error: float | None
    test_loss: float | None
    test_error: float | None
    params: int


_SCHEMA = pa.schema(
    [
        pa.field("epoch", pa.int64(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("end", pa.string()),
        *(pa.field(name, pa.float64()) for name in ("train_loss", "train_error", "test_loss", "test_error")),
        pa.field("params", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Trained:
    """A training that has ended.

    Attributes:
        setting: What was trained.
        folder: Where its weights are.
        epochs: A row per epoch, the untrained network first.
    """

    setting: Setting
    folder: Path
    epochs: tuple[EpochRow, ...]

    def weights(self, epoch: int) -> Path:
        """The file with the weights after a kept epoch."""
        return self.folder / _weights(epoch)


def train_into(results: Path, setting: Setting, data: DataSet) -> Trained:
    """Train a network and store it; one that is there already is read.

    Args:
        results: The results folder; made if missing.
        setting: What to train.
        data: Its data set.

    Raises:
        SettingError: The data set and the setting do not go together, or part of a training lies in its place; nothing
            is left behind.
    """
    if (found := trained(results, setting)) is not None:
        return found
    home = results / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    _require_free(home / setting.id)
    with tempfile.TemporaryDirectory(dir=home, prefix=f".{setting.id}-") as typed:
        made = Path(typed, setting.id)
        made.mkdir()
        rows = []
        for state in train(setting, data):
            values = {each.name: getattr(state, each.name) for each in fields(EpochRow) if each.name != "params"}
            rows.append(EpochRow(**values, params=n_parameters(state.network)))
            if state.kept:
                save_file(state.network.state_dict(), made / _weights(state.epoch))
            os.utime(made)  # not silent, for `remove_leftovers`, where no state is kept for long
        schema = _SCHEMA.with_metadata({_SETTING: json.dumps(setting.content, sort_keys=True)})
        table = pa.Table.from_pylist([asdict(row) for row in rows], schema=schema)
        (made / _TABLE).write_bytes(parquet_of(table))
        with suppress(OSError):  # another process was faster, with the same numbers
            os.rename(made, home / setting.id)
    done = trained(results, setting)
    assert done is not None
    return done


def trained(results: Path, setting: Setting) -> Trained | None:
    """The training with a setting, if it has ended."""
    folder = results / FOLDER / setting.id
    return _read(folder) if (folder / _TABLE).exists() else None


def remove_leftovers(results: Path) -> None:
    """Remove what killed trainings left: nothing was written there for as long as no training of ours is silent."""
    for left in (results / FOLDER).glob(".*-*"):
        with suppress(OSError):  # another process has just put it in place
            if time.time() - max(path.stat().st_mtime for path in (left, *left.iterdir())) > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _require_free(folder: Path) -> None:
    """A training is put in place whole, so what has no table was copied or deleted in part."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _TABLE).exists():
        raise SettingError(
            f"{folder} is part of a training, without {_TABLE}. Copy it again whole, or remove it: the same command "
            "then trains it again."
        )


def _read(folder: Path) -> Trained:
    try:
        table = pq.read_table(folder / _TABLE)
        content = json.loads(table.schema.metadata[_SETTING])
        setting = Setting(**{**content, "widths": tuple(content["widths"])})
        return Trained(setting, folder, tuple(EpochRow(**row) for row in table.to_pylist()))
    except (OSError, pa.ArrowException, LookupError, TypeError, ValueError) as error:
        raise SettingError(
            f"{folder / _TABLE} cannot be read: {error}. Remove {folder}, and the same command trains it again."
        ) from error


def _weights(epoch: int) -> str:
    return f"epoch-{epoch:04d}.safetensors"
