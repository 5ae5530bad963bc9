"""Eigenvalues of a kernel, with how often each occurs and what is left beyond the last."""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, roots_legendre

from setol.errors import SetolError
from setol.field_theory.architecture import Architecture
from setol.field_theory.kernels import kernel_at_one, kernel_values
from setol.field_theory.sphere import check_dimension, degeneracies, gegenbauer_polynomials
from setol.field_theory.taylor import taylor_coefficients

Vector = NDArray[np.float64]

SERIES_FROM = 10
"""Dimensions from which the series is exact to 1e-9 with `TERMS` coefficients; below, quadrature."""

TERMS = 4001
"""Taylor coefficients that are summed."""

_NODES = 3000
_ROUNDING = 1e-14
"""Of the kernel's diagonal: eigenvalues below it are rounding, by quadrature."""


class SpectrumMethod(StrEnum):
    """How the eigenvalues on the sphere are computed."""

    AUTO = "auto"
    SERIES = "series"
    QUADRATURE = "quadrature"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Spectrum:
    """Eigenvalues of a kernel under the measure of the inputs; of a sphere, one a degree of the harmonics.

    Attributes:
        eigenvalues: In squared units of the output, shape (L+1,), none negative.
        degeneracies: How many eigenfunctions each has, shape (L+1,).
        tail: What all eigenvalues beyond sum to: the kernel's diagonal minus the sum of those that are here. It acts
            as additional ridge, so it is never dropped.
        dimension: Of the inputs, None for a spectrum that is of no sphere.

    Raises:
        SetolError: Lengths differ, or a number is negative or not finite.
    """

    eigenvalues: Vector
    degeneracies: Vector
    tail: float = 0.0
    dimension: int | None = None

    def __post_init__(self) -> None:
        if self.eigenvalues.shape != self.degeneracies.shape or self.eigenvalues.ndim != 1 or not len(self.eigenvalues):
            shapes = f"{self.eigenvalues.shape} and {self.degeneracies.shape}"
            raise SetolError(f"need as many degeneracies as eigenvalues, at least one, got shapes {shapes}.")
        for name, values in (("eigenvalues", self.eigenvalues), ("degeneracies", self.degeneracies)):
            if not (np.isfinite(values).all() and (values >= 0).all()):
                raise SetolError(f"need finite {name} of 0 or more: a kernel that has others is not positive.")
        if not (math.isfinite(self.tail) and self.tail >= 0):
            raise SetolError(f"need a tail of 0 or more, got {self.tail}.")

    @property
    def total(self) -> float:
        """All eigenvalues with their degeneracies and the tail: the mean of the kernel's diagonal."""
        return float(self.degeneracies @ self.eigenvalues) + self.tail

    @property
    def n_modes(self) -> float:
        """Eigenfunctions with an eigenvalue above 0."""
        return float(self.degeneracies[self.eigenvalues > 0].sum())


def sphere_spectrum(
    architecture: Architecture, dimension: int, highest: int = 40, method: str = SpectrumMethod.AUTO
) -> Spectrum:
    """The spectrum of a network's kernel on the unit sphere, under the uniform probability measure.

    Args:
        architecture: The network.
        dimension: Of the inputs, at least 3.
        highest: The last degree that is kept apart.
        method: `series` sums the Taylor coefficients (Azevedo and Menegatto, J. Approx. Theory 177, 2014), all terms
            of one sign, so small eigenvalues are as exact as large ones; truncation makes it low in few dimensions.
            `quadrature` integrates the kernel against the polynomials (Funk and Hecke), exact to about 1e-14 of the
            diagonal; what is smaller is set to 0. `auto` takes the series from `SERIES_FROM` dimensions.

    Returns:
        Eigenvalues of degrees 0 to `highest` and the tail beyond.

    Raises:
        SetolError: The dimension is below 3, the degree below 0, or the method unknown.
    """
    check_dimension(dimension)
    if method not in tuple(SpectrumMethod):
        raise SetolError(f"unknown method {method!r}; known: {', '.join(SpectrumMethod)}.")
    if method == SpectrumMethod.AUTO:
        method = SpectrumMethod.SERIES if dimension >= SERIES_FROM else SpectrumMethod.QUADRATURE
    if method == SpectrumMethod.SERIES:
        eigenvalues = from_taylor(taylor_coefficients(architecture, TERMS), dimension, highest)
    else:
        eigenvalues = _by_quadrature(architecture, dimension, highest)
    multiplicity = degeneracies(dimension, highest)
    tail = kernel_at_one(architecture) - float(multiplicity @ eigenvalues)
    return Spectrum(eigenvalues=eigenvalues, degeneracies=multiplicity, tail=max(tail, 0.0), dimension=dimension)


def from_taylor(coefficients: Vector, dimension: int, highest: int) -> Vector:
    """Eigenvalues on the sphere of the kernel with these Taylor coefficients, shape (highest + 1,).

    Args:
        coefficients: b_q of K(t) = sum_q b_q t^q; those beyond are taken as 0.
        dimension: Of the inputs.
        highest: The last degree.
    """
    found = np.zeros(highest + 1)
    for degree in range(min(highest + 1, len(coefficients))):
        every_other = coefficients[degree::2]
        s = np.arange(len(every_other), dtype=np.float64)
        logarithm = gammaln(2 * s + degree + 1) - gammaln(2 * s + 1) + gammaln(s + 0.5)
        logarithm += math.lgamma(dimension / 2) - gammaln(s + degree + dimension / 2)
        logarithm -= 0.5 * math.log(math.pi) + degree * math.log(2)
        found[degree] = float(every_other @ np.exp(logarithm))
    return found


def _by_quadrature(architecture: Architecture, dimension: int, highest: int) -> Vector:
    """Funk and Hecke's integral over the angle, where the kernel has no cusp."""
    nodes, weights = _gauss_legendre()
    angle = math.pi / 2 * (nodes + 1)
    weights = weights * np.sin(angle) ** (dimension - 2)
    weights /= weights.sum()
    cosine = np.cos(angle)
    weighted = weights * kernel_values(architecture, cosine)
    found = np.array([weighted @ polynomial for polynomial in gegenbauer_polynomials(cosine, dimension, highest)])
    return np.where(found > _ROUNDING * kernel_at_one(architecture), found, 0.0)


@cache
def _gauss_legendre() -> tuple[Vector, Vector]:
    nodes, weights = roots_legendre(_NODES)
    return nodes, weights
