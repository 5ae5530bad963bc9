"""R-transform of the Cauchy law: SETOL's model of a tail with alpha = 2."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.r_transforms.protocol import (
    Points,
    RealInterval,
    check_order,
    check_positive,
    limits_in,
    points_in,
    within_float64,
)
from setol.reasons import Reason


@dataclass(frozen=True, slots=True)
class FreeCauchyRTransform:
    """R(z) = a + i gamma, the Cauchy law with peak a and half-width gamma, for which free and classical sums agree.

    SETOL (arXiv 2507.17912, section 5, free Cauchy) calls the result illustrative. It is: the law lies on the
    whole real line while eigenvalues are positive, it has no mean, and a is fitted to nothing. The sign of
    i gamma is that of the paper, for z in the lower half-plane, where C maps the upper one; only Re R is used.

    Attributes:
        location: a, above 0, in the scale of the eigenvalues.
        width: gamma, at least 0, in the same scale; Re R and the integral do not depend on it.

    Raises:
        SetolError: The location is not finite and above 0, or the width not finite and at least 0.
    """

    location: float
    width: float = 1.0

    def __post_init__(self) -> None:
        check_positive(location=self.location)
        if not (math.isfinite(self.width) and self.width >= 0):
            raise SetolError(f"need a finite width of at least 0; got {self.width}.")

    @property
    def domain(self) -> RealInterval:
        """Every real z."""
        return RealInterval()

    @property
    def branch_cut(self) -> None:
        """None: the constant a + i gamma is used on both sides of the real axis."""
        return None

    def value(self, z: Points) -> NDArray[np.complex128]:
        """R(z), shape of z.

        Raises:
            SetolError: A point is not finite.
        """
        return np.full_like(points_in(self.domain, z), complex(self.location, self.width))

    @within_float64
    def integral(self, lower: float, upper: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """G = location (upper - lower), shape of upper.

        Raises:
            SetolError: A limit is not finite, or the integral leaves float64.
        """
        start, end = limits_in(self.domain, lower, upper)
        return np.asarray(self.location * (end - start))

    def free_cumulants(self, order: int) -> Reason:
        """`Reason.NO_MOMENTS`: the Cauchy law has not even a mean.

        Raises:
            SetolError: The order is no whole number of at least 1.
        """
        check_order(order)
        return Reason.NO_MOMENTS
