"""How far two models of one architecture are apart, matrix by matrix."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from setol_zoo.opened_model import AnyModel, device_for, open_model

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from checkpoints.parts import Part, TensorLayout
    from setol.reasons import Reason


@dataclass(frozen=True, slots=True)
class MatrixDistance:
    """How far a matrix, or the taps of a kernel together, lies from that of the base.

    Attributes:
        tensor: Name of the tensor.
        layer: Its layer.
        part: Which piece of a fused tensor.
        kind: What the layer does with it.
        n_rows: N, the longer side.
        n_cols: M, the shorter side.
        n_slices: Taps; a matrix is one.
        distance: ||W - W_base||_F over all taps, raw scale.
        relative: The same over ||W_base||_F; None where the base is all zeros.
        cka: Uncentred linear CKA, mean over the taps: 1 for equal ones, free of scale; None where one is all zeros.
        reason: Why there is no distance.
    """

    tensor: str
    layer: str
    part: str | None
    kind: str
    n_rows: int | None = None
    n_cols: int | None = None
    n_slices: int | None = None
    distance: float | None = None
    relative: float | None = None
    cka: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Distances:
    """Distances of a model's matrices to those of a base.

    Attributes:
        name: Short name of the model.
        base: Short name of the base.
        matrices: A row a matrix, in the order of the model; one without a counterpart has a reason.
        only_in_base: Tensors with matrices that the base alone has, by their names there.
    """

    name: str
    base: str
    matrices: tuple[MatrixDistance, ...]
    only_in_base: tuple[str, ...]

    def to_pandas(self) -> "pd.DataFrame":
        """The matrices as a DataFrame."""
        import pandas as pd

        return pd.DataFrame([asdict(matrix) for matrix in self.matrices])


def distance(model: AnyModel, base: AnyModel, *, device: str | None = None) -> Distances:
    """Compare two models tensor by tensor under the same names; with initial weights as base, the way of training.

    Memory: one tensor of each, and three M x M float64 matrices for each of its taps.

    Args:
        model: A torch module, a state dict, a path, or a name that `setol analyze` takes.
        base: What it is compared with, the same.
        device: torch device of the products. By default where the weights are, or, for files, the GPU if there is
            one.

    Returns:
        Frobenius distances and CKA. Matrices in one of the two alone, or of another shape, are named.

    Raises:
        CatalogError: No model has such a name.
        CheckpointError: Weights cannot be had or read.
        OptionError: This machine has no such device.
        TypeError: A model is of a kind that cannot be read.
    """
    from checkpoints.base import base_of
    from checkpoints.layout import lay_out
    from checkpoints.matrices import matrix_stack, read_weight
    from checkpoints.names import without_wrappers
    from setol.reasons import Reason

    one, other = open_model(model), open_model(base)
    where = device_for(one, device)
    compared = base_of(other.checkpoint)
    rows = []
    for layout in lay_out(one.checkpoint.headers, one.facts):
        if not layout.parts:
            continue
        counterpart = compared.read(layout)
        if isinstance(counterpart, Reason):
            rows += [_row(layout, part, reason=counterpart) for part in layout.parts]
            continue
        tensor = read_weight(one.checkpoint, layout)
        for part in layout.parts:
            rows.append(_measured(layout, part, matrix_stack(tensor, part), matrix_stack(counterpart, part), where))
    here = {without_wrappers(header.name) for header in one.checkpoint.headers}
    there = lay_out(other.checkpoint.headers, other.facts)
    only_there = [each.header.name for each in there if each.parts and without_wrappers(each.header.name) not in here]
    return Distances(one.file.name, other.file.name, tuple(rows), tuple(only_there))


def _measured(
    layout: "TensorLayout", part: "Part", stack: "torch.Tensor", base: "torch.Tensor", device: str
) -> MatrixDistance:
    import numpy as np

    from setol.reasons import Reason
    from setol.weights.distance import centered_kernel_alignment, frobenius_distance
    from setol.weights.stack import frobenius_squares

    stack, base = stack.to(device), base.to(device)
    found, alignment = frobenius_distance(stack, base), centered_kernel_alignment(stack, base)
    if isinstance(found, Reason) or isinstance(alignment, Reason):
        return _row(layout, part, reason=Reason.NON_FINITE)
    n_slices, n_rows, n_cols = stack.shape
    absolute = float(np.linalg.norm(found.absolute))
    base_norm = float(frobenius_squares(base).sum().sqrt())
    aligned = alignment[~np.isnan(alignment)]
    return MatrixDistance(
        *(layout.header.name, layout.layer, part.part, part.kind.value, n_rows, n_cols, n_slices),
        distance=absolute,
        relative=absolute / base_norm if base_norm else None,
        cka=float(aligned.mean()) if len(aligned) else None,
    )


def _row(layout: "TensorLayout", part: "Part", *, reason: "Reason") -> MatrixDistance:
    return MatrixDistance(layout.header.name, layout.layer, part.part, part.kind.value, reason=reason.value)
