"""A stretched exponential (Weibull) tail, between a power law and an exponential.

With x = ln(lambda / lambda_min) the likelihood, its scale eliminated, is a concave function of the stretch
beta: ln beta - ln mean(e^(beta x) - 1) + beta mean(x), because (e^(beta x) - 1)/beta is an integral of
exponentials in beta and so is log-convex. It has one maximum at most, and none where
mean(x^2) >= 2 mean(x)^2: the likelihood then grows all the way to beta = 0, which is the power law.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from setol.reasons import Reason
from setol.tails.law import TailLaw, exp_or_limit, scaled_expm1, tail_above

SMALLEST_STRETCH = 1e-6
"""Of beta ln(lambda_max / lambda_min): below, law and power law agree to six digits over the whole tail."""


@dataclass(frozen=True, slots=True)
class StretchedExponential(TailLaw):
    """Survival exp(-(lambda/scale)^beta + (lambda_min/scale)^beta) from lambda_min up.

    Attributes:
        lambda_min: Lower edge of the tail, in the scale of the eigenvalues that were given.
        beta: Stretch, above 0, free of scale; 1 is the exponential, towards 0 it becomes a power law.
        log_scale: Natural logarithm of the scale; a small beta takes it far outside the tail.
    """

    lambda_min: float
    beta: float
    log_scale: float

    @property
    def scale(self) -> float:
        """Scale of the law, in that of the eigenvalues that were given; 0 where it leaves float64."""
        return exp_or_limit(self.log_scale)

    @property
    def _log_weight(self) -> float:
        """Logarithm of (lambda_min/scale)^beta."""
        return self.beta * (math.log(self.lambda_min) - self.log_scale)

    def _log_density(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        stretched = self.beta * ratios
        return math.log(self.beta) + self._log_weight + stretched - scaled_expm1(self._log_weight, stretched)

    def _cdf(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        return -np.expm1(-scaled_expm1(self._log_weight, self.beta * ratios))


def fit_stretched_exponential(evals: NDArray[np.float64], lambda_min: float) -> StretchedExponential | Reason:
    """Fit a stretched exponential to the tail above a given lambda_min by maximum likelihood.

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
    span = float(tail.log_ratios[-1])
    x = tail.log_ratios / span
    mean = float(x.mean())

    def slope(stretch: float) -> float:
        """Derivative of the log-likelihood of one eigenvalue by the stretch, beta times span."""
        weights = np.exp(stretch * (x - 1.0))
        return 1.0 / stretch + mean - float((x * weights).sum() / (weights * -np.expm1(-stretch * x)).sum())

    if mean * mean * 2.0 <= float((x * x).mean()) or slope(SMALLEST_STRETCH) <= 0:
        return Reason.POWER_LAW_LIMIT
    high = 1.0
    while slope(high) > 0:  # ends: the slope tends to mean - 1, and the eigenvalues are not all equal
        high *= 2.0
    stretch = float(brentq(slope, SMALLEST_STRETCH, high, xtol=1e-14 * high, rtol=1e-14))
    beta = stretch / span
    log_weight = -stretch - math.log(scaled_expm1(-stretch, stretch * x).mean())
    return StretchedExponential(lambda_min, beta, math.log(lambda_min) - log_weight / beta)
