"""Squared singular values of weight matrices, through the Gram matrix of the smaller side.

With W of shape N x M and N >= M, the eigenvalues of X = W^T W are the squared singular values (SETOL,
arXiv 2507.17912, section 2, without its factor 1/N). The price of this fast way is resolution: a
float64 Gram matrix knows eigenvalues down to max(N, M) 2^-52 times the largest; what lies below is
set to exact zero.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from setol.reasons import Reason
from setol.weights.entries import CACHED_ENTRIES, EntryAccumulator, EntryStatistics, statistics_of_each
from setol.weights.gram import GramAccumulator, float64_row_chunks, lies_by_columns
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
        return Decomposition(self.n_rows, self.n_cols, self.evals[slices], self.rank[slices], self.entries.part(slices))


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
    """What `decompose` gives of each of several stacks; small ones of one shape share their calls.

    Statistics of entries are the same to the last bit. So are eigenvalues with one thread, if there are two columns
    or more; BLAS cuts the products of few long columns among several threads, which moves their last digits.

    Memory: the M x M float64 matrices of all slices of all stacks at once, beside what `decompose` takes.

    Args:
        stacks: Shapes (slices, rows, columns), any real floating dtype.
        device: Where the products and the eigenvalues are computed.

    Returns:
        A decomposition, or `Reason.NON_FINITE`, for each in the order given.

    Raises:
        SetolError: One is no stack of real matrices.
    """
    upright = [_upright(stack) for stack in stacks]
    batches = _small_together(upright)
    wholes = _solved([_products(_joined([upright[index] for index in batch]), device) for batch in batches])
    found: dict[int, Decomposition | Reason] = {}
    for batch, whole in zip(batches, wholes, strict=True):
        alone = [upright[index] for index in batch]
        found.update(zip(batch, apart(whole, alone, lambda stack: decompose(stack, device=device)), strict=True))
    return [found[index] for index in range(len(upright))]


def apart(
    whole: Decomposition | Reason,
    stacks: Sequence[torch.Tensor],
    compute: Callable[[torch.Tensor], Decomposition | Reason],
) -> list[Decomposition | Reason]:
    """What was found of stacks together, for each of them.

    Args:
        whole: The decomposition of all their matrices, or why there is none.
        stacks: The stacks, in the order in which they were put together.
        compute: How each alone is decomposed, where there is none of all: of which stack that holds it does not say.
    """
    if len(stacks) == 1:
        return [whole]
    if isinstance(whole, Reason):
        return [compute(stack) for stack in stacks]
    stops = itertools.accumulate(map(len, stacks), initial=0)
    return [whole.part(slice(start, stop)) for start, stop in itertools.pairwise(stops)]


def decompose_chunks(chunks: Iterable[torch.Tensor], shape: Sequence[int]) -> Decomposition | Reason:
    """Squared singular values and entry statistics of a stack that is seen only row chunk by row chunk.

    Memory: one M x M float64 matrix a slice and its work copy, beside the chunks.

    Args:
        chunks: All rows in order, float64, each contiguous by rows or by columns; computed where they are.
        shape: Of the whole stack, (slices, N, M) with N >= M.

    Returns:
        The decomposition, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.
    """
    entries = EntryAccumulator()

    def visited(rows: torch.Tensor) -> torch.Tensor:
        entries.add(rows)
        return rows

    (found,) = _solved([_products_of_chunks(map(visited, chunks), entries, shape)])
    return found


@dataclass(frozen=True, slots=True)
class _Products:
    """What the rows of a stack add up to, and all that its decomposition takes.

    Attributes:
        shape: Of the stack, (slices, N, M).
        gram: Products of its columns.
        entries: Sums over its entries.
    """

    shape: Sequence[int]
    gram: GramAccumulator
    entries: EntryAccumulator


def _upright(matrices: torch.Tensor) -> torch.Tensor:
    check_stack(matrices)
    return matrices.mT if matrices.shape[1] < matrices.shape[2] else matrices


def _small_together(stacks: Sequence[torch.Tensor]) -> list[list[int]]:
    """Indices of the stacks, those of one shape and order in memory together as far as a core's cache holds them.

    None of these is cut, neither its rows nor its columns nor its sums: with one thread each keeps its bits.
    """
    batches: list[list[int]] = []
    latest: dict[tuple[Any, ...], tuple[list[int], int]] = {}
    for index, stack in enumerate(stacks):
        key = (stack.shape[1:], stack.dtype, stack.device, lies_by_columns(stack))
        batch, entries = latest.get(key, ([], CACHED_ENTRIES))
        if entries + stack.numel() > CACHED_ENTRIES:
            batch, entries = [], 0
            batches.append(batch)
        batch.append(index)
        latest[key] = batch, entries + stack.numel()
    return batches


def _joined(stacks: Sequence[torch.Tensor]) -> torch.Tensor:
    if len(stacks) == 1:
        return stacks[0]
    return torch.cat([stack.mT for stack in stacks]).mT if lies_by_columns(stacks[0]) else torch.cat(list(stacks))


def _products(matrices: torch.Tensor, device: torch.device | str) -> _Products:
    entries = EntryAccumulator()
    return _products_of_chunks(float64_row_chunks(matrices, device, entries.add), entries, matrices.shape)


def _products_of_chunks(chunks: Iterable[torch.Tensor], entries: EntryAccumulator, shape: Sequence[int]) -> _Products:
    """Add up the products of chunks; whoever yields a chunk has taken in its entries."""
    gram = GramAccumulator()
    for rows in chunks:
        gram.add(rows)
    return _Products(shape, gram, entries)


def _solved(products: Sequence[_Products]) -> list[Decomposition | Reason]:
    """The decompositions of several stacks, one kind of work after the other.

    The solver drives all else out of a core's cache: products and statistics that come between two of its calls take
    twice as long.
    """
    finite = [each.entries.finite for each in products]
    solvable = list(itertools.compress(products, finite))
    evals = [each.gram.eigenvalues().numpy() for each in solvable]
    statistics = statistics_of_each([each.entries for each in solvable])
    found = map(_decomposition, solvable, evals, statistics)
    return [next(found) if solved else Reason.NON_FINITE for solved in finite]


def _decomposition(products: _Products, evals: NDArray[np.float64], entries: EntryStatistics) -> Decomposition:
    _, n_rows, n_cols = products.shape
    resolved = evals > resolution(evals[:, -1:], n_rows)
    evals[~resolved] = 0.0
    return Decomposition(n_rows, n_cols, evals, resolved.sum(axis=1), entries)


def resolution(lambda_max: NDArray[np.float64], n_rows: int) -> NDArray[np.float64]:
    """Smallest eigenvalue a float64 Gram matrix resolves: max(N, M) 2^-52 lambda_max, in the scale given.

    Args:
        lambda_max: Largest eigenvalue of each matrix; rounding may have left it below 0.
        n_rows: The longer side N of the matrices.
    """
    return np.maximum(n_rows * 2.0**-52 * lambda_max, 0.0)
