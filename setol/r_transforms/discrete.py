"""R-transform of a constant: the bulk-plus-spikes (discrete) model of SETOL, cut after the mean."""

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
class DiscreteRTransform:
    """R(z) = kappa_1, exact for equal eigenvalues and the leading order in z of every other spectrum.

    SETOL (arXiv 2507.17912, section 5, bulk plus spikes) uses it for a few separate eigenvalues; its table has
    kappa_1 as their mean, its text as their sum. The mean is what the definition gives, R(0).

    Attributes:
        mean: kappa_1, above 0, in the scale of the eigenvalues.

    Raises:
        SetolError: The mean is not finite and above 0.
    """

    mean: float

    def __post_init__(self) -> None:
        check_positive(mean=self.mean)

    @property
    def domain(self) -> RealInterval:
        """Every real z: R is entire."""
        return RealInterval()

    @property
    def branch_cut(self) -> None:
        """None."""
        return None

    def value(self, z: Points) -> NDArray[np.complex128]:
        """R(z), shape of z.

        Raises:
            SetolError: A point is not finite.
        """
        return np.full_like(points_in(self.domain, z), self.mean)

    @within_float64
    def integral(self, lower: float, upper: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """G = mean (upper - lower), shape of upper.

        Raises:
            SetolError: A limit is not finite, or the integral leaves float64.
        """
        start, end = limits_in(self.domain, lower, upper)
        return np.asarray(self.mean * (end - start))

    def free_cumulants(self, order: int) -> NDArray[np.float64]:
        """The mean, then zeros, shape (order,).

        Raises:
            SetolError: The order is no whole number of at least 1.
        """
        check_order(order)
        return np.r_[self.mean, np.zeros(order - 1)]
