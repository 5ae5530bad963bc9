"""Resampling: reproducible however it is spread, uniform under its own law, small under another."""

import math
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from setol import Reason, SetolError, fit_power_law
from setol.tails.bootstrap import alpha_interval, goodness_of_fit

BOTH = [goodness_of_fit, alpha_interval]


def lognormal(seed, n=200):
    return np.exp(np.random.default_rng(seed).standard_normal(n))


@pytest.mark.parametrize("function", BOTH)
def test_spreading_the_replicas_changes_nothing(function):
    evals = lognormal(1)

    def run(**options):
        return function(evals, np.random.default_rng(2), n_replicas=24, **options)

    serial = run()
    assert run() == serial
    assert run(spread=lambda call, generators: [call(each) for each in reversed(list(generators))][::-1]) == serial
    with ThreadPoolExecutor(2) as pool:
        assert run(spread=pool.map) == serial
    with ProcessPoolExecutor(2) as pool:
        assert run(spread=pool.map) == serial


@pytest.mark.parametrize("function", BOTH)
def test_seeds_count(function):
    evals = lognormal(3)
    results = {function(evals, np.random.default_rng(seed), n_replicas=40) for seed in range(4)}
    assert len(results) > 1
    rng = np.random.default_rng(0)
    assert function(evals, rng, n_replicas=40) != function(evals, rng, n_replicas=40)  # it spawns others


@pytest.mark.parametrize("function", BOTH)
def test_the_global_generator_is_left_alone(function):
    before = pickle.dumps(np.random.get_state(legacy=False))  # noqa: NPY002
    function(lognormal(4), np.random.default_rng(0), n_replicas=5)
    assert pickle.dumps(np.random.get_state(legacy=False)) == before  # noqa: NPY002


def test_p_value_of_power_laws_is_spread_over_its_range(draw_pareto):
    """120 spectra of a bulk and a tail, 40 replicas each. Uniform p would lie below 0.1 in 12 of them: at most 12 +
    5 standard deviations (28); its mean is 0.5 +- 0.026, so 0.37 to 0.63 (D chosen by its size leaves it there)."""
    p_values = []
    for seed in range(120):
        rng = np.random.default_rng([5, seed])
        evals = np.concatenate([rng.random(60), draw_pareto(rng, 60, 2.5)])
        p_values.append(goodness_of_fit(evals, rng, n_replicas=40).p_value)
    assert np.sum(np.array(p_values) < 0.1) <= 28
    assert 0.37 < np.mean(p_values) < 0.63
    assert np.ptp(p_values) > 0.8


def test_p_value_of_other_laws_is_small():
    """No power law follows the edge of a random matrix."""
    evals = np.linalg.svd(np.random.default_rng(6).standard_normal((800, 400)), compute_uv=False) ** 2
    result = goodness_of_fit(evals, np.random.default_rng(7), n_replicas=60)
    assert result.p_value < 0.1
    assert result.d_ww == fit_power_law(evals).d_ww


def test_p_value_is_a_share_with_its_error():
    result = goodness_of_fit(lognormal(8), np.random.default_rng(9), n_replicas=50)
    assert result.n_replicas == 50
    assert result.p_value * 50 == pytest.approx(round(result.p_value * 50), abs=1e-12)
    assert result.standard_error == pytest.approx(math.sqrt(result.p_value * (1 - result.p_value) / 50))


def test_whole_spectrum_is_a_tail():
    """Then there is no bulk to draw from."""
    evals = np.array([1.0, 2.0])
    assert fit_power_law(evals).n_tail == 2
    assert 0 <= goodness_of_fit(evals, np.random.default_rng(1), n_replicas=20).p_value <= 1


def test_interval_holds_alpha_as_often_as_it_says(draw_pareto):
    """80 tails of alpha 2.5 with a bulk, 90 % intervals of 60 replicas: 72 expected; percentiles of so few
    replicas and the choice of lambda_min cost some, 5 standard deviations 13."""
    held = 0
    for seed in range(80):
        rng = np.random.default_rng([10, seed])
        evals = np.concatenate([rng.random(150), draw_pareto(rng, 150, 2.5)])
        interval = alpha_interval(evals, rng, n_replicas=60)
        held += interval.alpha_low <= 2.5 <= interval.alpha_high
        assert interval.alpha == fit_power_law(evals).alpha
    assert held >= 59


def test_interval_is_wider_than_with_lambda_min_known(draw_pareto):
    """The choice of lambda_min adds to the asymptotic error; 1.64 of that is half of a 90 % interval."""
    rng = np.random.default_rng(11)
    evals = np.concatenate([rng.random(300), draw_pareto(rng, 300, 2.5)])
    fit, interval = fit_power_law(evals), alpha_interval(evals, rng, n_replicas=200)
    assert interval.alpha_high - interval.alpha_low > 2 * 1.64 * fit.alpha_sigma
    assert interval.lambda_min_low <= fit.lambda_min <= interval.lambda_min_high
    assert {interval.lambda_min_low, interval.lambda_min_high} <= set(evals.tolist())


def test_level_widens_the_interval():
    evals = lognormal(12)
    narrow, wide = (alpha_interval(evals, np.random.default_rng(0), level=p, n_replicas=60) for p in (0.5, 0.95))
    assert wide.alpha_low < narrow.alpha_low <= narrow.alpha_high < wide.alpha_high
    assert (narrow.level, wide.level) == (0.5, 0.95)


@pytest.mark.parametrize("factor", [1e-300, 1e-6, 1e290])
def test_scale(factor):
    evals = lognormal(13)
    fits = [goodness_of_fit(evals * c, np.random.default_rng(1), n_replicas=20) for c in (1.0, factor)]
    assert fits[0].p_value == fits[1].p_value
    one, other = (alpha_interval(evals * c, np.random.default_rng(1), n_replicas=20) for c in (1.0, factor))
    assert other.alpha_low == pytest.approx(one.alpha_low, rel=1e-9)
    assert other.alpha_high == pytest.approx(one.alpha_high, rel=1e-9)
    assert other.lambda_min_low == pytest.approx(one.lambda_min_low * factor, rel=1e-12)


@pytest.mark.parametrize("function", BOTH)
def test_no_tail(function):
    rng = np.random.default_rng(0)
    for evals in ([], [2.0]):
        assert function(np.array(evals), rng) is Reason.TOO_FEW_EIGENVALUES
    assert function(np.full(9, 0.3), rng) is Reason.EQUAL_EIGENVALUES


def test_replicas_without_a_tail_are_left_out():
    """Of two eigenvalues half of the replicas repeat one; where the only one does, no interval is left."""
    evals = np.array([1.0, 2.0])
    result = alpha_interval(evals, np.random.default_rng(0), n_replicas=100)
    assert 25 < result.n_replicas < 75
    seed = next(s for s in range(100) if np.ptp(np.random.default_rng(s).spawn(1)[0].integers(0, 2, 2)) == 0)
    assert alpha_interval(evals, np.random.default_rng(seed), n_replicas=1) is Reason.NO_REPLICA


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_has_no_logarithm(function, bad):
    with pytest.raises(SetolError, match=r"need positive finite eigenvalues.*with 1 that are not.*Drop zeros"):
        function(np.array([1.0, bad, 2.0]), np.random.default_rng(0))


@pytest.mark.parametrize("function", BOTH)
def test_refuses_no_replicas(function):
    with pytest.raises(SetolError, match=r"need at least one replica; got n_replicas = 0"):
        function(np.array([1.0, 2.0]), np.random.default_rng(0), n_replicas=0)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, np.nan])
def test_refuses_a_level_without_meaning(level):
    with pytest.raises(SetolError, match=r"need a level between 0 and 1, such as 0.9; got"):
        alpha_interval(np.array([1.0, 2.0]), np.random.default_rng(0), level=level)


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize(
    "evals", [[5e-324, 1e-323, 2e-323, 5e-323], [1e300, 2e300, 3e300, 1e308], [5e-324, 1.0, 2.0, 1e308]]
)
def test_the_ends_of_float64(function, evals):
    result = function(np.array(evals), np.random.default_rng(0), n_replicas=10)
    assert 1 <= result.n_replicas <= 10
