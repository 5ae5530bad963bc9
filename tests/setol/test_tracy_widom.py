"""The Tracy-Widom law: Painleve's equation, published moments and quantiles, then largest eigenvalues of noise."""

import time

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.special

from setol import SetolError
from setol.random_matrix.edge import noise_edge
from setol.random_matrix.tracy_widom import tracy_widom_cdf, tracy_widom_quantile


def painleve_cdf(points):
    """F1 = exp(-1/2 int_s q + (x - s) q^2), where q'' = s q + 2 q^3 and q ~ Ai at infinity; downwards from s = 8."""
    start = 8.0
    airy, slope = scipy.special.airy(start)[:2]
    tail = [
        scipy.integrate.quad(f, start, start + 10)[0]
        for f in (
            lambda x: scipy.special.airy(x)[0],
            lambda x: scipy.special.airy(x)[0] ** 2,
            lambda x: (x - start) * scipy.special.airy(x)[0] ** 2,
        )
    ]

    def derivative(s, state):
        q, dq, _, square, _ = state
        return [dq, s * q + 2 * q**3, -q, -(q**2), -square]

    solution = scipy.integrate.solve_ivp(
        derivative, (start, points.min()), [airy, slope, *tail], t_eval=points, rtol=1e-12, atol=1e-15, method="DOP853"
    )
    return np.exp(-(solution.y[2] + solution.y[4]) / 2)


def test_equals_the_solution_of_painleve():
    points = np.linspace(4.0, -4.0, 33)
    # The equation is unstable downwards: its solution is good to about 1e-8 at -4.
    assert [tracy_widom_cdf(s) for s in points] == pytest.approx(painleve_cdf(points), abs=1e-7)


def test_published_moments():
    nodes, weights = np.polynomial.legendre.leggauss(80)

    def integral(function, low, high):
        points = (low + high) / 2 + (high - low) / 2 * nodes
        return (high - low) / 2 * float(weights @ [function(s) for s in points])

    mean = integral(lambda s: 1 - tracy_widom_cdf(s), 0, 13) - integral(tracy_widom_cdf, -10, 0)
    square = integral(lambda s: 2 * s * (1 - tracy_widom_cdf(s)), 0, 13) - integral(
        lambda s: 2 * s * tracy_widom_cdf(s), -10, 0
    )
    # Bornemann (Markov Process. Related Fields 16, 2010), table 4: -1.2065335745820, variance 1.607781034581.
    assert mean == pytest.approx(-1.2065335745820, abs=1e-9)
    assert square - mean**2 == pytest.approx(1.607781034581, abs=1e-9)


@pytest.mark.parametrize(("level", "quantile"), [(0.95, 0.9793), (0.99, 2.0234), (0.999, 3.2722)])
def test_quantiles(level, quantile):
    assert tracy_widom_quantile(level) == pytest.approx(quantile, abs=1e-4)
    # An independent check of the same number, through the Painleve solution.
    assert painleve_cdf(np.array([quantile]))[0] == pytest.approx(level, abs=1e-5)


@pytest.mark.parametrize("level", [1e-12, 1e-6, 0.01, 0.3, 0.5, 0.9, 0.99 ** (1 / 49), 1 - 1e-9, 1 - 1e-12])
def test_quantile_inverts_the_cdf(level):
    assert tracy_widom_cdf(tracy_widom_quantile(level)) == pytest.approx(level, abs=2e-13)


def test_cdf_rises_from_0_to_1():
    values = np.array([tracy_widom_cdf(s) for s in np.linspace(-12, 15, 136)])
    assert np.all(np.diff(values) >= 0)
    assert (values[0], values[-1], tracy_widom_cdf(-np.inf), tracy_widom_cdf(np.inf)) == (0, 1, 0, 1)


def test_second_call_is_remembered():
    tracy_widom_quantile(0.987654)
    start = time.perf_counter()
    for _ in range(1000):
        tracy_widom_quantile(0.987654)
    assert time.perf_counter() - start < 0.1


def largest_eigenvalues(rng, n_rows, n_cols, n_draws):
    """Largest eigenvalue of W^T W / N for Gaussian W, through the bidiagonal form that has exactly its law."""
    largest = np.empty(n_draws)
    for draw in range(n_draws):
        diagonal_sq = rng.chisquare(n_rows - np.arange(n_cols))
        below_sq = rng.chisquare(np.arange(n_cols - 1, 0, -1))
        top = scipy.linalg.eigh_tridiagonal(
            diagonal_sq + np.r_[0.0, below_sq],
            np.sqrt(diagonal_sq[:-1] * below_sq),
            eigvals_only=True,
            select="i",
            select_range=(n_cols - 1, n_cols - 1),
        )
        largest[draw] = top[0] / n_rows
    return largest


def test_largest_eigenvalue_of_noise_follows_it():
    n_draws = 2000
    largest = largest_eigenvalues(np.random.default_rng(13), 1000, 500, n_draws)
    edge, plain = noise_edge(1000, 500, 1.0), noise_edge(1000, 500, 1.0, johnstone_ma=False)
    standard = (largest - edge.centre) / edge.scale
    # Five standard errors of the mean are 0.14, of the standard deviation 0.12; the finite size adds 0.02.
    assert standard.mean() == pytest.approx(-1.2065, abs=0.16)
    assert standard.std() == pytest.approx(1.268, abs=0.14)
    assert ((largest - plain.centre) / plain.scale).mean() == pytest.approx(-1.31, abs=0.16)
    for level in (0.5, 0.9, 0.99):
        exceeding = np.mean(largest > edge.threshold(level))
        spread = np.sqrt(level * (1 - level) / n_draws)
        assert exceeding == pytest.approx(1 - level, abs=5 * spread + 0.005)
    assert plain.threshold(0.99) > edge.threshold(0.99)


def test_dense_gaussian_matrices_do_too():
    rng = np.random.default_rng(14)
    edge = noise_edge(400, 200, 4.0)
    standard = []
    for _ in range(60):
        W = 2 * rng.standard_normal((400, 200))
        standard.append((np.linalg.eigvalsh(W.T @ W)[-1] / 400 - edge.centre) / edge.scale)
    assert np.mean(standard) == pytest.approx(-1.2065, abs=5 * 1.27 / np.sqrt(60))
    assert np.std(standard) == pytest.approx(1.268, abs=0.6)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 1.5, np.nan, 1e-13, 1 - 1e-13])
def test_refuses_levels_it_cannot_resolve(level):
    with pytest.raises(SetolError, match=r"need a level inside \[1e-12, 1 - 1e-12\]"):
        tracy_widom_quantile(level)


def test_refuses_nan():
    with pytest.raises(SetolError, match="need a number for s; got NaN"):
        tracy_widom_cdf(np.nan)
