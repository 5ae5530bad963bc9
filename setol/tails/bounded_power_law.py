"""A power law between two bounds, for tails that end: density proportional to lambda^-alpha on [a, b].

The exponent solves 1/y - 1/(e^y - 1) = mean(ln(lambda/a)) / ln(b/a) with y = (alpha - 1) ln(b/a). The left
side falls from 1 to 0, so there is exactly one solution, of either sign: below 1 alpha needs the upper bound.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from setol.errors import SetolError
from setol.reasons import Reason
from setol.tails.law import TailLaw, log_ratios, tail_above

FLAT = 1e-2
"""Below this |y| the mean is taken from its series, whose next term is y^5/30240: 3e-15."""


@dataclass(frozen=True, slots=True)
class BoundedPowerLaw(TailLaw):
    """Density proportional to lambda^-alpha on [lambda_min, lambda_max].

    Attributes:
        lambda_min: Lower bound, in the scale of the eigenvalues that were given.
        lambda_max: Upper bound, in the same scale.
        alpha: Exponent, any real number, free of scale.
        alpha_sigma: Asymptotic standard error of alpha for known bounds.
    """

    lambda_min: float
    lambda_max: float
    alpha: float
    alpha_sigma: float

    @property
    def _span(self) -> float:
        return float(log_ratios(np.array([self.lambda_max]), self.lambda_min)[0])

    def _log_density(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        slope, span = self.alpha - 1.0, self._span
        logs = -slope * ratios - math.log(span) - _log_mean_exponential(slope * span)
        return np.where(ratios <= span, logs, -np.inf)

    def _cdf(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        y, shares = (self.alpha - 1.0) * self._span, np.minimum(ratios / self._span, 1.0)
        if abs(y) < 1e-9:
            return shares * (1.0 + y * (1.0 - shares) / 2.0)
        if y > 0:
            return np.expm1(-y * shares) / math.expm1(-y)
        return np.exp(-y * (shares - 1.0)) * np.expm1(y * shares) / math.expm1(y)


def fit_bounded_power_law(
    evals: NDArray[np.float64], lambda_min: float, lambda_max: float | None = None
) -> BoundedPowerLaw | Reason:
    """Fit a power law between two given bounds by maximum likelihood.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale; those outside the bounds are left out.
        lambda_min: Lower bound, in the same scale.
        lambda_max: Upper bound, in the same scale. By default the largest eigenvalue, which is the most likely
            bound and somewhat below the true one: alpha then comes out too small, by a part in the tail's size.

    Returns:
        The law, or why there is none: fewer than two eigenvalues within the bounds, or all of them equal.

    Raises:
        SetolError: An eigenvalue or a bound is not positive or not finite, or lambda_max is not above lambda_min.
    """
    if lambda_max is not None and not lambda_min < lambda_max < math.inf:
        raise SetolError(f"need a finite lambda_max above lambda_min = {lambda_min}; got {lambda_max}.")
    tail = tail_above(evals if lambda_max is None else evals[~(evals > lambda_max)], lambda_min)
    if isinstance(tail, Reason):
        return tail
    upper = float(tail.evals[-1]) if lambda_max is None else float(lambda_max)
    span = float(log_ratios(np.array([upper]), lambda_min)[0])
    share = float(tail.log_ratios.mean()) / span
    low, high = -1.0 / (1.0 - share) - 1.0, 1.0 / share + 1.0
    y = float(brentq(lambda y: _mean_share(y) - share, low, high, xtol=1e-14, rtol=1e-14))
    sigma = 1.0 / (span * math.sqrt(_variance_of_share(y) * len(tail.evals)))
    return BoundedPowerLaw(lambda_min, upper, 1.0 + y / span, sigma)


def _mean_share(y: float) -> float:
    """Mean of t on [0, 1] under density proportional to e^(-y t)."""
    if abs(y) < FLAT:
        return 0.5 - y / 12 + y**3 / 720
    if y < 0:
        return 1.0 - _mean_share(-y)
    return 1.0 / y - math.exp(-y) / -math.expm1(-y)


def _variance_of_share(y: float) -> float:
    """Variance of t on [0, 1] under density proportional to e^(-y t)."""
    y = abs(y)
    if y < 10 * FLAT:  # the two poles cancel; the next term of the series is y^6/172800
        return 1 / 12 - y**2 / 240 + y**4 / 6048
    return 1.0 / y**2 - math.exp(-y) / math.expm1(-y) ** 2


def _log_mean_exponential(y: float) -> float:
    """Logarithm of the integral of e^(-y t) over t in [0, 1]."""
    if abs(y) < FLAT:
        return -y / 2 + y**2 / 24 - y**4 / 2880
    if y < 0:
        return -y + _log_mean_exponential(-y)
    return math.log(-math.expm1(-y) / y)
