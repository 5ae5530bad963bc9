"""Free cumulants from moments and back, to any order, and those of a spectrum with the digits that they have.

With M(z) = 1 + m_1 z + m_2 z^2 + ..., the moments are m_n = sum over s of kappa_s [z^(n-s)] M(z)^s (Nica and
Speicher, Lectures on the Combinatorics of Free Probability, 2006, lectures 10 and 11). SETOL lists the first five
(arXiv 2507.17912, section 5.6), correctly; its general formula leaves open which partitions it runs over.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.erg import to_trace_scale
from setol.errors import SetolError
from setol.r_transforms.protocol import check_order

EPSILON = 2.0**-52

LARGEST_ORDER = 32
"""Bounds on rounding grow as 5.8^order: beyond 32, if not long before, they exceed the terms themselves."""


@dataclass(frozen=True, slots=True)
class SpectrumCumulants:
    """Free cumulants of a spectrum in the trace scale, where the first is 1.

    Attributes:
        cumulants: kappa_1 .. kappa_order, shape (order,).
        errors: Bound to first order on what rounding did to each, shape (order,), absolute. The recursion
            subtracts terms of one size, 5.8^n of them: a cumulant much smaller than the spread to the power n,
            as those of a semicircle are, is noise below its bound; those of a heavy tail keep most digits.
    """

    cumulants: NDArray[np.float64]
    errors: NDArray[np.float64]


def free_cumulants_from_moments(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """kappa_1 .. kappa_order from the moments m_1 .. m_order, shape (order,), in the same scale.

    Args:
        moments: m_n, the mean of lambda^n, shape (order,), n from 1.

    Raises:
        SetolError: There are none, one is not finite, or a result leaves float64.
    """
    moments = _checked(moments, "moments")
    return _finite(_recursion(moments, -1.0), "free cumulants")


def moments_from_free_cumulants(cumulants: NDArray[np.float64]) -> NDArray[np.float64]:
    """m_1 .. m_order from the free cumulants kappa_1 .. kappa_order, shape (order,), in the same scale.

    Args:
        cumulants: kappa_n, the coefficients of z^(n-1) in the R-transform, shape (order,), n from 1.

    Raises:
        SetolError: There are none, one is not finite, or a result leaves float64.
    """
    cumulants = _checked(cumulants, "free cumulants")
    moments = np.zeros(len(cumulants))
    with np.errstate(over="ignore", invalid="ignore"):
        for n in range(1, len(cumulants) + 1):
            moments[n - 1] = cumulants[n - 1] + _lower_terms(cumulants, moments, n)
    return _finite(moments, "moments")


def spectrum_free_cumulants(evals: NDArray[np.float64], order: int) -> SpectrumCumulants:
    """Free cumulants of a spectrum in the trace scale, and how many of their digits are real.

    From the second on they do not change with a shift, so they are taken from moments about the mean: about 0
    the narrow spectrum of a tall matrix would lose all digits within a few orders.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any order, any scale, at least one positive.
        order: Number of cumulants, 1 to 32.

    Raises:
        SetolError: There is no positive eigenvalue, one is negative or not finite, or the order is out of range.
    """
    check_order(order)
    if order > LARGEST_ORDER:
        raise SetolError(f"need an order of at most {LARGEST_ORDER}; got {order}. No digit is left far below that.")
    deviations = to_trace_scale(evals) - 1.0
    largest = float(np.abs(deviations).max())
    if largest <= EPSILON * len(evals):  # equal eigenvalues: the mean, and zeros
        return SpectrumCumulants(np.r_[1.0, np.zeros(order - 1)], np.full(order, EPSILON * len(evals)))
    n = np.arange(1, order + 1)
    powers = (deviations / largest) ** n[:, None]
    moments, sizes = powers.mean(axis=1), np.abs(powers).mean(axis=1)
    moments[0] = 0.0
    # An eigenvalue is known to EPSILON times itself, 1 + deviation; all terms together to the sum of their sizes.
    # Moments being log-convex, the ratio of the first two sizes is the largest, and each term has degree n.
    spread = float((deviations**2).mean()) / float(np.abs(deviations).mean())
    relative = EPSILON * (n + 8) * (2 + 1 / spread)
    scales = largest ** n.astype(np.float64)
    cumulants = _recursion(moments, -1.0) * scales
    cumulants[0] = 1.0
    return SpectrumCumulants(cumulants, relative * _recursion(sizes, 1.0) * scales)


def _recursion(moments: NDArray[np.float64], sign: float) -> NDArray[np.float64]:
    """kappa_n = m_n + sign (terms of lower cumulants); the sign +1 of sizes bounds the sum of all terms."""
    cumulants = np.zeros(len(moments))
    with np.errstate(over="ignore", invalid="ignore"):
        for n in range(1, len(moments) + 1):
            cumulants[n - 1] = moments[n - 1] + sign * _lower_terms(cumulants, moments, n)
    return cumulants


def _lower_terms(cumulants: NDArray[np.float64], moments: NDArray[np.float64], n: int) -> float:
    """Sum over s < n of kappa_s [z^(n-s)] M(z)^s."""
    series = np.r_[1.0, moments[: n - 1]]
    power, total = np.ones(1), 0.0
    for s in range(1, n):
        power = np.convolve(power, series)[:n]
        total += float(cumulants[s - 1] * power[n - s])
    return total


def _checked(numbers: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """The numbers as float64; refuses an empty array and what is not finite."""
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise SetolError(f"need at least one finite number, shape (order,), as {name}; got {numbers}.")
    return numbers.astype(np.float64)


def _finite(numbers: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """The numbers, if float64 holds them all."""
    if not np.isfinite(numbers).all():
        first = int(np.flatnonzero(~np.isfinite(numbers))[0]) + 1
        raise SetolError(f"need {name} that fit float64; that of order {first} does not. Rescale, or lower the order.")
    return numbers
