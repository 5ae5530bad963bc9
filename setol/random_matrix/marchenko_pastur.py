"""The Marchenko-Pastur law: the spectrum of X = W^T W / N for independent entries of one variance.

Marchenko and Pastur (Math. USSR-Sbornik 1, 1967). Everything follows from one angle: with r = sqrt(M/N) and
lambda = variance (1 + r^2 - 2 r cos t), t from 0 to pi, both square roots of the density become sin t, and the
CDF has a closed form in t without singular ends.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from setol.errors import SetolError

SMALLEST_VARIANCE, LARGEST_VARIANCE = 1e-300, 1e305
"""Between these a density and an edge still are normal numbers of float64."""

BISECTIONS = 60
"""Halvings of [0, pi] that reach the spacing of float64."""


@dataclass(frozen=True, slots=True)
class MarchenkoPastur:
    """The law of the eigenvalues of W^T W / N, where W is N x M with independent entries of mean 0.

    Attributes:
        aspect_ratio: Q = N/M, at least 1, so that the law has no mass at 0.
        variance: Variance of the entries, above 0. The law is in the 1/N scale of W: its mean is the variance. With
            variance 1 it is in the trace scale as well.
    """

    aspect_ratio: float
    variance: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            SetolError: Q below 1 or not finite, or a variance outside [1e-300, 1e305].
        """
        if not (self.aspect_ratio >= 1 and math.isfinite(self.aspect_ratio)):
            raise SetolError(
                f"need a finite aspect ratio Q = N/M of at least 1; got {self.aspect_ratio}. N is the longer side."
            )
        check_variance(self.variance)

    @property
    def q(self) -> float:
        """M/N, at most 1."""
        return 1.0 / self.aspect_ratio

    @property
    def lambda_minus(self) -> float:
        """Lower edge, variance (1 - sqrt q)^2: 0 at Q = 1."""
        return self.variance * ((1.0 - self.q) / (1.0 + math.sqrt(self.q))) ** 2

    @property
    def lambda_plus(self) -> float:
        """Upper edge, variance (1 + sqrt q)^2."""
        return self.variance * (1.0 + math.sqrt(self.q)) ** 2

    def density(self, evals: ArrayLike) -> NDArray[np.float64]:
        """Density at each point, 1/N scale; 0 outside the edges, infinite at 0 where Q = 1."""
        points = _points(evals) / self.variance
        low, high = self.lambda_minus / self.variance, self.lambda_plus / self.variance
        inside = (points >= low) & (points <= high)
        density = np.zeros_like(points)
        x = points[inside]
        with np.errstate(divide="ignore"):  # at 0 where Q = 1
            # sqrt((x - low)/x) is exactly 1 at Q = 1, so that only 1/sqrt(x) is left of the singularity.
            share = np.sqrt(1.0 - low / x) if low > 0 else np.ones_like(x)
            density[inside] = np.sqrt(high - x) * share / np.sqrt(x) / (2 * np.pi * self.q * self.variance)
        return density

    def singular_value_density(self, singular_values: ArrayLike) -> NDArray[np.float64]:
        """Density of sqrt(lambda), the singular values of W / sqrt(N); at Q = 1 a quarter circle."""
        points = _points(singular_values) / math.sqrt(self.variance)
        low, high = self.lambda_minus / self.variance, self.lambda_plus / self.variance
        squares = points**2
        inside = (points >= 0) & (squares >= low) & (squares <= high)
        density = np.zeros_like(points)
        x = squares[inside]
        share = np.sqrt(1.0 - low / x) if low > 0 else np.ones_like(x)
        density[inside] = np.sqrt(high - x) * share / (np.pi * self.q * math.sqrt(self.variance))
        return density

    def cdf(self, evals: ArrayLike) -> NDArray[np.float64]:
        """Share of the law at or below each point (1/N scale), to an absolute 1e-15 sqrt(Q)."""
        points = np.clip(_points(evals), self.lambda_minus, self.lambda_plus) / self.variance
        low, high = self.lambda_minus / self.variance, self.lambda_plus / self.variance
        above_low, below_high = np.maximum(points - low, 0.0), np.maximum(high - points, 0.0)
        return self._cdf_of_angle(2 * np.arctan2(np.sqrt(above_low), np.sqrt(below_high)))

    def quantile(self, shares: ArrayLike) -> NDArray[np.float64]:
        """Points (1/N scale) below which the given shares of the law lie.

        Raises:
            SetolError: A share is outside [0, 1] or NaN.
        """
        wanted = np.asarray(shares, dtype=np.float64)
        if not np.all((wanted >= 0) & (wanted <= 1)):
            raise SetolError(f"need shares inside [0, 1]; got {wanted[~((wanted >= 0) & (wanted <= 1))].flat[0]}.")
        low, high = np.zeros_like(wanted), np.full_like(wanted, np.pi)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = self._cdf_of_angle(middle) < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        angle = (low + high) / 2
        root = math.sqrt(self.q)
        points: NDArray[np.float64] = self.lambda_minus + self.variance * 4 * root * np.sin(angle / 2) ** 2
        return points

    @property
    def median(self) -> float:
        """The point with half of the law on either side."""
        return float(self.quantile(0.5))

    def moment(self, order: int) -> float:
        """Mean of lambda^order, order at least 1: a Narayana polynomial in q times variance^order.

        Raises:
            SetolError: The order is below 1, or the value leaves float64.
        """
        _check_order(order)
        try:
            narayana = sum(self.q**r * (math.comb(order, r) * math.comb(order - 1, r) // (r + 1)) for r in range(order))
            return self.variance**order * narayana
        except OverflowError:
            raise _too_large("moment", order) from None

    def free_cumulant(self, order: int) -> float:
        """Free cumulant of an order of at least 1: variance^order q^(order - 1).

        Raises:
            SetolError: The order is below 1, or the value leaves float64.
        """
        _check_order(order)
        try:
            return self.variance**order * self.q ** (order - 1)
        except OverflowError:
            raise _too_large("free cumulant", order) from None

    @property
    def mean_log(self) -> float:
        """Mean of the natural logarithm of lambda."""
        at_the_gap = (1.0 - self.q) / self.q * math.log1p(-self.q) if self.q < 1 else 0.0
        return math.log(self.variance) - 1.0 - at_the_gap

    def stieltjes(self, points: ArrayLike) -> NDArray[np.float64] | NDArray[np.complex128]:
        """Mean of 1/(z - lambda), at real points outside the edges or at complex ones (1/N scale).

        Raises:
            SetolError: A point is NaN or infinite, or real and between the edges, where the transform is two-valued.
        """
        z = np.asarray(points)
        if not np.all(np.isfinite(z)):
            raise SetolError("need finite points; got NaN or infinity. The transform goes to 0 like 1/z.")
        z = z / self.variance
        low, high = self.lambda_minus / self.variance, self.lambda_plus / self.variance
        if np.any((np.imag(z) == 0) & (np.real(z) >= low) & (np.real(z) < high)):
            raise SetolError(
                f"need real points outside [{self.lambda_minus}, {self.lambda_plus}]; got one between the edges. "
                "Add a small imaginary part of the wanted sign."
            )
        # Square roots apart take the branch that goes like z at infinity. Written with the sum in the denominator
        # nothing cancels for large z.
        root = np.sqrt(z - low + 0j) * np.sqrt(z - high + 0j)
        transform = 2.0 / (z + self.q - 1.0 + root) / self.variance
        return transform if np.iscomplexobj(z) else transform.real

    def ks_distance(self, evals: NDArray[np.float64]) -> float:
        """Two-sided Kolmogorov-Smirnov distance of a spectrum to the law.

        Args:
            evals: Eigenvalues in the 1/N scale, shape (n,), zeros included, any order.

        Raises:
            SetolError: There is no eigenvalue, or one is NaN.
        """
        cdf = self.cdf(np.sort(evals))
        if not len(evals):
            raise SetolError("need at least one eigenvalue; got none.")
        steps = np.arange(len(evals) + 1) / len(evals)
        return float(max((cdf - steps[:-1]).max(), (steps[1:] - cdf).max()))

    def _cdf_of_angle(self, angle: NDArray[np.float64]) -> NDArray[np.float64]:
        """CDF at lambda = variance (1 + q - 2 sqrt(q) cos angle), from the Poisson kernel's Fourier series."""
        root = math.sqrt(self.q)
        sine = np.sin(angle)
        phase = np.arctan2(root * sine, 1.0 - root * np.cos(angle))
        cdf = (angle + root * sine - (1.0 - self.q) * (phase - root * sine) / self.q) / np.pi
        return np.clip(cdf, 0.0, 1.0)


def _points(values: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(values, dtype=np.float64)
    if np.isnan(points).any():
        raise SetolError(f"need points that are numbers; got {np.count_nonzero(np.isnan(points))} NaN.")
    return points


def check_variance(variance: float) -> None:
    """Refuse what is no variance of noise.

    Raises:
        SetolError: It is outside [1e-300, 1e305].
    """
    if not SMALLEST_VARIANCE <= variance <= LARGEST_VARIANCE:
        raise SetolError(
            f"need a variance above 0, between {SMALLEST_VARIANCE} and {LARGEST_VARIANCE}; got {variance}. "
            "Rescale the weights by a constant if theirs is beyond."
        )


def _too_large(what: str, order: int) -> SetolError:
    return SetolError(f"need a {what} that fits float64; got one of order {order}. Take a law of variance 1.")


def _check_order(order: int) -> None:
    if order < 1:
        raise SetolError(f"need an order of at least 1; got {order}.")
