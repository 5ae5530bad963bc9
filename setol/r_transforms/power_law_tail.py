"""Moments and Stieltjes transform of a bare power-law tail, cut off above or not, in closed form.

SETOL (arXiv 2507.17912, appendix on free cumulants) gives alpha = 2, 3, 4 one by one; here every alpha is one
formula. Free cumulants follow from the moments by `free_cumulants_from_moments`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import exprel, hyp2f1

from setol.errors import SetolError
from setol.r_transforms.protocol import RealInterval, check_order, check_positive
from setol.reasons import Reason


@dataclass(frozen=True, slots=True)
class PowerLawTail:
    """The density proportional to lambda^-alpha on [lambda_min, lambda_max], nothing below.

    Attributes:
        alpha: Exponent of the density, above 1.
        lambda_min: Lower end, above 0, any scale.
        lambda_max: Upper end, above lambda_min, in the same scale; inf for none.

    Raises:
        SetolError: A parameter is out of its range.
    """

    alpha: float
    lambda_min: float
    lambda_max: float = math.inf

    def __post_init__(self) -> None:
        check_positive(lambda_min=self.lambda_min)
        if not (math.isfinite(self.alpha) and self.alpha > 1):
            raise SetolError(f"need a finite alpha above 1, the exponent of the density; got {self.alpha}.")
        if not self.lambda_max > self.lambda_min:
            raise SetolError(f"need lambda_max above lambda_min = {self.lambda_min}; got {self.lambda_max}.")

    @property
    def domain(self) -> RealInterval:
        """The real z below the tail, at which the Stieltjes transform is offered."""
        return RealInterval(upper=self.lambda_min)

    def moments(self, order: int) -> NDArray[np.float64] | Reason:
        """m_1 .. m_order, the means of lambda^k, shape (order,), in powers of the scale.

        Without an upper end m_k = (alpha - 1) lambda_min^k / (alpha - 1 - k) for k below alpha - 1.

        Returns:
            The moments, or `Reason.NO_MOMENTS` where there is no upper end and order is at least alpha - 1.

        Raises:
            SetolError: The order is no whole number of at least 1, or a moment leaves float64.
        """
        check_order(order)
        k, index = np.arange(1, order + 1), self.alpha - 1
        with np.errstate(over="ignore", invalid="ignore"):
            if math.isinf(self.lambda_max):
                if order >= index:
                    return Reason.NO_MOMENTS
                moments = self.lambda_min**k * (index / (index - k))
            else:
                # The integral of lambda^(p-1) is lambda_min^p L exprel(p L), L the logarithm of the ratio of ends.
                length = math.log(self.lambda_max) - math.log(self.lambda_min)
                moments = self.lambda_min**k * (exprel((k - index) * length) / exprel(-index * length))
        if not np.isfinite(moments).all():
            raise SetolError(f"need moments that fit float64; got infinite ones up to order {order}. Rescale the tail.")
        return np.asarray(moments, dtype=np.float64)

    def stieltjes(self, z: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """C(z), the mean of 1/(z - lambda), for real z below the tail, shape of z, in the inverse scale.

        Raises:
            SetolError: A point is not finite or not below lambda_min.
        """
        points = np.asarray(z, dtype=np.float64)
        outside = ~self.domain.contains(points)
        if outside.any():
            raise SetolError(f"need z in the domain {self.domain}, below the tail; got {points[outside][0]:g}.")
        whole = self._from(self.lambda_min, points)
        if math.isinf(self.lambda_max):
            return whole
        beyond = (self.lambda_min / self.lambda_max) ** (self.alpha - 1)
        return np.asarray((whole - beyond * self._from(self.lambda_max, points)) / (1 - beyond))

    def _from(self, lower: float, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """C(z) of the tail from a lower end up without an upper one: a hypergeometric function of z/lower."""
        index = self.alpha - 1
        return np.asarray(-index / self.alpha / lower * hyp2f1(1, self.alpha, self.alpha + 1, z / lower))
