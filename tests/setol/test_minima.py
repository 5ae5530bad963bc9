"""The tails that fit as well as the best: against a loop over all candidates, and where they are far apart."""

import math

import numpy as np
import pytest

from setol import Reason, SetolError, fit_power_law
from setol.tails.minima import NOISE, near_minima
from setol.tails.scan import lower_step_distance, tail_distances, tail_exponents

KINDS = ("pareto", "lognormal", "marchenko_pastur", "uniform", "mixture", "two_point", "one_decimal")


def all_distances(log_evals):
    alphas = tail_exponents(log_evals)
    return np.array([lower_step_distance(log_evals[i:], a) if np.isfinite(a) else np.inf for i, a in enumerate(alphas)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [5, 60, 700])
def test_distances_up_to_a_limit_are_those_of_a_loop(draw_spectrum, kind, n):
    log_evals = np.log(np.sort(draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), n]), n)))
    expected = all_distances(log_evals)
    for limit in (0.0, expected.min(), 0.05, 0.3, 1.0):
        np.testing.assert_array_equal(
            tail_distances(log_evals, limit=limit), np.where(expected <= limit, expected, np.inf)
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", [0.0, NOISE, 1.0])
def test_equals_a_loop_over_all_candidates(draw_spectrum, kind, noise):
    evals = np.sort(draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), 9]), 300))
    result = near_minima(evals, noise=noise)
    distances, alphas = all_distances(np.log(evals)), tail_exponents(np.log(evals))
    best = int(np.argmin(distances))
    tolerance = noise / math.sqrt(len(evals) - best)
    near = distances <= distances[best] + tolerance
    assert result.best == fit_power_law(evals)
    assert result.tolerance == pytest.approx(tolerance, rel=1e-15)
    assert (result.alpha_low, result.alpha_high) == (alphas[near].min(), alphas[near].max())
    assert (result.lambda_min_low, result.lambda_min_high) == (evals[near].min(), evals[near].max())
    assert result.n_candidates == near.sum()
    starts, open_group = [], None  # a group ends where D exceeds the smallest by twice the tolerance
    for start, distance in enumerate(distances):
        if distance > distances[best] + 2 * tolerance:
            open_group = None
        elif near[start]:
            if open_group is None:
                starts.append(start)
                open_group = len(starts) - 1
            elif distance < distances[starts[open_group]]:
                starts[open_group] = start
    assert sorted(fit.alpha for fit in result.minima) == sorted(float(alphas[start]) for start in starts)
    assert result.minima[0].d_ww == result.best.d_ww
    assert [fit.d_ww for fit in result.minima] == sorted(fit.d_ww for fit in result.minima)


def test_the_noise_of_d_is_what_it_says(draw_pareto):
    """1,000 tails each; the standard deviation of that many is known to 2.5 %, taken three times."""
    for n, alpha in ((50, 1.5), (400, 4.0)):
        rng = np.random.default_rng([1, n])
        logs = np.log(np.sort(draw_pareto(rng, (1000, n), alpha), axis=1))
        scaled = [lower_step_distance(each, tail_exponents(each)[0]) * math.sqrt(n) for each in logs]
        assert np.std(scaled) == pytest.approx(NOISE, rel=0.075)


def test_a_power_law_determines_alpha(draw_pareto):
    """Its many near candidates agree to within two standard errors of the best one."""
    result = near_minima(draw_pareto(np.random.default_rng(2), 3000, 2.5))
    assert result.n_candidates > 50
    assert result.alpha_high - result.alpha_low < 2 * result.best.alpha_sigma


def test_a_random_matrix_does_not(marchenko_pastur_quantiles):
    """A power law fits nowhere above a Marchenko-Pastur bulk, and about equally badly at very different alpha."""
    W = np.random.default_rng(3).standard_normal((1200, 600))
    result = near_minima(np.linalg.svd(W, compute_uv=False) ** 2)
    assert result.alpha_high > 2 * result.alpha_low


def test_two_tails_in_one_spectrum_are_two_minima():
    """Power laws of exponents 2 (from 1 to 30) and 4 (from 30 up), without scatter: one minimum where each begins."""
    shares = (np.arange(600) + 0.5) / 600
    lower = shares[:450] / shares[-1] * (1 - 1 / 30)
    evals = np.concatenate([1 / (1 - lower * 600 / 450), 30 * (1 - (np.arange(60) + 0.5) / 60) ** (-1 / 3)])
    result = near_minima(evals, noise=1.0)
    assert len(result.minima) >= 2
    edges = sorted(fit.lambda_min for fit in result.minima)
    assert edges[0] < 3
    assert edges[-1] > 20
    assert result.alpha_low < 2.3
    assert result.alpha_high > 3.5


@pytest.mark.parametrize("factor", [1e-300, 1e-6, 1e290])
def test_scale(draw_spectrum, factor):
    evals = draw_spectrum("lognormal", np.random.default_rng(4), 300)
    result, scaled = near_minima(evals), near_minima(evals * factor)
    assert scaled.n_candidates == result.n_candidates
    assert len(scaled.minima) == len(result.minima)
    for name in ("alpha_low", "alpha_high", "tolerance"):
        assert getattr(scaled, name) == pytest.approx(getattr(result, name), rel=1e-9)
    assert scaled.lambda_min_high == pytest.approx(result.lambda_min_high * factor, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_best_fit_that_is_known_changes_nothing(draw_spectrum, kind):
    evals = draw_spectrum(kind, np.random.default_rng(KINDS.index(kind)), 300)
    assert near_minima(evals, best=fit_power_law(evals)) == near_minima(evals)


def test_no_tail():
    for evals in ([], [2.0]):
        assert near_minima(np.array(evals)) is Reason.TOO_FEW_EIGENVALUES
    for n in (2, 30):
        assert near_minima(np.full(n, 0.3)) is Reason.EQUAL_EIGENVALUES


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_has_no_logarithm(bad):
    with pytest.raises(SetolError, match=r"need positive finite eigenvalues.*with 1 that are not.*Drop zeros"):
        near_minima(np.array([1.0, bad, 2.0]))


@pytest.mark.parametrize("noise", [-0.1, np.nan, np.inf])
def test_refuses_a_tolerance_without_meaning(noise):
    with pytest.raises(SetolError, match=r"need a finite noise of at least 0; got"):
        near_minima(np.array([1.0, 2.0]), noise=noise)


@pytest.mark.parametrize(
    "evals", [[5e-324, 1e-323, 2e-323, 5e-323], [1e300, 2e300, 3e300, 1e308], [5e-324, 1.0, 2.0, 1e308]]
)
def test_the_ends_of_float64(evals):
    result = near_minima(np.array(evals))
    assert 1 < result.alpha_low <= result.best.alpha <= result.alpha_high < math.inf
