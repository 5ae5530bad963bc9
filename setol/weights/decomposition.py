"""Squared singular values of weight matrices, through the Gram matrix of the smaller side.

With W of shape N x M and N >= M, the eigenvalues of X = W^T W are the squared singular values (SETOL,
arXiv 2507.17912, section 2, without its factor 1/N). The price of this fast way is resolution: a
float64 Gram matrix knows eigenvalues down to max(N, M) 2^-52 times the largest; what lies below is
set to exact zero.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from setol.reasons import Reason
from setol.weights.entries import EntryAccumulator, EntryStatistics, statistics_of_each
from setol.weights.gram import GramAccumulator, float64_row_chunks
from setol.weights.stack import check_stack


@dataclass(frozen=True, slots=True)
class Decomposition:
    """What is kept of a stack of matrices of one shape.

    Attributes:
        n_rows: N, the longer side.
        n_cols: M, the shorter side.
        evals: Squared singular values, shape (slices, M), ascending in each row, raw scale (no 1/N).
        rank: Number of eigenvalues above the resolution, shape (slices,).
        entries: Statistics of the entries of each matrix.
    """

    n_rows: int
    n_cols: int
    evals: NDArray[np.float64]
    rank: NDArray[np.int64]
    entries: EntryStatistics

    def part(self, slices: slice) -> "Decomposition":
        """What is kept of some of the matrices."""
        entries = EntryStatistics(*(getattr(self.entries, field.name)[slices] for field in fields(EntryStatistics)))
        return Decomposition(self.n_rows, self.n_cols, self.evals[slices], self.rank[slices], entries)


def decompose(matrices: torch.Tensor, *, device: torch.device | str = "cpu") -> Decomposition | Reason:
    """Squared singular values and entry statistics of a stack of matrices, in float64.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; the longer of rows and columns
            is taken as N. Neither a transpose nor a float64 copy of the whole is made.
        device: Where the products and the eigenvalues are computed.

    Returns:
        The decomposition, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stack of real matrices.
    """
    (found,) = decompose_each([matrices], device=device)
    return found


def decompose_each(
    stacks: Iterable[torch.Tensor], *, device: torch.device | str = "cpu"
) -> list[Decomposition | Reason]:
    """What `decompose` gives of each of several stacks, bit for bit; many small ones take less time together.

    Args:
        stacks: Shapes (slices, rows, columns), any real floating dtype.
        device: Where the products and the eigenvalues are computed.

    Returns:
        A decomposition, or `Reason.NON_FINITE`, for each in the order given.

    Raises:
        SetolError: One is no stack of real matrices.
    """
    return _with_statistics([_solve(stack, device) for stack in stacks])


def decompose_chunks(
    chunks: Iterable[torch.Tensor], shape: Sequence[int], device: torch.device | str
) -> Decomposition | Reason:
    """Squared singular values and entry statistics of a stack that is seen only row chunk by row chunk.

    Memory: one M x M float64 matrix a slice and its work copy, beside the chunks.

    Args:
        chunks: All rows in order, float64, on the device; each contiguous by rows or by columns.
        shape: Of the whole stack, (slices, N, M) with N >= M.
        device: Where the products and the eigenvalues are computed.

    Returns:
        The decomposition, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.
    """
    (found,) = _with_statistics([_solve_chunks(chunks, shape, device)])
    return found


@dataclass(frozen=True, slots=True)
class _Solved:
    """A decomposition whose statistics are still power sums."""

    n_rows: int
    n_cols: int
    evals: NDArray[np.float64]
    rank: NDArray[np.int64]
    entries: EntryAccumulator


def _solve(matrices: torch.Tensor, device: torch.device | str) -> _Solved | Reason:
    check_stack(matrices)
    if matrices.shape[1] < matrices.shape[2]:
        matrices = matrices.mT
    return _solve_chunks(float64_row_chunks(matrices, device), matrices.shape, device)


def _solve_chunks(chunks: Iterable[torch.Tensor], shape: Sequence[int], device: torch.device | str) -> _Solved | Reason:
    n_slices, n_rows, n_cols = shape
    gram = GramAccumulator(n_slices, n_cols, device)
    entries = EntryAccumulator(n_slices, device)
    for rows in chunks:
        gram.add(rows)
        entries.add(rows)
    if not entries.finite:
        return Reason.NON_FINITE
    evals = gram.eigenvalues().numpy()
    resolved = evals > resolution(evals[:, -1:], n_rows)
    evals[~resolved] = 0.0
    return _Solved(n_rows, n_cols, evals, resolved.sum(axis=1), entries)


def _with_statistics(found: Sequence[_Solved | Reason]) -> list[Decomposition | Reason]:
    statistics = iter(statistics_of_each([each.entries for each in found if isinstance(each, _Solved)]))
    return [
        each
        if isinstance(each, Reason)
        else Decomposition(each.n_rows, each.n_cols, each.evals, each.rank, next(statistics))
        for each in found
    ]


def resolution(lambda_max: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Smallest eigenvalue a float64 Gram matrix resolves: max(N, M) 2^-52 lambda_max, in the scale given.

    Args:
        lambda_max: Largest eigenvalue of each matrix; rounding may have left it below 0.
        n_rows: The longer side N of the matrices.
    """
    return np.maximum(n_rows * 2.0**-52 * lambda_max, 0.0)
