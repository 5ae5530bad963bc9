"""R-transform of the semicircle, the spectrum of a random symmetric matrix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.r_transforms.protocol import (
    Points,
    RealInterval,
    check_order,
    check_positive,
    limits_in,
    points_in,
    within_float64,
)


@dataclass(frozen=True, slots=True)
class WignerRTransform:
    """R(z) = sigma^2 z, what the normal law is to ordinary sums; a reference, its eigenvalues are of both signs.

    Attributes:
        variance: sigma^2 of the eigenvalues, above 0, in their scale squared; the law ends at +-2 sigma.

    Raises:
        SetolError: The variance is not finite and above 0.
    """

    variance: float = 1.0

    def __post_init__(self) -> None:
        check_positive(variance=self.variance)

    @property
    def domain(self) -> RealInterval:
        """Every real z: R is entire."""
        return RealInterval()

    @property
    def branch_cut(self) -> None:
        """None."""
        return None

    @within_float64
    def value(self, z: Points) -> NDArray[np.complex128]:
        """R(z), shape of z.

        Raises:
            SetolError: R leaves float64, or a point is not finite.
        """
        return np.asarray(self.variance * points_in(self.domain, z))

    @within_float64
    def integral(self, lower: float, upper: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """G = sigma^2 (upper^2 - lower^2) / 2, shape of upper.

        Raises:
            SetolError: A limit is not finite, or the integral leaves float64.
        """
        start, end = limits_in(self.domain, lower, upper)
        return np.asarray(self.variance / 2 * (end - start) * (end + start))

    def free_cumulants(self, order: int) -> NDArray[np.float64]:
        """The variance at the second place, zeros elsewhere, shape (order,).

        Raises:
            SetolError: The order is no whole number of at least 1.
        """
        check_order(order)
        return np.where(np.arange(1, order + 1) == 2, self.variance, 0.0)
