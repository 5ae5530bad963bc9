"""How well alpha is determined: the other tails whose D is as small as the smallest, within its own noise.

D falls and rises with lambda_min, often with several minima of nearly equal depth, far apart in alpha; which one
is the smallest may change from one epoch to the next. On a tail that is a power law, D with a fitted exponent
has a standard deviation of 0.19/sqrt(n_tail), whatever alpha. So candidates whose D exceeds the smallest by
less cannot be told from the best by D.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.tails.law import check_positive
from setol.tails.power_law import PowerLawFit, fit_of_choice
from setol.tails.scan import TailChoice, scan_tails, tail_distances, tail_exponents

NOISE = 0.19
"""Standard deviation of D sqrt(n_tail) on power-law tails: 0.185, 0.192, 0.187, 0.190, 0.189 for 20, 50, 200, 1,000,
5,000 eigenvalues (1,500 to 4,000 draws each, lambda_min the smallest)."""


@dataclass(frozen=True, slots=True)
class NearMinima:
    """The tails that fit as well as the best one; lambdas in the scale of the eigenvalues that were given.

    Attributes:
        best: The fit with the smallest D, the one that `fit_power_law` reports.
        alpha_low: Smallest exponent among the tails whose D is within the tolerance.
        alpha_high: Largest exponent among them; far from alpha_low, alpha is not well determined.
        lambda_min_low: Smallest lambda_min among them.
        lambda_min_high: Largest lambda_min among them.
        n_candidates: How many there are, the best included.
        tolerance: How far above the smallest D they may lie, in [0, 1].
        minima: The minima among them, the smallest D first: two count as two if between them D rises above the
            smallest by more than twice the tolerance.
    """

    best: PowerLawFit
    alpha_low: float
    alpha_high: float
    lambda_min_low: float
    lambda_min_high: float
    n_candidates: int
    tolerance: float
    minima: tuple[PowerLawFit, ...]


def near_minima(
    evals: NDArray[np.float64], *, noise: float = NOISE, best: PowerLawFit | None = None
) -> NearMinima | Reason:
    """Find the tails whose D is within noise/sqrt(n_tail) of the smallest, n_tail that of the best tail.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale.
        noise: Tolerance on D, times sqrt(n_tail); by default one standard deviation.
        best: What `fit_power_law` found for these eigenvalues without further options, where that is known: it is
            then not looked for again.

    Returns:
        The tails, or why there are none: fewer than two eigenvalues, or all of them equal.

    Raises:
        SetolError: An eigenvalue is not positive or not finite, or the noise is negative or not finite.
    """
    check_positive(evals)
    if not 0 <= noise < math.inf:
        raise SetolError(f"need a finite noise of at least 0; got {noise}.")
    if len(evals) < 2:
        return Reason.TOO_FEW_EIGENVALUES
    ordered = np.sort(evals).astype(np.float64)
    log_evals = np.log(ordered)
    if best is None:
        choice = scan_tails(log_evals)
        if choice is None:
            return Reason.EQUAL_EIGENVALUES
        best = fit_of_choice(ordered, choice)
    tolerance = noise / math.sqrt(best.n_tail)
    distances = tail_distances(log_evals, limit=best.d_ww + 2.0 * tolerance)
    alphas = tail_exponents(log_evals)
    near = np.flatnonzero(distances <= best.d_ww + tolerance)
    minima = sorted(
        (
            fit_of_choice(ordered, TailChoice(start, float(alphas[start]), float(distances[start])))
            for start in _minima(distances, near)
        ),
        key=lambda fit: (fit.d_ww, fit.lambda_min),
    )
    return NearMinima(
        best=best,
        alpha_low=float(alphas[near].min()),
        alpha_high=float(alphas[near].max()),
        lambda_min_low=float(ordered[near[0]]),
        lambda_min_high=float(ordered[near[-1]]),
        n_candidates=len(near),
        tolerance=tolerance,
        minima=tuple(minima),
    )


def _minima(distances: NDArray[np.float64], near: NDArray[np.intp]) -> list[int]:
    """The smallest of each group of near candidates between which D is nowhere infinite, that is too large."""
    ridges = np.cumsum(np.isinf(distances))
    groups = np.split(near, np.flatnonzero(np.diff(ridges[near])) + 1)
    return [int(group[np.argmin(distances[group])]) for group in groups]
