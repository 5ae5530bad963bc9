"""The small-sample bias of the exponent, exactly.

On a power-law tail S = sum of ln(lambda/lambda_min) follows a gamma distribution with as many degrees as
there are free logarithms: m = n_tail where lambda_min was known beforehand, m = n_tail - 1 where it is the
smallest eigenvalue of the tail, whose own logarithm is 0. Hence the mean of n/S is (alpha - 1) n/(m - 1), and
(m - 1)/S is unbiased. That lambda_min was chosen for a good fit is not in it: for that resample the spectrum.
"""

import math
from dataclasses import dataclass

from setol.errors import SetolError
from setol.reasons import Reason


@dataclass(frozen=True, slots=True)
class SampledExponent:
    """What maximum likelihood finds on tails of one size, over many draws; free of scale.

    Attributes:
        mean: Mean of the estimates, above the true exponent.
        standard_deviation: Their standard deviation; infinite where two logarithms or fewer are free.
    """

    mean: float
    standard_deviation: float


def unbiased_alpha(alpha: float, n_tail: int, *, lambda_min_known: bool = False) -> float | Reason:
    """Take the small-sample bias out of a maximum-likelihood exponent 1 + n_tail/S.

    Args:
        alpha: The estimate, above 1.
        n_tail: Number of eigenvalues in its tail.
        lambda_min_known: Whether lambda_min was fixed beforehand; by default it is the smallest of the tail.

    Returns:
        1 + (n_tail - 1)/S or, by default, 1 + (n_tail - 2)/S; or the reason that too few logarithms are free.

    Raises:
        SetolError: alpha is not above 1 or not finite, or n_tail is below 1.
    """
    free = _free_logarithms(alpha, n_tail, lambda_min_known)
    if free < 2:
        return Reason.TOO_FEW_EIGENVALUES
    return 1.0 + (alpha - 1.0) * (free - 1) / n_tail


def sampled_exponent(alpha: float, n_tail: int, *, lambda_min_known: bool = False) -> SampledExponent | Reason:
    """Mean and standard deviation of the maximum-likelihood exponent 1 + n_tail/S on power-law tails of a size.

    Args:
        alpha: The true exponent, above 1.
        n_tail: Number of eigenvalues in the tails.
        lambda_min_known: Whether lambda_min is fixed beforehand; by default it is the smallest of the tail.

    Returns:
        Both moments, or the reason that too few logarithms are free for a mean.

    Raises:
        SetolError: alpha is not above 1 or not finite, or n_tail is below 1.
    """
    free = _free_logarithms(alpha, n_tail, lambda_min_known)
    if free < 2:
        return Reason.TOO_FEW_EIGENVALUES
    excess = (alpha - 1.0) * n_tail / (free - 1)
    return SampledExponent(1.0 + excess, excess / math.sqrt(free - 2) if free > 2 else math.inf)


def _free_logarithms(alpha: float, n_tail: int, lambda_min_known: bool) -> int:
    if not 1.0 < alpha < math.inf:
        raise SetolError(f"need a finite exponent above 1; got {alpha}. Take it from a power-law fit.")
    if n_tail < 1:
        raise SetolError(f"need a tail of at least one eigenvalue; got n_tail = {n_tail}.")
    return n_tail if lambda_min_known else n_tail - 1
