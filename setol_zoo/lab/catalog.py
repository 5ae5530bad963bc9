"""Trained networks as a catalog: every kept state of a training is a model, with its measured errors as scores."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from catalogs import Catalog, Score, WeightFile
from setol_zoo.lab.data.examples import DataSet
from setol_zoo.lab.trained import FOLDER, EpochRow, Trained
from setol_zoo.lab.training import DIVERGED, count_used


def catalog_of(name: str, trainings: Sequence[Trained], data: Mapping[str, DataSet]) -> Catalog:
    """The kept states of some trainings.

    States of one training are no independent observations. So only the last one of a training that ended well has
    primary scores, which are what models are compared by; the errors of the others are there, and not primary.

    Args:
        name: Of the catalog.
        trainings: Those that are in it.
        data: Their data sets by name.
    """
    kept = [(training, row) for training in trainings for row in training.epochs if row.kept]
    ids = " ".join(training.setting.id for training in trainings)
    return Catalog(
        name,
        hashlib.sha256(ids.encode()).hexdigest()[:12],
        tuple(_file(training, row) for training, row in kept),
        tuple(score for training, row in kept for score in _scores(training, row, data[training.setting.data])),
    )


def model_of(training: Trained, epoch: int) -> str:
    """The key of the state of a training after an epoch: its path in the results folder."""
    return f"path:{PurePosixPath(FOLDER.as_posix(), training.setting.id, training.weights(epoch).name)}"


def last_kept(training: Trained) -> int | None:
    """The epoch whose state stands for the training; None if it diverged."""
    last = training.epochs[-1]
    return last.epoch if last.kept and last.end != DIVERGED else None


def _file(training: Trained, row: EpochRow) -> WeightFile:
    setting = training.setting
    end = training.epochs[-1]
    return WeightFile(
        model=model_of(training, row.epoch),
        name=f"{setting.name} epoch{row.epoch}",
        file=str(training.weights(row.epoch)),
        family=setting.group,
        architecture=setting.network,
        pretrain="none",
        recipe=setting.recipe,
        params=row.params,
        notes=f"training {setting.id}: epoch {row.epoch} of {end.epoch}, {end.end}",
    )


def _scores(training: Trained, row: EpochRow, data: DataSet) -> Iterable[Score]:
    primary = row.epoch == last_kept(training)
    measured = (
        ("test", row.test_error, len(data.test), primary),
        ("train", row.train_error, count_used(training.setting, data), False),
    )
    for split, value, n_examples, stands in measured:
        if value is not None:
            yield Score(
                model=model_of(training, row.epoch),
                dataset=data.name,
                split=split,
                metric="error",
                value=value,
                unit="fraction",
                higher_is_better=False,
                n_test=n_examples,
                primary=stands,
                provenance=f"training {training.setting.id}, epoch {row.epoch}",
            )
