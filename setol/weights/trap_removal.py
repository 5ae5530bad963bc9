"""Removal of correlation traps: components that stay when the entries are permuted.

A trap is an eigenvalue of the permuted matrix beyond the edge of its bulk (SETOL, arXiv 2507.17912, section 6). It
comes from the distribution of the entries, not from their correlations; the commonest cause is a mean beside which
the spread is small. WeightWatcher's SVDSharpness removes traps in the permuted matrix and puts the entries back;
here the edge is given, the permutation seeded, and the mean can be had without either.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.weights.eigensystem import RightEigensystem, keep_components, right_eigensystem
from setol.weights.gram import float64_row_chunks
from setol.weights.permutation import back_in_place, in_order, permutation_indices
from setol.weights.stack import check_stack, frobenius_squares, map_rows


@dataclass(frozen=True, slots=True)
class TrapRemoval:
    """Weights without the traps of one permutation.

    Attributes:
        matrices: The weights left, shape, dtype and device of those given.
        n_removed: Number of components removed from each matrix, shape (slices,).
        removed_sq: Sum of their eigenvalues, shape (slices,), raw scale: the squared Frobenius distance to the
            weights given, before rounding to their dtype.
    """

    matrices: torch.Tensor
    n_removed: NDArray[np.int64]
    removed_sq: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeanRemoval:
    """Weights whose entries average 0.

    Attributes:
        matrices: The weights left, shape, dtype and device of those given.
        mean: What was subtracted from every entry of each matrix, shape (slices,).
        removed_sq: N M mean^2, shape (slices,), raw scale: the one eigenvalue of the constant matrix removed.
    """

    matrices: torch.Tensor
    mean: NDArray[np.float64]
    removed_sq: NDArray[np.float64]


def remove_traps(
    matrices: torch.Tensor,
    edges: float | NDArray[np.float64],
    rng: np.random.Generator,
    *,
    edge_per_variance: float = 0.0,
) -> TrapRemoval | Reason:
    """Permute the entries of each matrix, remove the singular components beyond an edge, put the entries back.

    The edge belongs to the bulk of the permuted matrix: N var(W) (1 + sqrt(M/N))^2 in the raw scale, with room for
    the fluctuations of the largest eigenvalue. Huge entries widen the variance, and what is left without them has a
    lower edge; so components go until all that stay are within the edge of the variance of what they make together,
    in the directions that are left: M less those removed. Counted over all M, every removal would lower the edge of
    pure noise too, and empty a narrow matrix one component after the other. An eigenvalue at the edge stays.

    This holds of the same permutation, before rounding to the dtype. Where components went, the edge of the variance
    over all entries is lower by their share of M, and an eigenvalue may lie between the two; another permutation may
    have some beyond, near the edge as a rule.

    Memory: three copies in the dtype given, 8 bytes an entry for the order, four M x M float64 matrices
    a slice (M the shorter side), one row chunk.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; computed where they are, in float64.
        edges: Up to here eigenvalues always stay, raw scale, one for all matrices or one each, shape (slices,).
        rng: Where the permutation comes from: the same generator state gives the same on every device.
        edge_per_variance: Edge of noise of unit variance, raw scale: where times the variance of what is left it is
            above `edges`, it is the edge. At 0 `edges` alone are.

    Returns:
        What is left, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stack of real matrices, or the edges are negative, not finite, or not one for each.
    """
    check_stack(matrices)
    if not (np.isfinite(edge_per_variance) and edge_per_variance >= 0):
        raise SetolError(f"need a finite edge_per_variance of at least 0; got {edge_per_variance}.")
    edge = _edge_of_each(edges, matrices)
    order = permutation_indices(matrices, rng)
    permuted = in_order(matrices, order)
    tall = permuted if permuted.shape[1] >= permuted.shape[2] else permuted.mT
    system = right_eigensystem(tall)
    if isinstance(system, Reason):
        return system
    kept = _within_own_edge(tall, system, edge, edge_per_variance)
    left = keep_components(tall, system, kept)
    return TrapRemoval(
        matrices=back_in_place(left if tall is permuted else left.mT, order),
        n_removed=(~kept).sum(1).cpu().numpy(),
        removed_sq=torch.where(kept, 0.0, system.evals).sum(1).cpu().numpy(),
    )


def remove_mean(matrices: torch.Tensor) -> MeanRemoval | Reason:
    """Subtract from each matrix its mean entry, which takes away the trap a mean makes.

    A mean m of the entries is the rank-one matrix m 1 1^T with singular value |m| sqrt(N M): for a spread s it
    leaves the Marchenko-Pastur bulk where |m|/s > Q^(-1/4)/sqrt(M), Q = N/M (Baik, Ben Arous and Peche, Ann.
    Probab. 33, 2005), permuted or not.

    Memory: the result, and one row chunk.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; computed where they are, in float64.

    Returns:
        What is left, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stack of real matrices.
    """
    check_stack(matrices)
    if not bool(frobenius_squares(matrices).isfinite().all()):
        return Reason.NON_FINITE
    n_entries = matrices.shape[1] * matrices.shape[2]
    mean = torch.zeros(matrices.shape[0], dtype=torch.float64, device=matrices.device)
    for rows in float64_row_chunks(matrices, matrices.device):
        mean += rows.sum((1, 2)) / n_entries
    return MeanRemoval(
        matrices=map_rows(matrices, lambda rows: rows - mean[:, None, None]),
        mean=mean.cpu().numpy(),
        removed_sq=(n_entries * mean.square()).cpu().numpy(),
    )


def _within_own_edge(
    matrices: torch.Tensor, system: RightEigensystem, edges: torch.Tensor, edge_per_variance: float
) -> torch.Tensor:
    """Which components stay, boolean, shape (slices, M): all within the edge of the noise they make together.

    Without some components a matrix keeps the eigenvalues of the others, so nothing is decomposed again: each has a
    share of the squared entries, its eigenvalue, and one of the entries' sum, u_i^T 1 s_i v_i^T 1. Each round but the
    last takes a component at least: there are at most M + 1.
    """
    n_slices, n_rows, n_cols = matrices.shape
    column_sums = torch.zeros((n_slices, n_cols), dtype=torch.float64, device=matrices.device)
    for rows in float64_row_chunks(matrices, matrices.device):
        column_sums += rows.sum(1)
    entry_sums = (column_sums[:, None, :] @ system.vectors)[:, 0] * system.vectors.sum(1)
    kept = torch.ones_like(system.evals, dtype=torch.bool)
    while True:
        squares, sums = (torch.where(kept, part, 0.0).sum(1, keepdim=True) for part in (system.evals, entry_sums))
        directions = kept.sum(1, keepdim=True).clamp_min(1)
        variance = (squares - sums.square() / (n_rows * n_cols)) / (n_rows * directions)
        within = kept & (system.evals <= torch.maximum(edges, edge_per_variance * variance))
        if torch.equal(within, kept):
            return kept
        kept = within


def _edge_of_each(edges: float | NDArray[np.float64], matrices: torch.Tensor) -> torch.Tensor:
    """The edges as a column, shape (slices, 1), on the device of the matrices."""
    given = np.asarray(edges, dtype=np.float64)
    n_slices = matrices.shape[0]
    if given.shape not in ((), (n_slices,)):
        raise SetolError(f"need one edge, or one for each of the {n_slices} matrices; got shape {given.shape}.")
    if not np.all(np.isfinite(given) & (given >= 0)):
        raise SetolError(f"need finite edges of at least 0, raw scale; got {edges}.")
    return torch.from_numpy(np.broadcast_to(given, n_slices).copy())[:, None].to(matrices.device)
