"""What all laws of a tail have in common: a lower edge, a density, a distribution function.

A law is written down for x = ln(lambda / lambda_min), from 0 up. It is then free of scale, and neither
denormal eigenvalues nor those of 1e300 leave float64.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason


class TailLaw(ABC):
    """A fitted law of the eigenvalues from lambda_min up.

    Attributes:
        lambda_min: Lower edge of the tail, above 0, in the scale of the eigenvalues that were fitted.
    """

    __slots__ = ()
    lambda_min: float

    def log_density(self, evals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Natural logarithm of the density at each eigenvalue, shape (n,); minus infinity outside the tail.

        Args:
            evals: Positive eigenvalues, shape (n,), any order, in the scale of the law.

        Raises:
            SetolError: An eigenvalue is not positive or not finite.
        """
        ratios = self._log_ratios(evals)
        logs = self._log_density(np.maximum(ratios, 0.0)) - np.log(evals)
        return np.where(ratios >= 0, logs, -np.inf)

    def cdf(self, evals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the tail at or below each eigenvalue, shape (n,), in [0, 1].

        Args:
            evals: Positive eigenvalues, shape (n,), any order, in the scale of the law.

        Raises:
            SetolError: An eigenvalue is not positive or not finite.
        """
        return np.clip(self._cdf(np.maximum(self._log_ratios(evals), 0.0)), 0.0, 1.0)

    def _log_ratios(self, evals: NDArray[np.float64]) -> NDArray[np.float64]:
        check_positive(evals)
        return log_ratios(evals, self.lambda_min)

    @abstractmethod
    def _log_density(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log density of x = ln(lambda / lambda_min) at x >= 0."""

    @abstractmethod
    def _cdf(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distribution function of x = ln(lambda / lambda_min) at x >= 0."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Eigenvalues from lambda_min up.

    Attributes:
        evals: The eigenvalues, ascending, shape (n,), n at least 2, not all equal, in the scale that was given.
        log_ratios: ln(lambda / lambda_min), ascending, shape (n,), at least 0, free of scale.
    """

    evals: NDArray[np.float64]
    log_ratios: NDArray[np.float64]


def tail_above(evals: NDArray[np.float64], lambda_min: float) -> Tail | Reason:
    """Take the eigenvalues from lambda_min up.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale.
        lambda_min: Lower edge of the tail, in the same scale; need not be one of them.

    Returns:
        The tail, or why no law can be fitted to it: fewer than two eigenvalues, or all of them equal.

    Raises:
        SetolError: An eigenvalue or lambda_min is not positive or not finite.
    """
    check_positive(evals)
    if not 0 < lambda_min < math.inf:
        raise SetolError(f"need a positive finite lambda_min; got {lambda_min}. Take it from a power-law fit.")
    tail = np.sort(evals[evals >= lambda_min]).astype(np.float64)
    if len(tail) < 2:
        return Reason.TOO_FEW_EIGENVALUES
    ratios = log_ratios(tail, lambda_min)
    if ratios[0] == ratios[-1]:
        return Reason.EQUAL_EIGENVALUES
    return Tail(tail, ratios)


def check_positive(evals: NDArray[np.float64]) -> None:
    """Refuse what has no logarithms.

    Raises:
        SetolError: Not one axis, or an eigenvalue that is not positive or not finite.
    """
    if evals.ndim != 1 or not np.all(np.isfinite(evals) & (evals > 0)):
        raise SetolError(
            f"need positive finite eigenvalues of shape (n,); got shape {evals.shape} with "
            f"{np.count_nonzero(~(np.isfinite(evals) & (evals > 0)))} that are not. Drop zeros before fitting."
        )


def log_ratios(evals: NDArray[np.float64], lambda_min: float) -> NDArray[np.float64]:
    """ln(lambda / lambda_min), with all digits where lambda is close to lambda_min."""
    evals = evals.astype(np.float64)
    differences: NDArray[np.float64] = np.log(evals) - math.log(lambda_min)
    close = np.abs(differences) < 1.0  # beyond, the logarithms have digits enough, and the quotient may overflow
    differences[close] = np.log1p((evals[close] - lambda_min) / lambda_min)
    return differences


def scaled_expm1(log_factor: float, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(log_factor) (e^x - 1) at x >= 0 where neither factor alone need be within float64."""
    with np.errstate(under="ignore", over="ignore"):
        product: NDArray[np.float64] = np.exp(log_factor + ratios) * -np.expm1(-ratios)
    return product


def exp_or_limit(logarithm: float) -> float:
    """e^x, infinite or 0 where it leaves float64."""
    with np.errstate(under="ignore", over="ignore"):
        return float(np.exp(logarithm))
