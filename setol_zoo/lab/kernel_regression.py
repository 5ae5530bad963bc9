"""Learning curves as they are measured: kernel regression on random inputs of the sphere, its test error exact.

No test set is needed. The predictor is a sum of kernels at the examples, so its mean squared deviation from a harmonic
is a quadratic form of the eigenvalues (orthonormality), and no sampling of test points is in the error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from setol.errors import SetolError
from setol.field_theory.architecture import Architecture
from setol.field_theory.kernels import kernel_values
from setol.field_theory.spectrum import Spectrum, Vector
from setol.field_theory.sphere import degeneracies, gegenbauer_polynomials

_NEGLIGIBLE = 1e-14
"""Share of a sum over degrees that may be left out."""

_NOISES = 4
"""Draws of label noise a data set."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Measured:
    """Errors of kernel regression over random data sets, in squared units of the target.

    Attributes:
        n_examples: Shape (n,), as all that follows.
        error: Mean over data sets and targets of the squared deviation from the noise-free target.
        standard_error: Of that mean, over data sets; NaN for one.
        per_degree: Parts of the error by degree of the target, shape (n, L+1).
        posterior_variance: Mean variance of the Gaussian process at a new input.
    """

    n_examples: Vector
    error: Vector
    standard_error: Vector
    per_degree: np.ndarray
    posterior_variance: Vector


def measure(
    spectrum: Spectrum,
    target_power: Sequence[float],
    n_examples: Sequence[int],
    *,
    architecture: Architecture | None = None,
    ridge: float = 0.0,
    label_noise: float = 0.0,
    data_sets: int = 12,
    targets: int = 4,
    poisson: bool = False,
    generator: torch.Generator,
) -> Measured:
    """Measure a learning curve.

    Args:
        spectrum: Of the kernel on the sphere.
        target_power: Mean square of the target by degree; each degree is a random zonal harmonic.
        n_examples: Numbers of training examples.
        architecture: Whose kernel it is; None for the kernel that the spectrum itself sums to, its tail left out.
        ridge: Added to the Gram matrix's diagonal.
        label_noise: Variance of noise on the training labels.
        data_sets: Of each size.
        targets: Random targets of a degree for each data set.
        poisson: Draw each number of examples from the Poisson distribution of that mean.
        generator: Its device is where the work is done, in float64.

    Raises:
        SetolError: The spectrum is of no sphere, or the Gram matrix is singular (ridge 0 and a finite spectrum).
    """
    if spectrum.dimension is None:
        raise SetolError("need the spectrum of a sphere: the measured error is that of harmonics.")
    rows = []
    for mean in n_examples:
        several = [
            _one_data_set(spectrum, target_power, mean, architecture, ridge, label_noise, targets, poisson, generator)
            for _ in range(data_sets)
        ]
        rows.append(np.stack(several))
    parts = np.stack(rows)  # size, data set, degrees then noise then variance
    errors = parts[:, :, :-1].sum(axis=2)
    spread = errors.std(axis=1, ddof=1) if data_sets > 1 else np.full(len(rows), np.nan)
    return Measured(
        n_examples=np.asarray(n_examples, dtype=np.float64),
        error=errors.mean(axis=1),
        standard_error=spread / math.sqrt(data_sets),
        per_degree=parts[:, :, :-2].mean(axis=1),
        posterior_variance=parts[:, :, -1].mean(axis=1),
    )


def zonal_harmonic(cosine: Tensor, dimension: int, degree: int) -> Tensor:
    """The harmonic of mean square 1 that depends on the angle to one direction alone.

    Args:
        cosine: Of that angle, any shape.
        dimension: Of the inputs.
        degree: Of the harmonic.
    """
    *_, polynomial = gegenbauer_polynomials(cosine, dimension, degree)
    found: Tensor = polynomial * math.sqrt(degeneracies(dimension, degree)[degree])
    return found


def _one_data_set(
    spectrum: Spectrum,
    target_power: Sequence[float],
    mean: int,
    architecture: Architecture | None,
    ridge: float,
    label_noise: float,
    targets: int,
    poisson: bool,
    generator: torch.Generator,
) -> Vector:
    """Error by degree, that of the label noise, and the posterior variance."""
    normal = partial(torch.randn, generator=generator, device=generator.device, dtype=torch.float64)
    count = mean
    if poisson:
        count = int(torch.poisson(torch.tensor(float(mean), device=generator.device), generator=generator))
    if count == 0:
        return np.array([*target_power, 0.0, spectrum.total])
    dimension = spectrum.dimension
    assert dimension is not None
    inputs = torch.nn.functional.normalize(normal(count, dimension), dim=1)
    cosine = inputs @ inputs.T
    cosine.fill_diagonal_(1.0)
    squares = spectrum.degeneracies * spectrum.eigenvalues**2
    squared = _sum_of_polynomials(spectrum, squares, cosine)
    if architecture is None:
        gram = _sum_of_polynomials(spectrum, spectrum.degeneracies * spectrum.eigenvalues, cosine)
    else:
        gram = kernel_values(architecture, cosine, torch)
    gram.diagonal().add_(ridge)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if int(failed):
        raise SetolError(f"the Gram matrix of {count} examples is singular: need a ridge above 0, or fewer examples.")

    found = []
    for degree, power in enumerate(target_power):
        if power == 0:
            found.append(0.0)
            continue
        directions = torch.nn.functional.normalize(normal(targets, dimension), dim=1)
        labels = zonal_harmonic(inputs @ directions.T, dimension, degree)
        weights = torch.cholesky_solve(labels, factor)
        fitted = 2 * spectrum.eigenvalues[degree] * (weights * labels).sum(0)
        found.append(power * float((1 - fitted + _quadratic(squared, weights)).mean()))
    noise = 0.0
    if label_noise > 0:
        weights = torch.cholesky_solve(normal(count, _NOISES), factor)
        noise = label_noise * float(_quadratic(squared, weights).mean())
    variance = spectrum.total - float(torch.cholesky_solve(squared, factor).trace())
    return np.array([*found, noise, variance])


def _sum_of_polynomials(spectrum: Spectrum, factors: Vector, cosine: Tensor) -> Tensor:
    left = np.append(np.cumsum(factors[::-1])[::-1], 0.0)
    last = int(np.flatnonzero(left > _NEGLIGIBLE * left[0])[-1])
    found = torch.zeros_like(cosine)
    for factor, polynomial in zip(factors, gegenbauer_polynomials(cosine, spectrum.dimension or 0, last), strict=False):
        found.add_(polynomial, alpha=float(factor))
    return found


def _quadratic(matrix: Tensor, vectors: Tensor) -> Tensor:
    return (vectors * (matrix @ vectors)).sum(0)
