"""Correlation traps: eigenvalues of a permuted matrix that lie above the noise edge.

Permuting the entries destroys every correlation between rows and columns; an eigenvalue that still sticks out is
not what the layer learned (SETOL, arXiv 2507.17912, section 6). Its commonest cause has a closed form: entries of mean
m and standard deviation s are noise plus a rank-one matrix of strength theta = |m|/s sqrt(M), which has an eigenvalue
of its own if and only if theta > q^(1/4), q = M/N. The other cause is a few huge entries.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.random_matrix.edge import TRACY_WIDOM_LEVEL, noise_edge
from setol.random_matrix.layer_spectrum import check_shape
from setol.reasons import Reason
from setol.scale import check_spectrum


@dataclass(frozen=True, slots=True)
class MeanTrap:
    """The trap that the mean of the entries alone makes.

    Attributes:
        theta: Strength |m|/s sqrt(M), in units of s sqrt(N); infinite where all entries are equal.
        trap_theta: theta Q^(1/4): above 1 there is a trap, at and below it the mean cannot be told from noise.
        lambda_trap: Where its eigenvalue lies in the limit of large N and M, raw scale; None where there is none.
    """

    theta: float
    trap_theta: float
    lambda_trap: float | None


@dataclass(frozen=True, slots=True)
class PermutedTraps:
    """The traps of a permuted matrix, or of a stack of matrices each permuted for itself.

    Attributes:
        n_traps: Eigenvalues above the noise edge, over all slices.
        per_slice: The same for each slice, shape (slices,).
        largest_excess: Largest (lambda_max - centre) / scale over the slices, in Tracy-Widom scales of the slice.
    """

    n_traps: int
    per_slice: NDArray[np.int64]
    largest_excess: float


def mean_trap(entry_mean: float, entry_sd: float, n_rows: int, n_cols: int) -> MeanTrap | Reason:
    """The trap a non-zero mean makes, without permuting anything.

    Args:
        entry_mean: m, mean of the entries, raw scale.
        entry_sd: s, standard deviation of the entries about their mean, raw scale.
        n_rows: N, the longer side.
        n_cols: M, the shorter side.

    Returns:
        The trap, or `Reason.ZERO_MATRIX` where mean and standard deviation are both 0.

    Raises:
        SetolError: Not 1 <= M <= N, a mean that is not finite, a standard deviation that is negative or not finite,
            or entries too large to square.
    """
    check_shape(n_rows, n_cols)
    if not (math.isfinite(entry_mean) and math.isfinite(entry_sd) and entry_sd >= 0):
        raise SetolError(
            f"need a finite mean and a finite standard deviation of at least 0; got {entry_mean} and {entry_sd}."
        )
    unit = max(abs(entry_mean), entry_sd)
    if unit == 0:
        return Reason.ZERO_MATRIX
    mean, sd = abs(entry_mean) / unit, entry_sd / unit
    theta = mean / sd * math.sqrt(n_cols) if sd > 0 else math.inf
    trap_theta = theta * (n_rows / n_cols) ** 0.25
    if trap_theta <= 1:
        return MeanTrap(theta, trap_theta, None)
    # s^2 (1 + theta^2)(1 + q/theta^2) N, without dividing by s.
    signal = n_cols * mean**2
    lambda_trap = (sd**2 + signal) * (n_rows + n_cols * sd**2 / signal) * unit * unit
    if math.isinf(lambda_trap):
        raise SetolError(f"need entries whose squares fit float64; got a mean of {entry_mean} and sd {entry_sd}.")
    return MeanTrap(theta, trap_theta, lambda_trap)


def mean_trap_strengths(
    entry_mean: NDArray[np.float64],
    entry_sd: NDArray[np.float64],
    shapes: Sequence[tuple[int, int, int]],
) -> NDArray[np.float64]:
    """trap_theta of `mean_trap` for every matrix of several stacks; not finite where all entries are equal.

    Args:
        entry_mean: Mean of the entries of each matrix, shape (n,), finite, raw scale.
        entry_sd: Their standard deviation about it, shape (n,), at least 0, finite, raw scale.
        shapes: Of each stack, (slices, N, M) with N >= M; the slices of all are the n matrices.

    Raises:
        SetolError: Not 1 <= M <= N, a mean that is not finite, or a standard deviation that is negative or not finite.
    """
    for _, n_rows, n_cols in shapes:
        check_shape(n_rows, n_cols)
    if not (np.isfinite(entry_mean).all() and np.isfinite(entry_sd).all() and entry_sd.min() >= 0):
        raise SetolError(
            f"need a finite mean and a finite standard deviation of at least 0; got {entry_mean} and {entry_sd}."
        )
    slices = [stack[0] for stack in shapes]
    roots = np.repeat([math.sqrt(n_cols) for _, _, n_cols in shapes], slices)
    quarter_roots = np.repeat([(n_rows / n_cols) ** 0.25 for _, n_rows, n_cols in shapes], slices)
    unit = np.maximum(np.abs(entry_mean), entry_sd)
    with np.errstate(divide="ignore", invalid="ignore"):
        thetas = (np.abs(entry_mean) / unit) / (entry_sd / unit) * roots
        strengths: NDArray[np.float64] = thetas * quarter_roots
    return strengths


def count_traps(
    permuted_evals: NDArray[np.float64],
    entry_variance: NDArray[np.float64],
    n_rows: int,
    *,
    level: float = TRACY_WIDOM_LEVEL,
) -> PermutedTraps:
    """Count the eigenvalues of permuted matrices that lie above the noise edge.

    The variance needs no fit: a permutation keeps it. Each slice is measured by its own, so slices of different size
    of entries make no traps of each other.

    Args:
        permuted_evals: Eigenvalues of W^T W after permuting the entries within each slice, shape (slices, M), raw
            scale.
        entry_variance: Variance of the entries of each slice about their mean, shape (slices,), raw scale. A slice of
            variance 0 has equal entries: its non-zero eigenvalue counts as a trap of infinite excess.
        n_rows: N, the longer side of each slice.
        level: Probability with which noise yields no trap in any of the slices.

    Raises:
        SetolError: Shapes that do not fit, eigenvalues or variances that are negative or not finite, or a level outside
            (0, 1).
    """
    if permuted_evals.ndim != 2 or entry_variance.shape != permuted_evals.shape[:1]:
        raise SetolError(
            f"need eigenvalues of shape (slices, M) and variances of shape (slices,); got {permuted_evals.shape} and "
            f"{entry_variance.shape}. A single matrix goes in as evals[None]."
        )
    n_slices, n_cols = permuted_evals.shape
    check_spectrum(permuted_evals.ravel())
    check_shape(n_rows, n_cols)
    if not np.all(np.isfinite(entry_variance) & (entry_variance >= 0)):
        raise SetolError(f"need finite variances of at least 0; got {entry_variance}.")
    edge = noise_edge(n_rows, n_cols, 1.0)
    threshold = edge.threshold(level, n_slices=n_slices)
    unit = np.sqrt(permuted_evals.max(initial=0.0)) or 1.0  # so that quotients by a tiny variance stay finite
    spreads = entry_variance[:, None] / unit
    over_n = permuted_evals / unit / n_rows
    per_slice = (over_n > threshold * spreads).sum(axis=1)
    largest = over_n.max(axis=1)
    excess = np.where(largest > 0, np.inf, -np.inf)
    noisy = spreads[:, 0] > 0
    excess[noisy] = (largest[noisy] / spreads[noisy, 0] - edge.centre) / edge.scale
    return PermutedTraps(int(per_slice.sum()), per_slice, float(excess.max()))
