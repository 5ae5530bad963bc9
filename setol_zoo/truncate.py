"""Truncation: a model whose matrices keep only the singular components of their tail, or of their ECS."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setol_zoo.edit import Edited, open_for_edit, write_edited
from setol_zoo.opened_model import AnyModel, OpenedModel, device_for

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from checkpoints.parts import Part, TensorLayout
    from pipeline.options import MetricOptions
    from setol.reasons import Reason

TO = ("tail", "ecs")


@dataclass(frozen=True, slots=True)
class Truncated:
    """What truncation did to one matrix, or to the taps of one kernel together.

    Attributes:
        tensor: Name of the tensor.
        layer: Its layer.
        part: Which piece of a fused tensor.
        tap: Which tap, where the options take them apart.
        kind: What the layer does with it.
        n_evals: Singular components of all taps.
        n_kept: How many of them are left.
        lambda_min: Square of the smallest singular value that may stay, raw scale; None where nothing was done.
        removed_share: Share of the squared Frobenius norm that is gone.
        reason: Why the matrix stays as it was.
    """

    tensor: str
    layer: str
    part: str | None
    tap: int | None
    kind: str
    n_evals: int
    n_kept: int
    lambda_min: float | None = None
    removed_share: float = 0.0
    reason: str | None = None


def truncate(
    model: AnyModel,
    out: str | Path,
    *,
    to: str = "tail",
    preset: str = "default",
    min_evals: int | None = None,
    device: str | None = None,
    force: bool = False,
) -> Edited:
    """Write a model of which every matrix keeps only the singular components of its tail, or of its ECS.

    Components with s >= sqrt(lambda_min) stay, lambda_min being where the layer's tail begins by the metrics with the
    same options, or its effective correlation space. The taps of a pooled kernel have one threshold, and each is
    truncated by itself. All other tensors are copied, numbers and formats as they are. Memory: three copies of the
    largest tensor, four M x M float64 matrices for each of its taps, and the spectra of the model.

    Args:
        model: A torch module, a state dict, a path, or a name that `setol analyze` takes.
        out: The file to write, `.safetensors`.
        to: `tail`, the power-law tail; `ecs`, the effective correlation space of SETOL.
        preset: Metric options by name.
        min_evals: Fewest eigenvalues for a tail fit; overrides the preset.
        device: torch device of the decompositions. By default where the weights are, or, for files, the GPU if
            there is one.
        force: Whether a file that is there may be replaced.

    Returns:
        What was kept: a `Truncated` a matrix. One without a tail stays as it was, and its row has the reason.

    Raises:
        CatalogError: No model has that name.
        CheckpointError: The weights cannot be had, read, or written where they should be.
        OptionError: An option is unknown or out of range, or this machine has no such device.
        TypeError: The model is of a kind that cannot be read.
    """
    from catalogs import unknown_name
    from pipeline.errors import OptionError
    from pipeline.options import preset as metric_options

    if to not in TO:
        raise OptionError(unknown_name("truncation", to, TO))
    options = metric_options(preset, min_evals=min_evals, detail="basic")
    opened = open_for_edit(model, Path(out), force=force)
    where = device_for(opened, device)
    return write_edited(opened, Truncation(_plan(opened, to, options, where), where), Path(out), force=force)


@dataclass(frozen=True, slots=True)
class Truncation:
    """The thresholds of every part, as rows that nothing was done for yet.

    Attributes:
        planned: By tensor and part, a row a matrix; one without a `lambda_min` stays as it is.
        device: torch device of the decompositions.
    """

    planned: Mapping[tuple[str, str | None], Sequence[Truncated]]
    device: str

    def change(
        self, stack: "torch.Tensor", layout: "TensorLayout", part: "Part", _: int
    ) -> "tuple[torch.Tensor, list[Truncated]]":
        """The matrices of one part cut as planned, and a row on each."""
        from setol.reasons import Reason
        from setol.weights.stack import frobenius_squares
        from setol.weights.truncation import truncate as truncated

        result, rows = stack, []
        for plan in self.planned.get((layout.header.name, part.part), ()):
            if plan.lambda_min is None:
                rows.append(plan)
                continue
            taps = slice(None) if plan.tap is None else slice(plan.tap, plan.tap + 1)
            found = truncated(stack[taps].to(self.device), plan.lambda_min)
            assert not isinstance(found, Reason), "a stack with a spectrum is finite"
            if result is stack:
                result = stack.clone()
            result[taps] = found.matrices.to(stack.device)
            share = float(found.error_sq.sum()) / float(frobenius_squares(stack[taps]).sum())
            rows.append(replace(plan, n_kept=int(found.n_kept.sum()), removed_share=share))
        return result, rows or [self.left(layout, part, Reason.NON_FINITE)]

    def left(self, layout: "TensorLayout", part: "Part", reason: "Reason") -> Truncated:
        """The row on a part that stays as it is."""
        planned = self.planned.get((layout.header.name, part.part), ())
        n_evals = sum(plan.n_evals for plan in planned)
        kind = part.kind.value
        return Truncated(layout.header.name, layout.layer, part.part, None, kind, n_evals, n_evals, reason=reason.value)


def _plan(
    model: OpenedModel, to: str, options: "MetricOptions", device: str
) -> dict[tuple[str, str | None], list[Truncated]]:
    """What shall be kept of every matrix, from the same spectra and metrics that `analyze` shows."""
    from pipeline.decomposition.spectra import spectra_table
    from pipeline.measurement.metrics import layers_table

    spectra = spectra_table(model.file, model.checkpoint, device, model.facts)
    return planned_cuts(spectra, layers_table(spectra, options, config=""), to)


def planned_cuts(spectra: "pa.Table", layers: "pa.Table", to: str) -> dict[tuple[str, str | None], list[Truncated]]:
    """Where every matrix is cut, by tensor and part.

    Args:
        spectra: Rows of `pipeline.store.records.SPECTRA_SCHEMA`.
        layers: Their metrics.
        to: One of `TO`.
    """
    rows = defaultdict(list)
    for row in layers.to_pylist():
        threshold = _tail(row) if to == "tail" else _ecs(row, spectra["evals"][row["row"]].values.to_numpy())
        rows[row["tensor"], row["part"]].append(
            Truncated(
                **{name: row[name] for name in ("tensor", "layer", "part", "tap", "kind", "n_evals")},
                n_kept=row["n_evals"],
                lambda_min=threshold,
                reason=row["reason"] if threshold is None else None,
            )
        )
    return rows


def _tail(row: dict[str, Any]) -> float | None:
    """Where the tail of a row of metrics begins, raw scale."""
    return None if row["lambda_min"] is None else row["lambda_min"] / row["evals_factor"]


def _ecs(row: dict[str, Any], evals: Any) -> float | None:
    """The smallest eigenvalue of the ECS of a row of metrics, raw scale."""
    import numpy as np

    if row["erg_n"] is None:
        return None
    own = evals if row["tap"] is None else evals.reshape(-1, row["n_cols"])[row["tap"]]
    return float(np.sort(own)[-row["erg_n"]])
