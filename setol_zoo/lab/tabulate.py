"""What an experiment found as two tables: networks by epoch, and their layers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from analysis.opening.results import Results
from setol_zoo.lab.catalog import model_of
from setol_zoo.lab.cut_errors import CutErrors
from setol_zoo.lab.data.examples import DataSet
from setol_zoo.lab.lab_tables import Tables
from setol_zoo.lab.trained import EpochRow, Trained
from setol_zoo.lab.training import count_used

_TEXTS, _FLOATS = pa.string(), pa.float64()
_ERRORS = ("train_loss", "train_error", "test_loss", "test_error")
_CUTS = tuple(f"{cut}_{part}_error" for cut in ("tail", "ecs") for part in ("train", "test"))

NETWORKS_SCHEMA = pa.schema(
    [
        *((name, _TEXTS) for name in ("training", "name", "group", "data", "architecture", "widths")),
        *(("batch_size", pa.int64()), ("learning_rate", _FLOATS), ("weight_decay", _FLOATS)),
        *(("label_noise", _FLOATS), ("data_share", _FLOATS), ("trained", _TEXTS), ("seed", pa.int64())),
        *(
            ("max_epochs", pa.int64()),
            ("patience", pa.int64()),
            ("min_drop", _FLOATS),
            ("held_out", _FLOATS),
            ("kept", _TEXTS),
        ),
        *(("params", pa.int64()), ("epoch", pa.int64()), ("last", pa.bool_()), ("end", _TEXTS)),
        *((name, _FLOATS) for name in _ERRORS),
        *(("n_train", pa.int64()), ("n_test", pa.int64())),
        *((name, _FLOATS) for name in _CUTS),
        ("weights_sha256", _TEXTS),
    ]
)

_NOT_OF_A_LAYER = ("model", "name", "family", "file", "weights_sha256", "config", "row")
"""Columns of the view `layers` that a training and an epoch stand for."""


def tables_of(
    trainings: Sequence[Trained],
    results: Results,
    keys: Mapping[str, str],
    cuts: Mapping[str, Sequence[CutErrors]],
    data: Mapping[str, DataSet],
) -> Tables:
    """A row a training and kept epoch, and a row for each of its layers.

    A training that diverged has a row for its last epoch too, with neither errors nor weights.

    Args:
        trainings: Those that are told of, in this order.
        results: Metrics of their states; what has none is missing from `layers`.
        keys: What the results know some models by, where that is not the key of the catalog.
        cuts: Errors after truncation, by training.
        data: Their data sets by name.
    """
    told = [(training, row) for training in trainings for row in training.epochs if row.kept or row.end]
    models = [keys.get(model, model) for training, row in told for model in [model_of(training, row.epoch)]]
    known = results.rows("SELECT DISTINCT model, weights_sha256 FROM layers")
    hashes = {row["model"]: row["weights_sha256"] for row in known}
    errors = {(training, each.epoch): each for training, rows in cuts.items() for each in rows}
    networks = [
        _network(training, row, hashes.get(model), errors, data[training.setting.data])
        for (training, row), model in zip(told, models, strict=True)
    ]
    states = pa.table(
        {
            "model": models,
            "training": [training.setting.id for training, _ in told],
            "epoch": pa.array([row.epoch for _, row in told], pa.int64()),
            "place": pa.array(range(len(told)), pa.int64()),
        }
    )
    layers = results.sql("SELECT * FROM layers")
    joined = layers.join(states, "model", join_type="inner").sort_by([("place", "ascending"), ("row", "ascending")])
    columns = [name for name in layers.column_names if name not in _NOT_OF_A_LAYER]
    return Tables(pa.Table.from_pylist(networks, NETWORKS_SCHEMA), joined.select(["training", "epoch", *columns]))


def _network(
    training: Trained,
    row: EpochRow,
    weights_sha256: str | None,
    errors: Mapping[tuple[str, int], CutErrors],
    data: DataSet,
) -> dict[str, Any]:
    setting, last = training.setting, training.epochs[-1]
    cut = errors.get((setting.id, row.epoch))
    return {
        **setting.content,
        "training": setting.id,
        "name": setting.name,
        "group": setting.group,
        "widths": "-".join(map(str, setting.widths)),
        "params": row.params,
        "epoch": row.epoch,
        "last": row.epoch == last.epoch,
        "end": row.end,
        **{name: getattr(row, name) for name in _ERRORS},
        "n_train": count_used(setting, data),
        "n_test": len(data.test),
        **({name: value for name, value in asdict(cut).items() if name in _CUTS} if cut else {}),
        "weights_sha256": weights_sha256,
    }
