"""Low-rank updates scale * B A of an adapter file: their scales, and their two factors as stacks of matrices."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from catalogs import WeightFile
from checkpoints.adapters import alpha_beside, scaling_told
from checkpoints.layout import FLOATS
from checkpoints.parts import TensorLayout
from checkpoints.tensors import Checkpoint
from setol.reasons import Reason
from setol.weights.decomposition import Decomposition
from setol.weights.low_rank import decompose_update


def scale_of(file: WeightFile, checkpoint: Checkpoint, layout: TensorLayout) -> float | None:
    """Factor on the product of two factors, alpha / r or alpha / sqrt(r); None where nothing tells it.

    Args:
        file: The catalog row, whose layout has what an adapter_config.json says.
        checkpoint: The tensors; an `alpha` among them comes before that.
        layout: Of the left factor.
    """
    rank = layout.header.shape[1]
    alpha = alpha_beside(layout)
    if any(header.name == alpha and header.n_params == 1 for header in checkpoint.headers):
        return float(checkpoint.read(str(alpha))) / rank
    scaling = scaling_told(file.layout)
    return None if scaling is None else scaling.of(layout.layer, rank)


def with_scales_told(
    file: WeightFile, checkpoint: Checkpoint, layouts: Sequence[TensorLayout]
) -> tuple[TensorLayout, ...]:
    """The layouts of a file, right factors of unknown scale with the reason that says so."""
    unscaled = {each.right for each in layouts if each.right and scale_of(file, checkpoint, each) is None}
    return tuple(
        replace(layout, reason=Reason.FACTOR_UNSCALED) if layout.header.name in unscaled else layout
        for layout in layouts
    )


def factors_of(checkpoint: Checkpoint, layout: TensorLayout) -> tuple[torch.Tensor, torch.Tensor] | Reason:
    """Both factors of an update.

    Args:
        checkpoint: The tensors.
        layout: Of the left factor.

    Returns:
        B of shape (taps, outputs, r) and A of shape (taps, r, inputs), the taps those of a kernel; or why not.
    """
    assert layout.right is not None, "no update"
    left, right = checkpoint.read(layout.header.name), checkpoint.read(layout.right)
    if any(str(factor.dtype).removeprefix("torch.") not in FLOATS for factor in (left, right)):
        return Reason.DTYPE
    taps = right.reshape(*right.shape[:2], -1).permute(2, 0, 1)
    return left.reshape(1, *left.shape[:2]).expand(len(taps), -1, -1), taps


def decompose_factors(
    factors: tuple[torch.Tensor, torch.Tensor], scale: float | None, device: str
) -> Decomposition | Reason:
    """Spectrum and entry statistics of a product; a scale that nobody knows is 1."""
    left, right = factors
    return decompose_update(left.to(device), right, scale=1.0 if scale is None else scale)
