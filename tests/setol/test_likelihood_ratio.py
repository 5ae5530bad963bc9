"""Two laws on one tail: which is favoured on data of a known law, and how often by chance."""

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from setol import Reason, SetolError
from setol.tails.bounded_power_law import fit_bounded_power_law
from setol.tails.exponential import fit_exponential
from setol.tails.likelihood_ratio import LikelihoodRatio, compare_with_power_law, likelihood_ratio
from setol.tails.log_normal import fit_log_normal
from setol.tails.power_law import PowerLaw, fit_power_law_above
from setol.tails.stretched_exponential import fit_stretched_exponential
from setol.tails.truncated_power_law import fit_truncated_power_law


def pareto(rng, n, alpha=2.0):
    return (1 - rng.random(n)) ** (-1 / (alpha - 1))


def test_by_hand():
    # Densities 1/v^2 and 2/v^3 from 1 up: their logarithms differ by ln v - ln 2.
    evals = np.array([1.0, 2.0, 8.0])
    result = likelihood_ratio(evals, PowerLaw(1.0, 2.0), PowerLaw(1.0, 3.0))
    terms = np.array([-1.0, 0.0, 2.0]) * math.log(2)
    assert result.log_ratio == pytest.approx(math.log(2), rel=1e-13)
    assert result.normalized == pytest.approx(terms.sum() / (terms.std() * math.sqrt(3)), rel=1e-13)
    assert result.p_value == pytest.approx(2 * scipy.stats.norm.sf(result.normalized), rel=1e-13)
    nested = likelihood_ratio(evals, PowerLaw(1.0, 2.0), PowerLaw(1.0, 3.0), nested=True)
    assert nested.p_value == pytest.approx(scipy.stats.chi2(1).sf(2 * math.log(2)), rel=1e-13)
    assert (result.n_tail, nested.log_ratio) == (3, result.log_ratio)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("fit", [fit_truncated_power_law, fit_log_normal, fit_exponential, fit_stretched_exponential])
def test_exchanging_the_laws_changes_the_sign_alone(fit, nested):
    evals = 1.0 + np.random.default_rng(1).exponential(size=400)
    one, other = fit_power_law_above(evals, 1.0), fit(evals, 1.0)
    there = likelihood_ratio(evals, one, other, nested=nested)
    back = likelihood_ratio(evals, other, one, nested=nested)
    assert there == LikelihoodRatio(-back.log_ratio, -back.normalized, back.p_value, back.n_tail)


def test_log_normal_data_favour_the_log_normal():
    rng = np.random.default_rng(2)
    evals = np.exp(0.5 * rng.standard_normal(2000))
    result = compare_with_power_law(evals, 0.8)
    assert result.log_normal.log_ratio < 0
    assert result.log_normal.p_value < 1e-3
    assert result.exponential.log_ratio > result.log_normal.log_ratio


def test_exponential_data_favour_the_exponential():
    evals = 1.0 + np.random.default_rng(3).exponential(1.0, 2000)
    result = compare_with_power_law(evals, 1.0)
    assert result.exponential.log_ratio < 0
    assert result.exponential.p_value < 1e-3
    # The exponential is the stretched one at beta = 1: that can only be likelier still.
    assert result.stretched_exponential.log_ratio <= result.exponential.log_ratio + 1e-9


def test_power_law_data_favour_the_power_law_over_the_exponential():
    result = compare_with_power_law(pareto(np.random.default_rng(4), 1000), 1.0)
    assert result.exponential.log_ratio > 0
    assert result.exponential.p_value < 1e-3


def test_a_cutoff_is_found():
    """Power laws of alpha 2 under a rate of 0.05, by rejection; n = 2,000."""
    rng = np.random.default_rng(5)
    proposed = pareto(rng, 10_000)
    evals = proposed[rng.random(10_000) < np.exp(-0.05 * (proposed - 1))][:2000]
    assert len(evals) == 2000
    result = compare_with_power_law(evals, 1.0)
    assert result.truncated_power_law.log_ratio < 0
    assert result.truncated_power_law.p_value < 0.05


def test_no_cutoff_is_found_where_there_is_none():
    """At the border of its parameters the test is conservative: 5 % become about 2.5 %, so 20 of 200 are plenty."""
    rng = np.random.default_rng(6)
    p_values = [compare_with_power_law(pareto(rng, 300, 2.5), 1.0).truncated_power_law.p_value for _ in range(200)]
    assert np.mean(np.array(p_values) > 0.05) >= 0.9
    assert max(p_values) == 1.0  # some have no cutoff at all


@pytest.mark.parametrize("n", [100, 1000])
def test_vuong_errs_as_often_as_it_says(n):
    """Laws of slopes 1 and t on data of slope 1.5, t such that neither is better: p is then uniform.

    The mean log density of slope s is ln s - (s + 1)/1.5, the same for 1 and t where ln t = (t - 1)/1.5.
    Shares of 2,000 draws within five standard errors, and 0.2/sqrt(n) for the normal approximation.
    """
    other = scipy.optimize.brentq(lambda t: math.log(t) - (t - 1) / 1.5, 1.5, 10.0)
    rng = np.random.default_rng(7)
    one, two = PowerLaw(1.0, 2.0), PowerLaw(1.0, 1.0 + other)
    p_values = np.array([likelihood_ratio(pareto(rng, n, 2.5), one, two).p_value for _ in range(2000)])
    for level in (0.1, 0.5):
        assert abs(np.mean(p_values < level) - level) < 5 * math.sqrt(level * (1 - level) / 2000) + 1 / math.sqrt(n) / 5


def test_nested_law_is_never_likelier():
    for seed in range(30):
        rng = np.random.default_rng([8, seed])
        evals = np.exp(rng.uniform(0.2, 3.0) * rng.standard_normal(rng.integers(3, 200)))
        result = compare_with_power_law(evals, float(evals.min()))
        assert result.truncated_power_law.log_ratio <= 1e-9


def test_limits_are_named():
    """A few far eigenvalues: no cutoff, and neither law with a power-law limit has a maximum of its own."""
    result = compare_with_power_law(np.concatenate([np.full(40, 1.05), [1.0, 40.0]]), 1.0)
    assert result.truncated_power_law == LikelihoodRatio(pytest.approx(0.0, abs=1e-12), 0.0, 1.0, 42)
    assert result.log_normal is Reason.POWER_LAW_LIMIT
    assert result.stretched_exponential is Reason.POWER_LAW_LIMIT
    assert result.exponential.log_ratio > 0


SETTINGS = settings(max_examples=40, deadline=None, derandomize=True)


@SETTINGS
@given(st.integers(0, 2**32 - 1), st.floats(1e-290, 1e290))
def test_scale_and_order(seed, factor):
    rng = np.random.default_rng(seed)
    evals = np.exp(rng.uniform(0.1, 2.0) * rng.standard_normal(80))
    low = float(np.sort(evals)[30])
    result = compare_with_power_law(evals, low)
    scaled = compare_with_power_law(rng.permutation(evals) * factor, low * factor)
    for name in result.__dataclass_fields__:
        one, other = getattr(result, name), getattr(scaled, name)
        if isinstance(one, Reason):
            assert other is one
        else:
            assert other.log_ratio == pytest.approx(one.log_ratio, rel=1e-7, abs=1e-8)
            assert other.p_value == pytest.approx(one.p_value, rel=1e-5, abs=1e-6)


def test_one_law_does_not_differ_from_itself():
    evals = pareto(np.random.default_rng(9), 100)
    law = fit_power_law_above(evals, 1.0)
    assert likelihood_ratio(evals, law, law) is Reason.NO_DIFFERENCE
    assert likelihood_ratio(evals, law, law, nested=True) == LikelihoodRatio(0.0, 0.0, 1.0, 100)


def test_laws_of_different_tails_are_refused():
    evals = pareto(np.random.default_rng(10), 100)
    with pytest.raises(SetolError, match=r"two laws of the same tail; got lambda_min 1.0 and 1.5. Fit both"):
        likelihood_ratio(evals, fit_power_law_above(evals, 1.0), fit_exponential(evals, 1.5))


def test_a_law_that_ends_before_the_data_is_refused():
    evals = np.array([1.0, 2.0, 3.0, 9.0])
    with pytest.raises(SetolError, match=r"a density at every eigenvalue of the tail"):
        likelihood_ratio(evals, fit_power_law_above(evals, 1.0), fit_bounded_power_law(evals, 1.0, 5.0))


@pytest.mark.parametrize("evals", [[], [3.0], [1.0, 3.0]])
def test_too_few_eigenvalues(evals):
    assert compare_with_power_law(np.array(evals), 2.0) is Reason.TOO_FEW_EIGENVALUES
    assert likelihood_ratio(np.array(evals), PowerLaw(2.0, 2.0), PowerLaw(2.0, 3.0)) is Reason.TOO_FEW_EIGENVALUES


def test_equal_eigenvalues():
    assert compare_with_power_law(np.full(9, 2.0), 1.0) is Reason.EQUAL_EIGENVALUES
    assert likelihood_ratio(np.full(9, 2.0), PowerLaw(1.0, 2.0), PowerLaw(1.0, 3.0)) is Reason.EQUAL_EIGENVALUES


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_has_no_logarithm(bad):
    evals = np.array([1.0, bad, 2.0])
    with pytest.raises(SetolError, match=r"need positive finite eigenvalues"):
        compare_with_power_law(evals, 1.0)
    with pytest.raises(SetolError, match=r"need positive finite eigenvalues"):
        likelihood_ratio(evals, PowerLaw(1.0, 2.0), PowerLaw(1.0, 3.0))


@pytest.mark.parametrize("evals", [[5e-324, 1e-323, 2e-323, 5e-323], [1e300, 2e300, 3e300, 1e301]])
def test_the_ends_of_float64(evals):
    result = compare_with_power_law(np.array(evals), evals[0])
    for name in result.__dataclass_fields__:
        each = getattr(result, name)
        assert isinstance(each, Reason) or 0 <= each.p_value <= 1
