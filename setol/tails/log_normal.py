"""A log-normal tail: ln(lambda) is normal, cut off below ln(lambda_min).

The two parameters follow from the mean and the relative variance of x = ln(lambda / lambda_min), by one
equation in h = (ln(lambda_min) - mu)/sigma. A normal distribution cut off from below has a relative variance
under 1; from 1 on the likelihood grows without end towards mu = -infinity, which is the power law.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import erfcx, log_ndtr

from setol.reasons import Reason
from setol.tails.law import TailLaw, tail_above

FARTHEST_CUT = 1e4
"""Largest h: law and power law then agree to a part in h^2 where the tail has its eigenvalues."""

FRACTION_FROM = 5.0
"""From this h on, differences to the Mills ratio are had from its continued fraction, without cancellation."""

FRACTION_TERMS = 100
"""Enough for 15 digits at FRACTION_FROM (30 leave 1e-13); fewer are needed beyond."""


@dataclass(frozen=True, slots=True)
class LogNormal(TailLaw):
    """Density of a log-normal law, conditional on lambda >= lambda_min.

    Attributes:
        lambda_min: Lower edge of the tail, in the scale of the eigenvalues that were given.
        mu: Mean of ln(lambda) before the cut, in the same scale; may lie far below ln(lambda_min).
        sigma: Standard deviation of ln(lambda) before the cut, above 0, free of scale.
    """

    lambda_min: float
    mu: float
    sigma: float

    @property
    def _cut(self) -> float:
        return (math.log(self.lambda_min) - self.mu) / self.sigma

    def _log_density(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        steps, cut = ratios / self.sigma, self._cut
        if cut > 0:
            log_norm = math.log(self.sigma) + 0.5 * math.log(math.pi / 2) + math.log(erfcx(cut / math.sqrt(2)))
            return -cut * steps - steps * steps / 2 - log_norm
        log_norm = math.log(self.sigma) + 0.5 * math.log(2 * math.pi) + float(log_ndtr(-cut))
        return -0.5 * (cut + steps) ** 2 - log_norm

    def _cdf(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        steps, cut = ratios / self.sigma, self._cut
        if cut > 0:
            mills = erfcx((cut + steps) / math.sqrt(2)) / erfcx(cut / math.sqrt(2))
            return 1.0 - np.exp(-cut * steps - steps * steps / 2) * mills
        return -np.expm1(log_ndtr(-cut - steps) - log_ndtr(-cut))


def fit_log_normal(evals: NDArray[np.float64], lambda_min: float) -> LogNormal | Reason:
    """Fit a log-normal law to the tail above a given lambda_min by maximum likelihood.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale; those below lambda_min are left out.
        lambda_min: Lower edge of the tail, in the same scale.

    Returns:
        The law, or why there is none: fewer than two eigenvalues in the tail, all of them equal, or a likelihood
        that is largest where the law has become the power law.

    Raises:
        SetolError: An eigenvalue or lambda_min is not positive or not finite.
    """
    tail = tail_above(evals, lambda_min)
    if isinstance(tail, Reason):
        return tail
    mean = float(tail.log_ratios.mean())
    relative_variance = float(tail.log_ratios.var()) / mean**2
    if relative_variance >= _relative_variance(FARTHEST_CUT):
        return Reason.POWER_LAW_LIMIT
    low = -2.0 / math.sqrt(relative_variance) - 2.0  # without a cut the relative variance is 1/h^2
    cut = float(brentq(lambda h: _relative_variance(h) - relative_variance, low, FARTHEST_CUT, xtol=1e-13, rtol=1e-14))
    sigma = mean / _mean_excess(cut)
    return LogNormal(lambda_min, math.log(lambda_min) - cut * sigma, sigma)


def _mean_excess(cut: float) -> float:
    """Mean of z - h for a standard normal z above the cut h."""
    if cut < FRACTION_FROM:
        return _hazard(cut) - cut
    return 1.0 / (cut + _rest_of_fraction(cut))


def _relative_variance(cut: float) -> float:
    """Variance over squared mean of z - h for a standard normal z above the cut h: from 0 up to 1 as h grows."""
    if cut < FRACTION_FROM:
        hazard = _hazard(cut)
        return (1.0 + cut * hazard - hazard * hazard) / (hazard - cut) ** 2
    rest = _rest_of_fraction(cut)
    return rest * (cut + rest) - 1.0


def _hazard(cut: float) -> float:
    """Density over survival of the standard normal, the inverse Mills ratio."""
    return math.exp(-0.5 * cut * cut - 0.5 * math.log(2 * math.pi) - float(log_ndtr(-cut)))


def _rest_of_fraction(cut: float) -> float:
    """K = 2/(h + 3/(h + 4/(h + ...))): the hazard is h + 1/(h + K) (Laplace's fraction for the Mills ratio)."""
    rest = 0.0
    for term in range(FRACTION_TERMS, 1, -1):
        rest = term / (cut + rest)
    return rest
