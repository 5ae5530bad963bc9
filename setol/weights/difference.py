"""Spectra of what training changed: W - W_base, without ever holding the difference."""

import torch

from setol.reasons import Reason
from setol.weights.decomposition import Decomposition, decompose_chunks
from setol.weights.stack import check_pair, paired_row_chunks


def decompose_difference(matrices: torch.Tensor, base: torch.Tensor) -> Decomposition | Reason:
    """Squared singular values and entry statistics of W - W_base, as `decompose` gives them of W.

    The difference is taken in float64, row chunk by row chunk, so two bfloat16 checkpoints lose nothing.
    Memory: one M x M float64 matrix a slice (M the shorter side) and its work copy, one row chunk of each.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; computed where they are.
        base: What is subtracted, same shape, any real floating dtype and device.

    Returns:
        The decomposition, raw scale (all zeros where nothing changed), or `Reason.NON_FINITE` where entries of the
        difference are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stacks of real matrices, or of different shapes.
    """
    check_pair(matrices, base)
    if matrices.shape[1] < matrices.shape[2]:
        matrices, base = matrices.mT, base.mT
    changes = (rows - base_rows for rows, base_rows in paired_row_chunks(matrices, base))
    return decompose_chunks(changes, matrices.shape)
