"""The exponent's small-sample bias: exact moments against the gamma law, and against draws."""

import math

import numpy as np
import pytest
import scipy.stats

from setol import Reason, SetolError
from setol.tails.bias import sampled_exponent, unbiased_alpha
from setol.tails.power_law import fit_power_law_above


@pytest.mark.parametrize("alpha", [1.8, 2.5, 4.0])
@pytest.mark.parametrize("known", [False, True])
def test_mean_and_scatter_of_fitted_exponents(draw_pareto, alpha, known):
    """4,000 tails of 50: means within 4 standard errors, the standard deviation within five of its 1.3 %."""
    n, draws = 50, 4000
    samples = draw_pareto(np.random.default_rng([1, int(10 * alpha)]), (draws, n), alpha)
    fitted = np.array([fit_power_law_above(each, 1.0 if known else float(each.min())).alpha for each in samples])
    expected = sampled_exponent(alpha, n, lambda_min_known=known)
    assert abs(fitted.mean() - expected.mean) < 4 * fitted.std() / math.sqrt(draws)
    assert fitted.std() == pytest.approx(expected.standard_deviation, rel=0.065)
    assert expected.mean == pytest.approx(1 + (alpha - 1) * n / (n - 1 if known else n - 2), rel=1e-14)
    corrected = np.array([unbiased_alpha(float(each), n, lambda_min_known=known) for each in fitted])
    assert abs(corrected.mean() - alpha) < 4 * corrected.std() / math.sqrt(draws)


@pytest.mark.parametrize("n", [4, 10, 300])
def test_moments_are_those_of_the_inverse_gamma_law(n):
    """n/S with S gamma distributed of n degrees, by SciPy; lambda_min known."""
    law = scipy.stats.invgamma(n, scale=n * 1.5)
    moments = sampled_exponent(2.5, n, lambda_min_known=True)
    assert moments.mean == pytest.approx(1 + law.mean(), rel=1e-12)
    assert moments.standard_deviation == pytest.approx(law.std(), rel=1e-12)


def test_known_numbers():
    assert sampled_exponent(2.5, 20, lambda_min_known=True).mean == pytest.approx(2.579, abs=5e-4)
    assert unbiased_alpha(3.0, 10) == pytest.approx(1 + 2.0 * 8 / 10)
    assert unbiased_alpha(3.0, 10, lambda_min_known=True) == pytest.approx(1 + 2.0 * 9 / 10)


def test_too_few_free_logarithms():
    assert sampled_exponent(2.0, 3).standard_deviation == math.inf
    for function in (unbiased_alpha, sampled_exponent):
        assert function(2.0, 2) is Reason.TOO_FEW_EIGENVALUES
        assert function(2.0, 1, lambda_min_known=True) is Reason.TOO_FEW_EIGENVALUES


@pytest.mark.parametrize("function", [unbiased_alpha, sampled_exponent])
@pytest.mark.parametrize("alpha", [1.0, 0.0, -1.0, math.nan, math.inf])
def test_refuses_what_is_no_exponent(function, alpha):
    with pytest.raises(SetolError, match=r"need a finite exponent above 1; got"):
        function(alpha, 10)


@pytest.mark.parametrize("function", [unbiased_alpha, sampled_exponent])
def test_refuses_an_empty_tail(function):
    with pytest.raises(SetolError, match=r"at least one eigenvalue; got n_tail = 0"):
        function(2.0, 0)
