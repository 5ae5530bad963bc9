"""R-transform of the Marchenko-Pastur law, the spectrum of a random matrix."""

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


@dataclass(frozen=True, slots=True)
class MarchenkoPasturRTransform:
    """R(z) = sigma^2 / (1 - q sigma^2 z) for W^T W / N with entries of variance sigma^2; a reference, not in SETOL.

    Attributes:
        aspect_ratio: Q = 1/q = N/M, at least 1.
        variance: sigma^2, above 0; 1 puts the eigenvalues into the trace scale.

    Raises:
        SetolError: A parameter is out of its range or not finite.
    """

    aspect_ratio: float
    variance: float = 1.0

    def __post_init__(self) -> None:
        check_positive(aspect_ratio=self.aspect_ratio, variance=self.variance)
        if self.aspect_ratio < 1:
            raise SetolError(f"need an aspect ratio Q = N/M of at least 1; got {self.aspect_ratio}. Swap N and M.")

    @property
    def domain(self) -> RealInterval:
        """All z below the pole at Q/sigma^2; beyond it R is negative and belongs to no spectrum."""
        return RealInterval(upper=self.aspect_ratio / self.variance)

    @property
    def branch_cut(self) -> None:
        """None: there is a pole, at the upper end of the domain."""
        return None

    @within_float64
    def value(self, z: Points) -> NDArray[np.complex128]:
        """R(z), shape of z.

        Raises:
            SetolError: R leaves float64, or a point is not finite, or real and not below the pole.
        """
        return np.asarray(self.variance / (1 - self._jump * points_in(self.domain, z)))

    @within_float64
    def integral(self, lower: float, upper: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """G = -Q ln[(1 - q sigma^2 upper) / (1 - q sigma^2 lower)], shape of upper.

        Raises:
            SetolError: The integral leaves float64, or a limit is not finite or not below the pole.
        """
        start, end = limits_in(self.domain, lower, upper)
        start_log, end_log = np.log1p(-self._jump * start), np.log1p(-self._jump * end)
        return np.asarray(self.aspect_ratio * (start_log - end_log), dtype=np.float64)

    @within_float64
    def free_cumulants(self, order: int) -> NDArray[np.float64]:
        """kappa_n = sigma^(2n) q^(n-1), shape (order,).

        Raises:
            SetolError: The order is no whole number of at least 1, or a cumulant leaves float64.
        """
        check_order(order)
        return np.asarray(self.variance * self._jump ** np.arange(order), dtype=np.float64)

    @property
    def _jump(self) -> float:
        """The jump q sigma^2 of the free Poisson law that this is."""
        return self.variance / self.aspect_ratio
