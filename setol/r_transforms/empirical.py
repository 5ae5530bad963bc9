"""R-transform of the eigenvalues themselves: no model, no quadrature, every z from 0 up.

For n eigenvalues C(x), the mean of 1/(x - lambda), falls from infinity to 0 over x above the largest, so
that C(x) = z has one solution there for every z > 0. R(z) = x - 1/z is found by Newton's method, and its
integral is the Legendre transform z R - mean ln(1 + z (R - lambda)). R rises from the mean eigenvalue at
z = 0 towards the largest one. SETOL proposes to compute layer quality from an R-transform of the spectrum
without saying how (arXiv 2507.17912, section 5.6); along this branch nothing has to be cut or continued.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.r_transforms.cumulants import spectrum_free_cumulants
from setol.r_transforms.protocol import OutsideFloat64, Points, RealInterval, limits_in, points_in, within_float64
from setol.scale import check_spectrum

BLOCK = 2**16
"""Number of (z, eigenvalue) pairs worked on at once: 0.5 MiB of float64, which stays in the cache."""

CONVERGED = 1e-10
"""Relative step after which Newton's method, whose errors are squared at every step, has no digit left to gain."""

STEPS = 100
"""Far more than are needed: some ten were seen, whatever the spectrum and z."""


@dataclass(frozen=True, slots=True, eq=False)
class EmpiricalRTransform:
    """R of a given spectrum.

    Attributes:
        evals: Eigenvalues, shape (n,), zeros included, any order, any scale, at least one positive; R is in
            that scale, z in its inverse.

    Raises:
        SetolError: There is no positive eigenvalue, or one is negative or not finite.
    """

    evals: NDArray[np.float64]

    def __post_init__(self) -> None:
        check_spectrum(self.evals)
        if not np.any(self.evals > 0):
            raise SetolError("need at least one positive eigenvalue for an R-transform; got only zeros.")

    @property
    def domain(self) -> RealInterval:
        """From 0 up; off the real axis the inverse of C has many branches."""
        return RealInterval(lower=0.0, closed_below=True)

    @property
    def branch_cut(self) -> None:
        """None on the real axis."""
        return None

    def value(self, z: Points) -> NDArray[np.complex128]:
        """R(z), shape of z, real; the mean eigenvalue at z = 0.

        Raises:
            SetolError: A point is not finite, not real, or below 0.
        """
        points = points_in(self.domain, z)
        if np.any(points.imag != 0):
            first = points[points.imag != 0][0]
            raise SetolError(f"need z in the domain {self.domain} of the real axis; got {first:g}.")
        return np.asarray(float(self.evals.max()) * self._by_blocks(points.real, _values), dtype=np.complex128)

    def integral(self, lower: float, upper: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Integral of R from lower to upper, shape of upper; its time goes as n times the size of upper.

        Raises:
            SetolError: A limit is not finite or below 0.
        """
        start, end = limits_in(self.domain, lower, upper)
        return np.asarray(self._by_blocks(end, _integrals) - self._by_blocks(start, _integrals))

    @within_float64
    def free_cumulants(self, order: int) -> NDArray[np.float64]:
        """kappa_1 .. kappa_order of the spectrum, shape (order,), in powers of its scale.

        Raises:
            SetolError: The order is no whole number of at least 1, or a cumulant leaves float64.
        """
        largest = float(self.evals.max())
        mean = largest * float((self.evals / largest).mean())
        return np.asarray(spectrum_free_cumulants(self.evals, order).cumulants * mean ** np.arange(1.0, order + 1))

    def _by_blocks(
        self, z: NDArray[np.float64], solve: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Apply a function of (z, eigenvalues), in units of the largest eigenvalue, to blocks of z, shape of z."""
        largest = float(self.evals.max())
        if z.size and float(z.max()) > np.finfo(np.float64).max / max(largest, 1.0) / 2:
            raise OutsideFloat64(
                f"need z whose product with the largest eigenvalue, {largest:g}, fits float64; got {z.max():g}."
            )
        relative, scaled = self.evals / largest, (z * largest).ravel()
        rows = max(1, BLOCK // len(relative))
        solved = [solve(scaled[first : first + rows], relative) for first in range(0, len(scaled), rows)]
        return np.concatenate([*solved, np.empty(0)]).reshape(z.shape)


def _depths(t: NDArray[np.float64], gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far R lies below the largest eigenvalue, in units of that eigenvalue, shape of t.

    The depth v solves mean 1/(1 + t (gap - v)) = 1. Its reciprocal, a harmonic mean, is concave in v and
    nearly straight: Newton's method on it goes to the solution from above without overshooting.

    Args:
        t: z times the largest eigenvalue, shape (m,).
        gaps: (largest - lambda)/largest, shape (n,).
    """
    n_below = np.count_nonzero(gaps)
    # Two upper bounds: R is at least the mean, and the largest eigenvalues alone must not exceed the sum.
    depths = np.full_like(t, gaps.mean())
    np.divide(n_below / len(gaps), t, out=depths, where=t * gaps.mean() > n_below / len(gaps))
    for _ in range(STEPS):
        inverse = 1.0 / (1.0 + t[:, None] * (gaps - depths[:, None]))
        mean_inverse = inverse.mean(axis=1)
        mean_square = np.einsum("ij,ij->i", inverse, inverse) / len(gaps)
        steps = mean_inverse * (inverse @ gaps / len(gaps) - depths * mean_inverse) / mean_square
        depths = depths + steps
        if np.all(np.abs(steps) <= CONVERGED * depths):
            return depths
    raise SetolError(f"Newton's method for the R-transform did not converge in {STEPS} steps; report the spectrum.")


def _values(t: NDArray[np.float64], relative: NDArray[np.float64]) -> NDArray[np.float64]:
    """R in units of the largest eigenvalue, shape of t.

    Args:
        t: z times the largest eigenvalue, shape (m,).
        relative: Eigenvalues divided by the largest, shape (n,).
    """
    depths = _depths(t, 1.0 - relative)
    # The equation for R makes it a mean of the eigenvalues, with positive weights: where R is far below the largest,
    # this keeps the digits that 1 - depth loses; elsewhere that is the one nearer to the solution.
    weights = 1.0 / (1.0 + _excesses(t, relative, depths))
    return np.where(depths < 0.9, 1.0 - depths, weights @ relative / weights.sum(axis=1))


def _integrals(t: NDArray[np.float64], relative: NDArray[np.float64]) -> NDArray[np.float64]:
    """The integral of R from 0, z R - mean ln(1 + z (R - lambda)), shape of t; arguments as of `_values`."""
    depths = _depths(t, 1.0 - relative)
    integrals: NDArray[np.float64] = t * (1.0 - depths) - np.log1p(_excesses(t, relative, depths)).mean(axis=1)
    return integrals


def _excesses(
    t: NDArray[np.float64], relative: NDArray[np.float64], depths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """All z (R - lambda), shape (m, n), from the depth of R: next to the largest eigenvalue R itself has no digits."""
    return np.asarray(t[:, None] * (1.0 - relative - depths[:, None]))
