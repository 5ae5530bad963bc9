"""Truncation of a trained network: what it errs when every layer keeps its power-law tail, or its ECS, alone.

The experiment of SETOL (arXiv 2507.17912, section 6.3). All matrices are cut at once, but for the output layer, whose
few eigenvalues have no tail, and layers that were not trained. Both cuts are of the same layers, those with a tail:
one without a fit stays whole in both, so that the two errors can be compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from catalogs import WeightFile
from checkpoints.open import open_checkpoint
from checkpoints.parts import NO_FACTS
from pipeline.decomposition.spectra import spectra_table
from pipeline.measurement.metrics import layers_table
from pipeline.options import MetricOptions
from setol_zoo.edit import Walk
from setol_zoo.lab.data.examples import DataSet
from setol_zoo.lab.networks import build, errors
from setol_zoo.lab.setting import Setting
from setol_zoo.lab.training import tensors_of, training_examples
from setol_zoo.opened_model import OpenedModel
from setol_zoo.truncate import TO, Truncated, Truncation, planned_cuts

OUTPUT = "out"
"""The layer that is never cut."""

OPTIONS = MetricOptions(detail="basic")
"""Where the tail begins by default: as in a results folder that was made with no options."""


@dataclass(frozen=True, slots=True)
class TruncatedErrors:
    """Errors of what one cut leaves of a network.

    Attributes:
        train_error: Share of the training examples that it gets wrong, by the labels it was trained on.
        test_error: Of the test examples.
        changes: A row a matrix, those that stay whole with the reason.
    """

    train_error: float
    test_error: float
    changes: tuple[Truncated, ...]


def truncated_errors(
    file: Path, setting: Setting, data: DataSet, options: MetricOptions = OPTIONS
) -> Mapping[str, TruncatedErrors]:
    """Cut a checkpoint both ways, and count the errors of what is left.

    Components with s >= sqrt(lambda_min) stay, lambda_min being that of the metrics of the same options. Takes the
    time of two passes over the examples and of three decompositions a layer.

    Args:
        file: A checkpoint of the network, as safetensors.
        setting: How it was trained.
        data: What on.
        options: How the metrics are computed.

    Returns:
        By `tail` and `ecs`; empty where no layer that was trained has a tail.

    Raises:
        CheckpointError: The file cannot be read.
    """
    cuts = truncated_weights(file, options, trained=setting.trained)
    if not cuts:
        return {}
    network = build(setting, data.train.images.shape[1:], data.n_classes, torch.Generator())
    parts = training_examples(setting, data), tensors_of(data.test)
    found = {}
    for to, (weights, changes) in cuts.items():
        network.load_state_dict(weights)
        train_error, test_error = (errors(network, part.inputs, part.labels)[1] for part in parts)
        found[to] = TruncatedErrors(train_error, test_error, changes)
    return found


def truncated_weights(
    file: Path, options: MetricOptions = OPTIONS, *, trained: str = "all"
) -> dict[str, tuple[dict[str, torch.Tensor], tuple[Truncated, ...]]]:
    """The weights that each cut leaves, by `tail` and `ecs`, with a row a matrix; empty where no layer has a tail.

    Args:
        file: A checkpoint, as safetensors.
        options: How the metrics are computed.
        trained: Which layers learned: `all`, or the name of one.

    Raises:
        CheckpointError: The file cannot be read.
    """
    checkpoint = open_checkpoint(file)
    opened = OpenedModel(WeightFile(model=file.stem, name=file.stem, file=file.name), checkpoint, NO_FACTS, (file,))
    spectra = spectra_table(opened.file, checkpoint, "cpu")
    layers = layers_table(spectra, options, config="")
    whole = {row["layer"]: _why_whole(row, trained) for row in layers.to_pylist()}
    found = {}
    for to in TO if None in whole.values() else ():
        planned = {
            place: [_left_whole(row, why) if (why := whole[row.layer]) else row for row in rows]
            for place, rows in planned_cuts(spectra, layers, to).items()
        }
        walk = Walk(opened, Truncation(planned, "cpu"))
        found[to] = ({header.name: walk.read(header.name) for header in checkpoint.headers}, walk.rows)
    return found


def _why_whole(row: dict[str, Any], trained: str) -> str | None:
    """Why a layer is not cut, by its row of metrics; None where it is."""
    if row["layer"] == OUTPUT:
        return "output_layer"
    if trained not in ("all", row["layer"]):
        return "not_trained"
    reason: str | None = row["reason"]
    return reason


def _left_whole(row: Truncated, why: str) -> Truncated:
    return replace(row, n_kept=row.n_evals, lambda_min=None, reason=why)
