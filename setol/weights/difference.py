"""Spectra of what training changed: W - W_base, without ever holding the difference."""

import torch

from setol.reasons import Reason
from setol.weights.decomposition import Decomposition, resolution
from setol.weights.entries import EntryAccumulator
from setol.weights.gram import GramAccumulator
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
    n_slices, n_rows, n_cols = matrices.shape
    gram = GramAccumulator(n_slices, n_cols, matrices.device)
    entries = EntryAccumulator(n_slices, matrices.device)
    for rows, base_rows in paired_row_chunks(matrices, base):
        change = rows - base_rows
        gram.add(change)
        entries.add(change)
    statistics = entries.statistics()
    if not statistics.finite:
        return Reason.NON_FINITE
    evals = gram.eigenvalues().numpy()
    resolved = evals > resolution(evals[:, -1:], n_rows)
    evals[~resolved] = 0.0
    return Decomposition(n_rows, n_cols, evals, resolved.sum(axis=1), statistics)
