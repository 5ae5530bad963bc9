"""Choice of lambda_min: the tail whose power law lies closest to the data, found exactly.

Clauset, Shalizi and Newman (SIAM Review 51, 2009) take every eigenvalue but the largest as a
candidate for lambda_min, fit the exponent to the tail above it, and keep the candidate with the
smallest Kolmogorov-Smirnov distance D. That costs O(n) for each of n candidates. Here a lower bound
on D, the deviation at a few points of each tail, is had for all candidates at once; those whose bound
cannot beat the best D seen so far drop out, the rest get more points, and what remains at last is looked
at in order of its bound. The outcome is that of the full scan, ties included (the first candidate with
the smallest D).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PROBES = (16, 128, 1024)
"""Points of each tail at which the bound is taken, round by round. Bulky spectra fall in the first round;
a pure power law, whose candidates are all equally good, needs the others."""

FEW = 64
"""So few candidates are cheaper looked at than bounded once more."""

TOGETHER = 16
"""Tails looked at in one go where all are: their starts lie close together, so little below them is worked out."""

ROUNDING = 1e-12
"""Slack on the bound: far above the rounding of D, far below any difference that matters."""


@dataclass(frozen=True, slots=True)
class TailChoice:
    """The tail chosen by the scan.

    Attributes:
        start: Index of lambda_min in the ascending eigenvalues.
        alpha: Exponent of the density on the tail.
        distance: The smallest D, largest deviation of the fitted CDF from the lower steps of the data.
    """

    start: int
    alpha: float
    distance: float


def scan_tails(
    log_evals: NDArray[np.float64],
    *,
    smallest_tail: int = 2,
    lost_degrees: int = 0,
    starts: tuple[int, int] | None = None,
) -> TailChoice | None:
    """Find the tail with the smallest Kolmogorov-Smirnov distance to its own power law.

    Args:
        log_evals: Natural logarithms of the eigenvalues, shape (n,), ascending, any scale.
        smallest_tail: Fewest eigenvalues a tail may have.
        lost_degrees: 0 for the maximum-likelihood exponent 1 + n/S, 1 for its correction 1 + (n-1)/S for a
            lambda_min known beforehand, S being the sum of ln(lambda/lambda_min) over the tail.
        starts: First index at which a tail may start, and the first at which it may no longer; by default
            anywhere.

    Returns:
        The chosen tail, or None where no candidate has both enough eigenvalues and any spread.
    """
    alphas = tail_exponents(log_evals, lost_degrees)
    first, stop = starts or (0, len(log_evals))
    allowed = slice(first, max(0, min(stop, len(log_evals) - smallest_tail + 1)))
    candidates = first + np.flatnonzero(np.isfinite(alphas[allowed]))
    if not len(candidates):
        return None

    def distance_of(start: int) -> tuple[float, int]:
        return lower_step_distance(log_evals[start:], alphas[start]), start

    best = (np.inf, -1)  # D, then index: the smaller index wins a tie
    for probes in PROBES:
        bounds = _lower_bounds(log_evals, alphas, candidates, probes)
        nearest = int(np.argmin(bounds))
        best = min(best, distance_of(int(candidates[nearest])))
        alive = bounds <= best[0] + ROUNDING
        alive[nearest] = False  # it has been looked at
        candidates, bounds = candidates[alive], bounds[alive]
        if len(candidates) <= FEW:
            break
    for position in np.argsort(bounds, kind="stable"):
        if bounds[position] > best[0] + ROUNDING:
            break
        best = min(best, distance_of(int(candidates[position])))
    distance, start = best
    return TailChoice(start, float(alphas[start]), distance)


def tail_distances(log_evals: NDArray[np.float64], *, limit: float) -> NDArray[np.float64]:
    """D of the tail above every eigenvalue, shape (n,), where it is at most the limit; infinite elsewhere.

    Args:
        log_evals: Natural logarithms of the eigenvalues, shape (n,), ascending, any scale.
        limit: Largest D of interest: tails whose bound lies above it are not looked at.
    """
    alphas = tail_exponents(log_evals)
    candidates = np.flatnonzero(np.isfinite(alphas))
    # One round of bounds: those whose tails are looked at in the end would pay for every further one.
    candidates = candidates[_lower_bounds(log_evals, alphas, candidates, PROBES[0]) <= limit + ROUNDING]
    distances = np.full(len(log_evals), np.inf)
    for first in range(0, len(candidates), TOGETHER):
        starts = candidates[first : first + TOGETHER]
        distances[starts] = _lower_step_distances(log_evals, starts, alphas[starts])
    distances[distances > limit] = np.inf
    return distances


def tail_exponents(log_evals: NDArray[np.float64], lost_degrees: int = 0) -> NDArray[np.float64]:
    """Exponent of the tail above every eigenvalue, shape (n,); infinite where a tail has no spread."""
    sizes = len(log_evals) - np.arange(len(log_evals))
    gaps = (log_evals[1:] - log_evals[:-1]) * sizes[1:]  # each gap lies below all eigenvalues above it
    sums = np.zeros(len(log_evals))  # of ln(lambda/lambda_min): positive terms alone, so no digits are lost
    np.cumsum(gaps[::-1], out=sums[-2::-1])
    exponents = np.full(len(log_evals), np.inf)
    np.divide(sizes - lost_degrees, sums, out=exponents, where=log_evals < log_evals[-1])
    exponents += 1.0
    exponents[exponents <= 1.0] = np.inf
    return exponents


def lower_step_distance(log_tail: NDArray[np.float64], alpha: float) -> float:
    """max_k |F(lambda_(k)) - k/n|, k = 0..n-1, for the power law F starting at the first of the tail."""
    size = len(log_tail)
    deviations = log_tail - log_tail[0]
    deviations *= 1.0 - alpha
    np.expm1(deviations, out=deviations)  # F, negative
    deviations += np.arange(size) / size
    return float(np.abs(deviations, out=deviations).max())


def _lower_step_distances(
    log_evals: NDArray[np.float64], starts: NDArray[np.intp], alphas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`lower_step_distance` of several tails, digit for digit; what lies below a tail adds nothing."""
    indices = np.arange(starts[0], len(log_evals))
    ranks = np.maximum(indices - starts[:, None], 0)
    ratios = np.maximum(log_evals[indices] - log_evals[starts, None], 0.0)
    cdf = -np.expm1((1.0 - alphas[:, None]) * ratios)
    distances: NDArray[np.float64] = np.abs(cdf - ranks / (len(log_evals) - starts[:, None])).max(axis=1)
    return distances


def power_law_cdf(log_tail: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """F(lambda) = 1 - (lambda/lambda_min)^(1-alpha) at every point of a tail whose first is lambda_min."""
    cdf: NDArray[np.float64] = -np.expm1((1.0 - alpha) * (log_tail - log_tail[0]))
    return cdf


def _lower_bounds(
    log_evals: NDArray[np.float64], alphas: NDArray[np.float64], candidates: NDArray[np.intp], probes: int
) -> NDArray[np.float64]:
    """Deviation at evenly spaced points of each candidate's tail: never more than its D."""
    sizes = len(log_evals) - candidates
    logs_min, slopes = log_evals[candidates], 1.0 - alphas[candidates]
    bounds = np.zeros(len(candidates))
    for first in range(1, probes + 1, PROBES[0]):  # in rounds, so that memory stays at a few arrays a candidate
        probe = np.arange(first, min(first + PROBES[0], probes + 1))[:, None]
        ranks = probe * (sizes - 1) // probes
        deviations = log_evals[candidates + ranks]
        deviations -= logs_min
        deviations *= slopes
        np.expm1(deviations, out=deviations)  # F, negative
        deviations += ranks / sizes
        np.maximum(bounds, np.abs(deviations, out=deviations).max(axis=0), out=bounds)
    return bounds
