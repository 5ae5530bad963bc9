"""Spectra with known laws, shared by the tests of the numerics."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import scipy.linalg
import threadpoolctl
import torch
from numpy.typing import NDArray

Spectrum = NDArray[np.float64]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Matrices this small run ten times slower on threads that wait for each other."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1):
        yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def marchenko_pastur_quantiles() -> Callable[[int, float], Spectrum]:
    """The n mid-quantiles of the Marchenko-Pastur law of unit entry variance, for Q = N/M."""

    def quantiles(n: int, aspect_ratio: float) -> Spectrum:
        q = 1.0 / aspect_ratio
        low, high = (1 - np.sqrt(q)) ** 2, (1 + np.sqrt(q)) ** 2
        # With lambda = low + (high - low) sin^2 t both square roots at the edges go into smooth sines.
        t = np.linspace(0.0, np.pi / 2, 200_001)[1:]
        evals = low + (high - low) * np.sin(t) ** 2
        density = (high - low) ** 2 * (np.sin(t) * np.cos(t)) ** 2 / (np.pi * q * evals)
        cdf = np.cumsum((density + np.r_[density[0], density[:-1]]) / 2)
        return np.interp((np.arange(n) + 0.5) / n, cdf / cdf[-1], evals)

    return quantiles


def pareto(rng: np.random.Generator, n: int, alpha: float, lambda_min: float = 1.0) -> Spectrum:
    """Draws with density proportional to lambda^-alpha from lambda_min up, by inversion of the CDF."""
    return lambda_min * (1.0 - rng.random(n)) ** (-1.0 / (alpha - 1.0))


def wishart(rng: np.random.Generator, n: int) -> Spectrum:
    """Squared singular values of an N x n Gaussian matrix, N between n and 3n.

    Through its bidiagonal form, whose entries are independent chi variables (Dumitriu and Edelman, J. Math.
    Phys. 43, 2002): the exact law, in O(n^2).
    """
    n_rows = int(n * rng.uniform(1.1, 3.0)) + 1
    diagonal_sq = rng.chisquare(n_rows - np.arange(n))
    below_sq = rng.chisquare(np.arange(n - 1, 0, -1))
    return scipy.linalg.eigh_tridiagonal(
        diagonal_sq + np.r_[0.0, below_sq], np.sqrt(diagonal_sq[:-1] * below_sq), eigvals_only=True
    )


SPECTRA: dict[str, Callable[[np.random.Generator, int], Spectrum]] = {
    "pareto": lambda rng, n: pareto(rng, n, rng.uniform(1.2, 6.0)),
    "lognormal": lambda rng, n: np.exp(rng.uniform(0.1, 3.0) * rng.standard_normal(n)),
    "marchenko_pastur": wishart,
    "uniform": lambda rng, n: rng.uniform(0.01, 1.0, n),
    "mixture": lambda rng, n: np.where(rng.random(n) < 0.7, rng.uniform(0.01, 1.0, n), pareto(rng, n, 3.0)),
    "two_point": lambda rng, n: np.where(rng.random(n) < rng.random(), 1.0, rng.uniform(1.5, 50.0)),
    "one_decimal": lambda rng, n: np.round(np.exp(0.5 * rng.standard_normal(n)), 1) + 0.1,
    "powers_of_two": lambda rng, n: 2.0 ** rng.integers(-3, 4, n),
}
"""Kinds of positive spectra, drawn; the last three consist mostly of repeated values."""


@pytest.fixture(scope="session")
def draw_spectrum() -> Callable[[str, np.random.Generator, int], Spectrum]:
    """Draw n eigenvalues of a kind, in random order."""
    return lambda kind, rng, n: rng.permutation(SPECTRA[kind](rng, n))


@pytest.fixture(scope="session")
def draw_pareto() -> Callable[..., Spectrum]:
    return pareto
