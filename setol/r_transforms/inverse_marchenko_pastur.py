"""R-transform of the inverse Marchenko-Pastur law, exact on both sides of its branch cut."""

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


@dataclass(frozen=True, slots=True)
class InverseMarchenkoPasturRTransform:
    """R(z) = 2 / (1 + s), s = sqrt(1 - 2z/kappa): the law of (1 - q)/x for x of Marchenko-Pastur, of mean 1.

    That is [kappa - sqrt(kappa (kappa - 2z))]/z of SETOL (arXiv 2507.17912, section 5) with its removable
    singularity at z = 0 removed. For q = M/N of a random matrix kappa = (Q - 1)/2. SETOL lets kappa follow the
    fitted alpha instead, in its text as alpha = 2 kappa; its own figure has an intercept of about 1 besides.
    Beyond z = kappa/2 no spectrum stands behind R: Re R = kappa/z there is a formal continuation.

    Attributes:
        kappa: Shape, above 0; the scale of the eigenvalues is such that their mean is 1 (the trace scale).

    Raises:
        SetolError: kappa is not finite and above 0.
    """

    kappa: float

    def __post_init__(self) -> None:
        check_positive(kappa=self.kappa)

    @property
    def domain(self) -> RealInterval:
        """Every real z, the cut included."""
        return RealInterval()

    @property
    def branch_cut(self) -> RealInterval:
        """From kappa/2 up; Re R is the same on both of its sides, Im R changes sign."""
        return RealInterval(lower=self.kappa / 2, closed_below=True)

    @within_float64
    def value(self, z: Points) -> NDArray[np.complex128]:
        """R(z), shape of z; on the cut the limit from above, where Im R is positive.

        Raises:
            SetolError: R leaves float64, or a point is not finite.
        """
        points = points_in(self.domain, z)
        root = np.sqrt(1 - 2 * points / self.kappa)
        # On the cut numpy takes the side by the sign of a zero; from above, Im z -> 0+, s lies below the real axis.
        root = np.where((points.imag == 0) & (root.imag > 0), root.conj(), root)
        return np.asarray(2 / (1 + root))

    @within_float64
    def integral(self, lower: float, upper: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Integral of Re R from lower to upper, shape of upper.

        Above the cut's beginning it is kappa ln(upper/lower), the form used in SETOL.

        Raises:
            SetolError: A limit is not finite, or the integral leaves float64.
        """
        start, end = limits_in(self.domain, lower, upper)
        return np.asarray(self._from_zero(end) - self._from_zero(start))

    @within_float64
    def free_cumulants(self, order: int) -> NDArray[np.float64]:
        """Catalan numbers over powers of 2 kappa: 1, 1/(2 kappa), 2/(2 kappa)^2, 5/(2 kappa)^3, ..., shape (order,).

        Raises:
            SetolError: The order is no whole number of at least 1, or a cumulant leaves float64.
        """
        check_order(order)
        n = np.arange(1, order)
        return np.asarray(np.cumprod(np.r_[1.0, (4 * n - 2) / (n + 1) / (2 * self.kappa)]), dtype=np.float64)

    def _from_zero(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """The integral from 0, shape of z."""
        ratio = 2 * z / self.kappa
        root = np.sqrt(np.maximum(1 - ratio, 0.0))
        below = 1 - root  # small at small z: written as a product, so that its digits stay
        below = np.where(ratio < 1, ratio / (1 + root), below)
        integral: NDArray[np.float64] = 2 * self.kappa * (below + np.log1p(-below / 2))
        integral += self.kappa * np.log(np.maximum(ratio, 1.0))
        return integral


def kappa_of_random_matrix(aspect_ratio: float) -> float:
    """The kappa, (Q - 1)/2, with which the law is that of the inverse of a random Gram matrix.

    Args:
        aspect_ratio: Q = N/M, above 1.

    Raises:
        SetolError: Q is not finite and above 1: at Q = 1 the inverse has no mean.
    """
    if not (math.isfinite(aspect_ratio) and aspect_ratio > 1):
        raise SetolError(f"need a finite aspect ratio Q = N/M above 1; got {aspect_ratio}.")
    return (aspect_ratio - 1) / 2
