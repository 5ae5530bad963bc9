"""The ECS of a random matrix: closed forms first, then the quantiles of the law, then a matrix."""

import mpmath
import numpy as np
import pytest
import torch

from setol.erg import effective_correlation_space
from setol.errors import SetolError
from setol.marchenko_pastur_ecs import marchenko_pastur_ecs
from setol.weights.decomposition import decompose


@pytest.mark.parametrize("aspect_ratio", [1, 1.5, 4, 50])
def test_sum_of_logarithms_above_the_edge_is_0(aspect_ratio):
    """By mpmath, on the density in lambda itself: the two conditions that define edge and share."""
    space = marchenko_pastur_ecs(aspect_ratio)
    with mpmath.workdps(25):
        q = 1 / mpmath.mpf(aspect_ratio)
        low, high = (1 - mpmath.sqrt(q)) ** 2, (1 + mpmath.sqrt(q)) ** 2

        def density(x):
            return mpmath.sqrt((high - x) * (x - low)) / (2 * mpmath.pi * q * x)

        # Roundoff of the edge, 1e-14, enters the first with ln(edge) rho(edge) ~ 1.
        points = [mpmath.mpf(space.lambda_min), 1, high]
        assert float(mpmath.quad(lambda x: mpmath.log(x) * density(x), points)) == pytest.approx(0, abs=1e-12)
        assert float(mpmath.quad(density, points)) == pytest.approx(space.fraction, abs=1e-12)


@pytest.mark.parametrize(
    ("aspect_ratio", "lambda_min", "fraction"),
    [
        (1, 0.1812, 0.7311),
        (1.5, 0.2590, 0.7843),
        (2, 0.3117, 0.8145),
        (784 / 300, 0.3595, 0.8384),
        (3, 0.3839, 0.8494),
        (4, 0.4336, 0.8699),
        (8, 0.5463, 0.9082),
        (10, 0.5799, 0.9180),
        (50, 0.7741, 0.9635),
    ],
)
def test_known_values(aspect_ratio, lambda_min, fraction):
    space = marchenko_pastur_ecs(aspect_ratio)
    assert space.lambda_min == pytest.approx(lambda_min, abs=5.1e-5)
    assert space.fraction == pytest.approx(fraction, abs=5.1e-5)


@pytest.mark.parametrize("aspect_ratio", [1, 2, 8])
@pytest.mark.parametrize("n", [8192, 16384])
def test_quantiles_of_the_law(marchenko_pastur_quantiles, aspect_ratio, n):
    space = marchenko_pastur_ecs(aspect_ratio)
    ecs = effective_correlation_space(marchenko_pastur_quantiles(n, aspect_ratio))
    # Quantiles are a midpoint rule for the integral: its error is of order 1/n.
    assert ecs.n / n == pytest.approx(space.fraction, abs=5 / n)
    assert ecs.lambda_min == pytest.approx(space.lambda_min, abs=10 / n)


def test_gaussian_matrix():
    W = np.random.default_rng(53).standard_normal((1500, 500))
    ecs = effective_correlation_space(decompose(torch.from_numpy(W)[None]).evals[0])
    space = marchenko_pastur_ecs(3)
    # Eigenvalues of a random matrix are rigid: counts fluctuate by a few, of 500.
    assert ecs.n / 500 == pytest.approx(space.fraction, abs=0.008)
    assert ecs.lambda_min == pytest.approx(space.lambda_min, abs=0.012)


def test_very_tall_matrices_have_a_semicircle_with_nearly_all_of_it_inside():
    """At q -> 0 lambda is 1 + sqrt(q) x, x of the semicircle: the mean of x above c is q-small, so c is near -2."""
    fractions = [marchenko_pastur_ecs(10.0**k).fraction for k in range(13)]
    assert np.all(np.diff(fractions) > 0)
    # The integral of ln lambda over everything is -q/2, of x over x > c near -2 it is 2 (1 - fraction).
    last = marchenko_pastur_ecs(1e12)
    assert 1 - last.fraction == pytest.approx(np.sqrt(1e-12) / 2 / 2, rel=2e-3)
    assert (1 - last.lambda_min) / 1e-6 == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("aspect_ratio", [0.5, 0, -2, np.nan, np.inf, 1e13])
def test_refuses_what_is_no_aspect_ratio(aspect_ratio):
    with pytest.raises(SetolError, match=r"need an aspect ratio Q = N/M between 1 and 1e\+12; got"):
        marchenko_pastur_ecs(aspect_ratio)
