"""How far apart two checkpoints of one architecture are, matrix by matrix, in row chunks."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from setol.reasons import Reason
from setol.weights.stack import check_pair, frobenius_squares, paired_row_chunks


@dataclass(frozen=True, slots=True)
class FrobeniusDistance:
    """Distance of matrices to those of a base, entry by entry; every field has shape (slices,).

    Attributes:
        absolute: ||W - W_base||_F, raw scale (entries as given, no 1/N).
        relative: The same over ||W_base||_F, free of a scale common to both; NaN where the base is all zeros.
    """

    absolute: NDArray[np.float64]
    relative: NDArray[np.float64]


def frobenius_distance(matrices: torch.Tensor, base: torch.Tensor) -> FrobeniusDistance | Reason:
    """||W - W_base||_F of each matrix of a stack; with initial weights as base, the distance from initialization.

    The difference is taken in float64 whatever the two dtypes. Memory: one row chunk of each.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; computed where they are.
        base: What they are compared with, same shape, any real floating dtype and device.

    Returns:
        The distances, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stacks of real matrices, or of different shapes.
    """
    check_pair(matrices, base)
    base_sq = frobenius_squares(base).to(matrices.device)
    distance_sq = torch.zeros_like(base_sq)
    for rows, base_rows in paired_row_chunks(matrices, base):
        distance_sq += (rows - base_rows).square().sum((1, 2))
    if not bool((base_sq + distance_sq).isfinite().all()):
        return Reason.NON_FINITE
    absolute, base_norm = distance_sq.sqrt().cpu().numpy(), base_sq.sqrt().cpu().numpy()
    relative = np.divide(absolute, base_norm, out=np.full_like(absolute, np.nan), where=base_norm > 0)
    return FrobeniusDistance(absolute, relative)


def centered_kernel_alignment(matrices: torch.Tensor, base: torch.Tensor) -> NDArray[np.float64] | Reason:
    """Uncentred linear CKA of each pair of matrices, ||W_1^T W_2||_F^2 / (||W_1^T W_1||_F ||W_2^T W_2||_F).

    Kornblith, Norouzi, Lee and Hinton, ICML 2019 (arXiv 1905.00414), section 3, without the centring of the
    columns. In [0, 1]; 1 for matrices equal up to a factor and a rotation of their columns; free of scale. The
    square root of it is what WeightWatcher reports as `cka`.

    The products run over the longer side of a matrix (over the rows of a square one), as in X = W^T W.
    Memory: three M x M float64 matrices a slice (M the shorter side), one row chunk of each.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; computed where they are, in float64.
        base: What they are compared with, same shape, any real floating dtype and device.

    Returns:
        Shape (slices,), NaN where one of the two is all zeros; or `Reason.NON_FINITE` where entries are NaN,
        infinite, or too large to square.

    Raises:
        SetolError: No stacks of real matrices, or of different shapes.
    """
    check_pair(matrices, base)
    if matrices.shape[1] < matrices.shape[2]:
        matrices, base = matrices.mT, base.mT
    n_slices, _, n_cols = matrices.shape
    grams = torch.zeros((3, n_slices, n_cols, n_cols), dtype=torch.float64, device=matrices.device)
    for rows, base_rows in paired_row_chunks(matrices, base):
        grams[0].baddbmm_(rows.mT, base_rows)
        grams[1].baddbmm_(rows.mT, rows)
        grams[2].baddbmm_(base_rows.mT, base_rows)
    if not bool(grams.isfinite().all()):
        return Reason.NON_FINITE
    largest = grams.abs().amax((2, 3), keepdim=True)
    norms = largest[..., 0, 0] * torch.linalg.matrix_norm(grams / torch.where(largest > 0, largest, 1.0))
    cross, own, base_own = norms.cpu().numpy()
    aligned = (own > 0) & (base_own > 0)
    alignment = np.full(n_slices, np.nan)
    alignment[aligned] = (cross[aligned] / own[aligned]) * (cross[aligned] / base_own[aligned])
    return alignment
