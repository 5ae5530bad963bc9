"""Exponents of entries and spectra: the maps, the classes, and heavy-tailed matrices themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setol import SetolError
from setol.random_matrix.universality import (
    UniversalityClass,
    alpha_of_mu,
    class_of_alpha,
    class_of_mu,
    lambda_max_growth,
    mu_of_alpha,
    weightwatcher_mu,
)

VERY, HEAVY, WEAKLY = UniversalityClass


@pytest.mark.parametrize(("mu", "alpha"), [(1.0, 1.5), (2.0, 2.0), (4.0, 3.0)])
def test_limiting_law(mu, alpha):
    assert alpha_of_mu(mu) == alpha
    assert mu_of_alpha(alpha) == mu


@given(st.floats(1e-6, 1e6))
def test_maps_are_inverse(mu):
    assert mu_of_alpha(alpha_of_mu(mu)) == pytest.approx(mu, rel=1e-9)


@pytest.mark.parametrize(
    ("alpha", "mu"), [(1.25, 0.5), (1.999, 1.998), (2.0, 2.0), (2.5, 2.0), (3.0, 2.0), (3.5, 2.5), (7.0, 6.0)]
)
def test_weightwatchers_map_is_flat_between_2_and_3(alpha, mu):
    assert weightwatcher_mu(alpha) == pytest.approx(mu)


@pytest.mark.parametrize(
    ("mu", "expected"), [(0.1, VERY), (1.99, VERY), (2.0, HEAVY), (3.99, HEAVY), (4.0, WEAKLY), (50.0, WEAKLY)]
)
def test_classes_by_mu(mu, expected):
    assert class_of_mu(mu) is expected


@pytest.mark.parametrize(
    ("alpha", "expected"), [(1.01, VERY), (1.99, VERY), (2.0, HEAVY), (6.0, HEAVY), (6.01, WEAKLY), (80.0, WEAKLY)]
)
def test_classes_by_alpha(alpha, expected):
    assert class_of_alpha(alpha) is expected


def test_growth_by_hand():
    assert lambda_max_growth(1.0) == 3.0
    assert lambda_max_growth(2.0) == 1.0
    assert lambda_max_growth(3.0) == pytest.approx(1 / 3)
    assert lambda_max_growth(4.0) == lambda_max_growth(9.0) == 0.0


@pytest.mark.parametrize("mu", [1.0, 1.5, 2.5])
def test_largest_eigenvalue_grows_so(mu):
    """Medians over 60 matrices of two sizes; lambda_max is the largest squared entry over N up to a bounded factor."""
    rng = np.random.default_rng(71)
    sizes, logs = (40, 320), []
    for n_rows in sizes:
        largest = []
        for _ in range(60):
            W = rng.choice([-1, 1], (n_rows, n_rows // 2)) * (1 - rng.random((n_rows, n_rows // 2))) ** (-1 / mu)
            largest.append(np.log(np.linalg.eigvalsh(W.T @ W)[-1] / n_rows))
        logs.append(np.median(largest))
    growth = (logs[1] - logs[0]) / np.log(sizes[1] / sizes[0])
    # ln lambda_max is Frechet with a spread of 2.6/mu: 5 standard errors of the difference of two medians.
    spread = 5 * np.sqrt(2) * 1.25 * 2.6 / mu / np.sqrt(60) / np.log(8)
    assert growth == pytest.approx(lambda_max_growth(mu), abs=spread)


@pytest.mark.parametrize("function", [alpha_of_mu, class_of_mu, lambda_max_growth])
@pytest.mark.parametrize("mu", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_is_no_mu(function, mu):
    with pytest.raises(SetolError, match="need a finite mu above 0"):
        function(mu)


@pytest.mark.parametrize("function", [mu_of_alpha, weightwatcher_mu, class_of_alpha])
@pytest.mark.parametrize("alpha", [1.0, 0.0, -1.0, np.nan, np.inf])
def test_refuses_what_is_no_alpha(function, alpha):
    with pytest.raises(SetolError, match="need a finite alpha above 1"):
        function(alpha)
