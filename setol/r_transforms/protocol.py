"""What every R-transform offers, and where it is defined.

The R-transform of a law with Stieltjes transform C(x), the mean of 1/(x - lambda), is R(z) = x - 1/z at
C(x) = z. It is additive for free random matrices, its Taylor coefficients are the free cumulants, and
half its integral is the exponent of the rank-one spherical integral (Guionnet and Maida, J. Funct. Anal.
222, 2005). That theorem holds for z up to C at the upper edge of the spectrum. SETOL (arXiv 2507.17912,
section 5) puts eigenvalues in the place of z, which mostly lie beyond, and takes Re R there: a formal step.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason

Points = float | complex | NDArray[np.float64] | NDArray[np.complex128]
"""Arguments z of an R-transform: one number or an array of any shape, in units of 1/lambda."""


@dataclass(frozen=True, slots=True)
class RealInterval:
    """A piece of the real axis of z.

    Attributes:
        lower: Lower end, -inf for none.
        upper: Upper end, inf for none.
        closed_below: Whether the lower end belongs to it.
        closed_above: Whether the upper end belongs to it.
    """

    lower: float = -math.inf
    upper: float = math.inf
    closed_below: bool = False
    closed_above: bool = False

    def contains(self, z: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the points lie in it, shape of z; NaN and infinities never do."""
        above = z >= self.lower if self.closed_below else z > self.lower
        below = z <= self.upper if self.closed_above else z < self.upper
        inside: NDArray[np.bool_] = above & below & np.isfinite(z)
        return inside

    def __str__(self) -> str:
        """In the usual brackets, as in [0, inf)."""
        opening, closing = "[" if self.closed_below else "(", "]" if self.closed_above else ")"
        return f"{opening}{self.lower:g}, {self.upper:g}{closing}"


class RTransform(Protocol):
    """An R-transform R(z) of eigenvalues in some scale; z is in the inverse of that scale."""

    @property
    def domain(self) -> RealInterval:
        """The real z at which value and integral are defined."""

    @property
    def branch_cut(self) -> RealInterval | None:
        """The real z across which R jumps; None where there is none."""

    def value(self, z: Points) -> NDArray[np.complex128]:
        """R(z), shape of z; on a branch cut inside the domain the limit from above, Im z -> 0+."""

    def integral(self, lower: float, upper: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """G, the integral of Re R(z) over real z from lower to upper, shape of upper, without unit."""

    def free_cumulants(self, order: int) -> NDArray[np.float64] | Reason:
        """kappa_1 .. kappa_order, shape (order,): kappa_n is the coefficient of z^(n-1) in R(z)."""


class OutsideFloat64(SetolError):
    """A result that float64 does not hold, of arguments that are right as such."""


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def within_float64(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Make a function raise `OutsideFloat64` where it would return an infinity or NaN, and warn of nothing else."""

    @functools.wraps(function)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            result = function(*args, **kwargs)
        if isinstance(result, np.ndarray) and not np.isfinite(result).all():
            raise OutsideFloat64(
                f"need arguments and parameters for which {function.__qualname__} fits float64; "
                f"got {result[~np.isfinite(result)][0]:g}. Bring the eigenvalues into the trace scale."
            )
        return result

    return checked


def points_in(domain: RealInterval, z: Points) -> NDArray[np.complex128]:
    """The points as a complex array; those on the real axis must lie in the domain.

    Raises:
        SetolError: A point is not finite, or real and outside the domain.
    """
    points = np.asarray(z, dtype=np.complex128)
    outside = ~np.isfinite(points) | ((points.imag == 0) & ~domain.contains(points.real))
    if outside.any():
        raise SetolError(f"need real z in the domain {domain}, or z off the real axis; got {points[outside][0]:g}.")
    return points


def limits_in(
    domain: RealInterval, lower: float, upper: float | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both limits of an integral as float64 arrays, the lower of shape ().

    Raises:
        SetolError: The lower limit is an array, or a limit is outside the domain.
    """
    start, end = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    if start.ndim:
        raise SetolError(f"need one lower limit; got an array of shape {start.shape}.")
    for limits in (start, end):
        outside = ~domain.contains(limits)
        if outside.any():
            raise SetolError(f"need limits in the domain {domain}; got {limits[outside][0]:g}.")
    return start, end


def check_positive(**parameters: float) -> None:
    """Refuse parameters that are not finite and above 0.

    Raises:
        SetolError: One is not; the message names it.
    """
    for name, number in parameters.items():
        if not (math.isfinite(number) and number > 0):
            raise SetolError(f"need a finite {name} above 0; got {number}.")


def check_order(order: int) -> None:
    """Refuse an order of cumulants below 1.

    Raises:
        SetolError: It is not a whole number of at least 1.
    """
    if not isinstance(order, int | np.integer) or isinstance(order, bool) or order < 1:
        raise SetolError(f"need a whole order of at least 1; got {order!r}.")
