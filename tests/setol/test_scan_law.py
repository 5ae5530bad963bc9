"""lambda_min chosen for any law: with the power law it must be the scan of the power law."""

import math

import numpy as np
import pytest
import scipy.stats

from setol import Reason, SetolError, fit_power_law
from setol.tails.exponential import fit_exponential
from setol.tails.log_normal import fit_log_normal
from setol.tails.power_law import fit_power_law_above
from setol.tails.scan_law import scan_law
from setol.tails.truncated_power_law import fit_truncated_power_law

KINDS = ("pareto", "lognormal", "marchenko_pastur", "uniform", "mixture")  # without ties, which it keeps together


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_power_law_it_is_the_power_law_fit(draw_spectrum, kind):
    for n in (5, 60, 300):
        evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), n]), n)
        result, fit = scan_law(evals, fit_power_law_above, smallest_tail=2), fit_power_law(evals)
        assert (result.law.lambda_min, result.n_tail) == (fit.lambda_min, fit.n_tail)
        assert result.law.alpha == pytest.approx(fit.alpha, rel=1e-11)
        assert result.d_ww == pytest.approx(fit.d_ww, abs=1e-12)
        assert result.d_ks == pytest.approx(fit.d_ks, abs=1e-12)


def test_distances_are_those_of_scipy():
    evals = np.exp(np.random.default_rng(1).standard_normal(80))
    result = scan_law(evals, fit_log_normal)
    tail = evals[evals >= result.law.lambda_min]
    assert len(tail) == result.n_tail >= 10
    assert scipy.stats.kstest(tail, result.law.cdf).statistic == pytest.approx(result.d_ks, abs=1e-12)
    assert result.d_ww <= result.d_ks <= result.d_ww + 1 / result.n_tail + 1e-15


def test_no_candidate_is_closer():
    evals = np.sort(np.exp(np.random.default_rng(2).standard_normal(60)))
    best = scan_law(evals, fit_truncated_power_law, smallest_tail=10)
    for start in range(51):
        only = scan_law(evals, fit_truncated_power_law, lambda_min_between=(evals[start], evals[start]))
        assert only.law.lambda_min == evals[start]
        assert only.d_ww >= best.d_ww


def test_a_truncated_tail_is_found_below_a_bulk():
    """300 uniform eigenvalues under 700 of alpha 2 and rate 0.05 from 1 up. The scatter of the rate is 15 %."""
    rng = np.random.default_rng(3)
    proposed = 1 / (1 - rng.random(4000))
    tail = proposed[rng.random(4000) < np.exp(-0.05 * (proposed - 1))][:700]
    result = scan_law(np.concatenate([rng.random(300), tail]), fit_truncated_power_law)
    assert 0.7 < result.law.lambda_min < 3
    assert 1 / result.law.cutoff == pytest.approx(0.05, rel=0.5)
    assert result.d_ks < 0.05


@pytest.mark.parametrize("factor", [1e-290, 1e290])
def test_scale(factor):
    evals = np.exp(np.random.default_rng(4).standard_normal(50))
    one, other = scan_law(evals, fit_truncated_power_law), scan_law(evals * factor, fit_truncated_power_law)
    assert other.n_tail == one.n_tail
    assert other.d_ww == pytest.approx(one.d_ww, abs=1e-10)
    assert other.law.alpha == pytest.approx(one.law.alpha, rel=1e-8)


def test_fits_without_a_result_are_passed_over():
    """Nowhere in a spectrum of ever larger steps does a log-normal have a maximum; an exponential has one."""
    evals = np.concatenate([np.geomspace(1.0, 1.05, 40), [1e3]])
    assert scan_law(evals, fit_log_normal, smallest_tail=20) is Reason.NO_CANDIDATE
    assert scan_law(evals, fit_exponential, smallest_tail=20).n_tail >= 20


def test_no_tail():
    for evals in ([], [2.0], list(range(1, 10))):
        assert scan_law(np.array(evals, float), fit_exponential) is Reason.TOO_FEW_EIGENVALUES
    assert scan_law(np.full(30, 0.3), fit_exponential) is Reason.EQUAL_EIGENVALUES
    assert scan_law(np.arange(1.0, 31.0), fit_exponential, lambda_min_between=(40.0, 50.0)) is Reason.NO_CANDIDATE


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_has_no_logarithm(bad):
    with pytest.raises(SetolError, match=r"need positive finite eigenvalues.*with 1 that are not.*Drop zeros"):
        scan_law(np.array([1.0, bad, 2.0]), fit_exponential)


@pytest.mark.parametrize("options", [{"smallest_tail": 1}, {"lambda_min_between": (2.0, 1.0)}])
def test_refuses_options_without_meaning(options):
    with pytest.raises(SetolError, match=r"need a smallest tail of at least 2 and a range of lambda_min"):
        scan_law(np.arange(1.0, 31.0), fit_exponential, **options)


@pytest.mark.parametrize("evals", [[5e-324, 1e-323, 2e-323, 5e-323], [1e300, 2e300, 3e300, 1e308]])
def test_the_ends_of_float64(evals):
    result = scan_law(np.array(evals), fit_truncated_power_law, smallest_tail=2)
    assert math.isfinite(result.law.alpha)
    assert 0 <= result.d_ww <= result.d_ks <= 1
