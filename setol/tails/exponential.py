"""An exponential tail, the thin-tailed alternative to a power law (Clauset, Shalizi and Newman, 2009, table 2.1)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.reasons import Reason
from setol.tails.law import TailLaw, exp_or_limit, scaled_expm1, tail_above


@dataclass(frozen=True, slots=True)
class Exponential(TailLaw):
    """Density exp(-(lambda - lambda_min) / scale) / scale from lambda_min up.

    Attributes:
        lambda_min: Lower edge of the tail, in the scale of the eigenvalues that were given.
        log_scale: Natural logarithm of the mean excess over lambda_min, one over the rate.
    """

    lambda_min: float
    log_scale: float

    @property
    def scale(self) -> float:
        """Mean excess over lambda_min, in the scale of the eigenvalues that were given."""
        return exp_or_limit(self.log_scale)

    @property
    def _log_rate(self) -> float:
        return math.log(self.lambda_min) - self.log_scale

    def _log_density(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._log_rate + ratios - scaled_expm1(self._log_rate, ratios)

    def _cdf(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        return -np.expm1(-scaled_expm1(self._log_rate, ratios))


def fit_exponential(evals: NDArray[np.float64], lambda_min: float) -> Exponential | Reason:
    """Fit an exponential to the tail above a given lambda_min by maximum likelihood.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale; those below lambda_min are left out.
        lambda_min: Lower edge of the tail, in the same scale.

    Returns:
        The law, or why there is none: fewer than two eigenvalues in the tail, or all of them equal.

    Raises:
        SetolError: An eigenvalue or lambda_min is not positive or not finite.
    """
    tail = tail_above(evals, lambda_min)
    if isinstance(tail, Reason):
        return tail
    relative = scaled_expm1(-tail.log_ratios[-1], tail.log_ratios)  # of the excess to lambda_max
    return Exponential(lambda_min, math.log(lambda_min) + float(tail.log_ratios[-1]) + math.log(relative.mean()))
