"""Choice of lambda_min: the tail whose power law lies closest to the data, found exactly.

Clauset, Shalizi and Newman (SIAM Review 51, 2009) take every eigenvalue but the largest as a
candidate for lambda_min, fit the exponent to the tail above it, and keep the candidate with the
smallest Kolmogorov-Smirnov distance D. That costs O(n) for each of n candidates. Here a lower bound
on D, the deviation at a few points of each tail, is had for all candidates at once; those whose bound
cannot beat the best D seen so far drop out, the rest get more points, and what remains at last is looked
at in order of its bound. The outcome is that of the full scan, ties included (the first candidate with
the smallest D).
"""

from collections.abc import Iterator, Sequence
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

BOUNDED_TOGETHER = 2**12
"""Eigenvalues of several spectra that the first bounds are taken for in one go: half a megabyte with their probes."""

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
    n = len(log_evals)
    first, stop = starts or (0, n)
    alphas = tail_exponents(log_evals, lost_degrees)
    columns = np.arange(first, max(first, min(stop, n - smallest_tail + 1)))
    return _closest(log_evals, alphas, columns, _lower_bounds(log_evals, alphas, columns, PROBES[0]))


def scan_tails_of_each(log_evals: Sequence[NDArray[np.float64]]) -> list[TailChoice | None]:
    """`scan_tails` of several spectra, digit for digit: many short ones take half the time.

    Args:
        log_evals: Natural logarithms of the eigenvalues of each, shape (n,), ascending, any scale.
    """
    choices: list[TailChoice | None] = []
    for few in _batches(log_evals):
        # Their ends in line, so that a column is a tail of one size in all; what fills up a short one is no candidate.
        longest = max(map(len, few))
        together = np.empty((len(few), longest))
        for row, each in zip(together, few, strict=True):
            row[: longest - len(each)] = each[0]
            row[longest - len(each) :] = each
        alphas = tail_exponents(together)
        bounds = _lower_bounds(together, alphas, np.arange(longest - 1), PROBES[0])
        for each, row, own in zip(few, alphas, bounds, strict=True):
            filled = longest - len(each)
            choices.append(_closest(each, row[filled:], np.arange(len(each) - 1), own[filled:]))
    return choices


def _batches(log_evals: Sequence[NDArray[np.float64]]) -> Iterator[list[NDArray[np.float64]]]:
    """The spectra in order, as many at once as a core's cache holds with their probes."""
    few: list[NDArray[np.float64]] = []
    for each in log_evals:
        if few and (len(few) + 1) * max(len(each), *map(len, few)) > BOUNDED_TOGETHER:
            yield few
            few = []
        few.append(each)
    if few:
        yield few


def _closest(
    log_evals: NDArray[np.float64],
    alphas: NDArray[np.float64],
    candidates: NDArray[np.intp],
    bounds: NDArray[np.float64],
) -> TailChoice | None:
    """The tail with the smallest D among candidates, given their bounds of the first round."""
    if not np.any(bounds < np.inf):
        return None

    def distance_of(start: int) -> tuple[float, int]:
        return lower_step_distance(log_evals[start:], alphas[start]), start

    best = (np.inf, -1)  # D, then index: the smaller index wins a tie
    for more in (*PROBES[1:], None):
        nearest = int(np.argmin(bounds))
        best = min(best, distance_of(int(candidates[nearest])))
        alive = bounds <= best[0] + ROUNDING
        alive[nearest] = False  # it has been looked at
        candidates, bounds = candidates[alive], bounds[alive]
        if len(candidates) <= FEW or more is None:
            break
        bounds = _lower_bounds(log_evals, alphas, candidates, more)
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
    """Exponent of the tail above every eigenvalue, shape (..., n) as given; infinite where a tail has no spread."""
    n = log_evals.shape[-1]
    sizes = n - np.arange(n)
    gaps = (log_evals[..., 1:] - log_evals[..., :-1]) * sizes[1:]  # each gap lies below all eigenvalues above it
    sums = np.zeros(log_evals.shape)  # of ln(lambda/lambda_min): positive terms alone, so no digits are lost
    np.cumsum(gaps[..., ::-1], axis=-1, out=sums[..., -2::-1])
    exponents = np.full(log_evals.shape, np.inf)
    np.divide(sizes - lost_degrees, sums, out=exponents, where=log_evals < log_evals[..., -1:])
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
    """Deviation at evenly spaced points of each candidate's tail: never more than its D; infinite without exponent.

    Args:
        log_evals: Shape (..., n).
        alphas: Exponents of the tails, the same shape.
        candidates: Where the tails start, the same for all spectra, shape (c,).
        probes: How many points.

    Returns:
        Shape (..., c).
    """
    sizes = log_evals.shape[-1] - candidates
    logs_min, own = log_evals.take(candidates, -1)[..., None, :], alphas.take(candidates, -1)
    spread = own < np.inf
    slopes = 1.0 - np.where(spread, own, 1.0)[..., None, :]
    bounds = np.zeros(own.shape)
    for first in range(1, probes + 1, PROBES[0]):  # in rounds, so that memory stays at a few arrays a candidate
        probe = np.arange(first, min(first + PROBES[0], probes + 1))[:, None]
        ranks = probe * (sizes - 1) // probes
        deviations = log_evals.take(candidates + ranks, -1)
        deviations -= logs_min
        deviations *= slopes
        np.expm1(deviations, out=deviations)  # F, negative
        deviations += ranks / sizes
        np.maximum(bounds, np.abs(deviations, out=deviations).max(axis=-2), out=bounds)
    bounds[~spread] = np.inf
    return bounds
