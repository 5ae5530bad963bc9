"""R-transform of a free stable law: SETOL's Lévy-Wigner model of a heavy tail."""

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
class LevyWignerRTransform:
    """R(z) = a + b z^(alpha - 2), the law of a Lévy matrix with tail density lambda^-alpha, stable under free sums.

    The stability index is alpha - 1 in (0, 2], so that a law stands behind it for 1 < alpha <= 3 only (at 3 the
    semicircle); SETOL (arXiv 2507.17912, section 5, Lévy-Wigner) uses it beyond, which is formal. There, too, b
    is taken real and positive, while the free stable law has a complex phase that Re R would bring in as a
    factor (Bercovici and Pata, Ann. Math. 149, 1999). Its integral is printed there with alpha - 2 for the
    exponent and the divisor; both are alpha - 1.

    Attributes:
        alpha: Exponent of the tail density, above 1.
        shift: a, at least 0, in the scale of the eigenvalues.
        strength: b, above 0; None for alpha - 1, with which layer quality squared is a Schatten norm.

    Raises:
        SetolError: A parameter is out of its range or not finite.
    """

    alpha: float
    shift: float = 0.0
    strength: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and self.alpha > 1):
            raise SetolError(f"need a finite alpha above 1, the exponent of the tail density; got {self.alpha}.")
        if not (math.isfinite(self.shift) and self.shift >= 0):
            raise SetolError(f"need a finite shift of at least 0; got {self.shift}.")
        if self.strength is not None:
            check_positive(strength=self.strength)

    @property
    def domain(self) -> RealInterval:
        """Positive z."""
        return RealInterval(lower=0.0)

    @property
    def branch_cut(self) -> RealInterval | None:
        """Up to 0; None where alpha is a whole number, which makes z^(alpha - 2) single-valued."""
        return None if float(self.alpha).is_integer() else RealInterval(upper=0.0, closed_above=True)

    @within_float64
    def value(self, z: Points) -> NDArray[np.complex128]:
        """R(z), shape of z, on the principal branch.

        Raises:
            SetolError: R leaves float64, or a point is not finite, or real and not above 0.
        """
        return np.asarray(self.shift + self._strength * points_in(self.domain, z) ** (self.alpha - 2))

    @within_float64
    def integral(self, lower: float, upper: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """G = a (upper - lower) + b (upper^(alpha-1) - lower^(alpha-1)) / (alpha - 1), shape of upper.

        Raises:
            SetolError: The integral leaves float64, or a limit is not finite or not above 0.
        """
        start, end = limits_in(self.domain, lower, upper)
        power = self.alpha - 1
        return np.asarray(self.shift * (end - start) + self._strength / power * (end**power - start**power))

    def free_cumulants(self, order: int) -> Reason:
        """`Reason.NO_MOMENTS`: the tail leaves no variance, and up to alpha = 2 no mean.

        Raises:
            SetolError: The order is no whole number of at least 1.
        """
        check_order(order)
        return Reason.NO_MOMENTS

    @property
    def _strength(self) -> float:
        return self.alpha - 1 if self.strength is None else self.strength
