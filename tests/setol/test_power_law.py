"""Tail fits of spectra whose law is known; bounds on random outcomes are 5 standard errors wide."""

import numpy as np
import pytest
import scipy.stats

from setol import PowerLawFit, Reason, SetolError, SmallSample, fit_power_law
from setol.tails.hill import fit_hill
from setol.tails.scan import tail_exponents

KINDS = ("pareto", "lognormal", "marchenko_pastur", "uniform", "mixture", "one_decimal")


def test_two_eigenvalues_by_hand():
    # S = ln e = 1, alpha = 1 + 2/1; F(1) = 0 against steps 0 and 1/2, F(e) = 1 - e^-2 against 1/2 and 1.
    fit = fit_power_law(np.array([np.e, 1.0]))
    assert fit.alpha == pytest.approx(3.0, rel=1e-15)
    assert fit.alpha_sigma == pytest.approx(2.0 / np.sqrt(2.0), rel=1e-15)
    assert fit.d_ww == pytest.approx(0.5 - np.exp(-2.0), rel=1e-14)
    assert fit.d_ks == pytest.approx(0.5, rel=1e-14)
    assert (fit.lambda_min, fit.lambda_max, fit.n_tail) == (1.0, np.e, 2)


@pytest.mark.parametrize("alpha", [1.5, 2.0, 2.5, 3.0, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_exponent_of_a_pareto_sample(draw_pareto, alpha, seed):
    evals = draw_pareto(np.random.default_rng([int(10 * alpha), seed]), 2000, alpha)
    fit = fit_power_law(evals)
    assert abs(fit.alpha - alpha) < 5 * (alpha - 1) / np.sqrt(fit.n_tail)
    assert fit.d_ww < 0.03
    assert fit.n_tail > 300  # all candidates fit; D falls as 1/sqrt(n_tail), which keeps the tail long


@pytest.mark.parametrize(("n_tail", "low", "high"), [(500, 0.75, 1.5), (5000, 0.97, 2.0)])
@pytest.mark.parametrize("seed", range(3))
def test_planted_tail_is_found(draw_pareto, n_tail, low, high, seed):
    """A bulk uniform on (0, 1) under a tail from 1 up: the densities at 1 are 3 to 2, a step easily seen
    from below (the bulk is no power law), hardly from above (a part of a tail is a tail as well)."""
    rng = np.random.default_rng([6, seed])
    evals = np.concatenate([rng.random(3 * n_tail), draw_pareto(rng, n_tail, 3.0)])
    fit = fit_power_law(evals)
    assert low <= fit.lambda_min <= high
    assert abs(fit.alpha - 3.0) < 5 * 2.0 / np.sqrt(fit.n_tail)


@pytest.mark.parametrize("alpha", [1.8, 2.5, 4.0])
def test_bias_of_the_estimator_is_the_exact_one(draw_pareto, alpha):
    """S is Gamma distributed, so the mean of 1/S is known: with m free logarithms, (alpha-1)/(m-1)."""
    n, draws = 50, 4000
    samples = np.log(np.sort(draw_pareto(np.random.default_rng(7), (draws, n), alpha), axis=1))

    def assert_mean(estimates, expected):
        assert abs(np.mean(estimates) - expected) < 4 * np.std(estimates) / np.sqrt(draws)

    # lambda_min known: put it before the sample as its own, nearly free, eigenvalue; n logarithms are free.
    known = np.concatenate([np.zeros((draws, 1)), samples], axis=1)
    assert_mean([tail_exponents(logs, 1)[0] for logs in known], 1 + (alpha - 1) * n / (n - 1))
    assert_mean([tail_exponents(logs, 2)[0] for logs in known], alpha)
    # lambda_min taken from the sample: n - 1 logarithms are free.
    assert_mean([tail_exponents(logs, 0)[0] for logs in samples], 1 + (alpha - 1) * n / (n - 2))
    assert_mean([tail_exponents(logs, 2)[0] for logs in samples], alpha)


@pytest.mark.parametrize("kind", KINDS)
def test_distances_and_exponent_agree_with_scipy(draw_spectrum, kind):
    rng = np.random.default_rng([KINDS.index(kind), 8])
    for n in (5, 50, 500):
        evals = draw_spectrum(kind, rng, n)
        fit = fit_power_law(evals)
        tail = np.sort(evals)[n - fit.n_tail :]
        assert (tail[0], tail[-1]) == (fit.lambda_min, fit.lambda_max)
        law = scipy.stats.pareto(b=fit.alpha - 1, scale=fit.lambda_min)
        # Both sides round ln and exp differently: 1e-12 is thousands of units in the last place of a CDF.
        assert scipy.stats.kstest(tail, law.cdf).statistic == pytest.approx(fit.d_ks, abs=1e-12)
        assert fit.d_ww <= fit.d_ks <= fit.d_ww + 1 / fit.n_tail + 1e-15
        shape, _, _ = scipy.stats.pareto.fit(tail, floc=0, fscale=fit.lambda_min)
        assert shape + 1 == pytest.approx(fit.alpha, rel=1e-11)
        assert fit.alpha_sigma == pytest.approx((fit.alpha - 1) / np.sqrt(fit.n_tail), rel=1e-15)


def test_large_spectrum(draw_pareto):
    fit = fit_power_law(draw_pareto(np.random.default_rng(9), 16_384, 2.2))
    assert abs(fit.alpha - 2.2) < 5 * 1.2 / np.sqrt(fit.n_tail)


def test_input_is_left_as_it_was():
    evals = np.array([3.0, 1.0, 2.0])
    fit_power_law(evals)
    assert evals.tolist() == [3.0, 1.0, 2.0]


@pytest.mark.parametrize("n", [8, 12, 19])
def test_small_sample_rule(draw_pareto, n):
    evals = np.sort(draw_pareto(np.random.default_rng([10, n]), n, 2.5))
    fit = fit_power_law(evals, small_sample=SmallSample())
    tail = evals[n - fit.n_tail :]
    assert fit.n_tail >= 8
    assert fit.alpha == pytest.approx(1 + (fit.n_tail - 1) / np.log(tail / tail[0]).sum(), rel=1e-13)


def test_small_sample_rule_ends_at_its_size(draw_pareto):
    evals = draw_pareto(np.random.default_rng(11), 20, 2.5)
    assert fit_power_law(evals, small_sample=SmallSample()) == fit_power_law(evals)
    assert fit_power_law(evals, small_sample=SmallSample(below=21)) != fit_power_law(evals)


def test_shorter_than_the_smallest_tail_is_one_tail():
    evals = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    fit = fit_power_law(evals, small_sample=SmallSample())
    assert fit.n_tail == 5
    assert fit.alpha == pytest.approx(1 + 4 / (10 * np.log(2)), rel=1e-14)


def test_of_a_repeated_lambda_min_only_the_tail_counts():
    # From the second 1 on, (1, 2, 4, ...) follows its power law better than with both.
    evals = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 4.0])
    fit = fit_power_law(evals)
    assert fit.lambda_min == 1.0
    assert fit.n_tail < np.count_nonzero(evals >= fit.lambda_min)


@pytest.mark.parametrize("evals", [[], [2.0]])
def test_fewer_than_two_eigenvalues_have_no_tail(evals):
    assert fit_power_law(np.array(evals)) is Reason.TOO_FEW_EIGENVALUES


@pytest.mark.parametrize("small_sample", [None, SmallSample()])
@pytest.mark.parametrize("n", [2, 10, 100])
def test_equal_eigenvalues_have_no_tail(n, small_sample):
    assert fit_power_law(np.full(n, 0.3), small_sample=small_sample) is Reason.EQUAL_EIGENVALUES


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_has_no_logarithm(bad):
    with pytest.raises(SetolError, match=r"need positive finite eigenvalues.*with 1 that are not.*Drop zeros"):
        fit_power_law(np.array([1.0, bad, 2.0]))


def test_refuses_a_matrix():
    with pytest.raises(SetolError, match=r"shape \(n,\); got shape \(3, 3\)"):
        fit_power_law(np.ones((3, 3)))


def test_record_cannot_be_changed():
    fit = fit_power_law(np.array([1.0, 2.0, 4.0]))
    assert isinstance(fit, PowerLawFit)
    with pytest.raises(AttributeError, match="cannot assign to field 'alpha'"):
        fit.alpha = 2.0


def test_lambda_min_stays_in_its_range(draw_spectrum):
    rng = np.random.default_rng(12)
    evals = np.sort(draw_spectrum("lognormal", rng, 300))
    assert fit_power_law(evals, lambda_min_between=(0.0, np.inf)) == fit_power_law(evals)
    for first, last in ((0, 30), (100, 101), (250, 298)):
        fit = fit_power_law(rng.permutation(evals), lambda_min_between=(evals[first], evals[last]))
        assert evals[first] <= fit.lambda_min <= evals[last]
        assert fit.d_ww == min(
            fit_power_law(evals, lambda_min_between=(each, each)).d_ww for each in evals[first : last + 1]
        )
        assert fit.n_tail == np.count_nonzero(evals >= fit.lambda_min)


def test_largest_eigenvalues_are_left_out_by_leaving_them_out(draw_spectrum):
    """The range of lambda_min is of values, so it means the same with and without them."""
    evals = np.sort(draw_spectrum("pareto", np.random.default_rng(13), 200))
    fit = fit_power_law(evals[:-5], lambda_min_between=(evals[50], evals[100]))
    assert (fit.lambda_max, evals[50] <= fit.lambda_min <= evals[100]) == (evals[-6], True)


@pytest.mark.parametrize("limits", [(5.0, 9.0), (2.5, 2.6), (4.0, 4.0)])
def test_nothing_to_start_from(limits):
    assert fit_power_law(np.array([1.0, 2.0, 3.0, 4.0]), lambda_min_between=limits) is Reason.NO_CANDIDATE
    assert fit_power_law(np.full(4, 4.0), lambda_min_between=limits) is Reason.EQUAL_EIGENVALUES


@pytest.mark.parametrize("limits", [(2.0, 1.0), (np.nan, 1.0), (1.0, np.nan)])
def test_refuses_a_range_that_is_none(limits):
    with pytest.raises(SetolError, match=r"need a range of lambda_min whose first value is at most its last; got"):
        fit_power_law(np.array([1.0, 2.0]), lambda_min_between=limits)


@pytest.mark.parametrize("size", [400, 800])
def test_matrices_of_heavy_tailed_entries(size):
    """Symmetrized Pareto entries of index 1: theory has 1 + 1/2 for the exponent, finite sizes 1.4 to 1.75."""
    rng = np.random.default_rng([14, size])
    W = rng.choice([-1.0, 1.0], (size, size)) / (1.0 - rng.random((size, size)))
    fit = fit_power_law(np.linalg.svd(W, compute_uv=False) ** 2)
    assert 1.4 <= fit.alpha <= 1.75


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_orthogonal_matrix_has_no_tail(dtype):
    """What rounding leaves of equal eigenvalues fits a power law of alpha in the millions."""
    W, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((256, 128)))
    evals = np.linalg.svd(W.astype(dtype).astype(np.float64), compute_uv=False) ** 2
    assert evals[0] > evals[-1]
    assert fit_power_law(evals) is Reason.EQUAL_EIGENVALUES
    assert fit_hill(evals) is Reason.EQUAL_EIGENVALUES
