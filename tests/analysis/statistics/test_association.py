from dataclasses import astuple, fields
from itertools import permutations

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.association import associate, associations
from analysis.statistics.tau import TauTest, _error

FEW = settings(max_examples=20, deadline=None)
PAIRS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=5, max_size=12)


def seeded(seed=0):
    return np.random.default_rng(seed)


def pair(n, seed=0, slope=1.0):
    generator = seeded(seed)
    metric = generator.normal(3, 1, size=n)
    return metric, 70 + slope * metric + generator.normal(size=n)


def test_numbers_are_those_of_scipy_and_statsmodels():
    metric, score = pair(17)
    found = associate(metric, score, generator=seeded())
    line = sm.OLS(score, sm.add_constant(metric)).fit()
    tau = scipy.stats.kendalltau(metric, score, method="exact")
    assert found.n == 17
    assert (found.tau, found.tau_p, found.tau_test) == (
        pytest.approx(tau.statistic),
        pytest.approx(tau.pvalue),
        "exact",
    )
    assert found.spearman == pytest.approx(scipy.stats.spearmanr(metric, score).statistic)
    assert found.pearson == pytest.approx(scipy.stats.pearsonr(metric, score).statistic)
    assert found.r_squared == pytest.approx(line.rsquared)
    assert (found.intercept, found.slope) == (pytest.approx(line.params[0]), pytest.approx(line.params[1]))
    assert found.rmse == pytest.approx(np.sqrt(line.ssr / 17))
    assert found.reason is None and found.interval_reason is None


@FEW
@given(PAIRS)
def test_what_leaves_tau_and_what_turns_it(pairs):
    metric, score = np.array(pairs, dtype=float).T
    found = associate(metric, score, generator=seeded())
    if found.reason:
        assert np.ptp(metric) == 0 or np.ptp(score) == 0
        return
    monotone = associate(np.exp(metric), score**3, generator=seeded())
    assert (monotone.tau, monotone.tau_p) == (pytest.approx(found.tau), pytest.approx(found.tau_p))
    turned = associate(-metric, score, generator=seeded())
    assert (turned.tau, turned.slope, turned.pearson) == (
        pytest.approx(-found.tau),
        pytest.approx(-found.slope),
        pytest.approx(-found.pearson),
    )
    assert turned.tau_p == pytest.approx(found.tau_p)
    if found.n <= 8:
        order = seeded(len(pairs)).permutation(found.n)
        assert associate(metric[order], score[order], generator=seeded()).tau_p == pytest.approx(found.tau_p)


def test_p_with_ties_is_from_all_orders_of_few():
    metric, score = np.array([1.0, 1, 2, 3, 4, 4]), np.array([2.0, 1, 3, 3, 6, 5])
    taus = [scipy.stats.kendalltau(metric, order).statistic for order in permutations(score)]
    found = associate(metric, score, generator=seeded())
    assert found.tau_test is TauTest.EXACT
    assert found.tau_p == pytest.approx(np.mean(np.abs(taus) >= abs(found.tau) - 1e-9))


def test_p_with_ties_is_from_random_orders_of_more():
    metric, score = pair(14, slope=0.5)
    score = np.round(score)
    found = associate(metric, score, generator=seeded())
    assert found.tau_test is TauTest.PERMUTATION
    assert found.tau_p == pytest.approx(scipy.stats.kendalltau(metric, score).pvalue, abs=0.02)
    assert found.tau_p * 2_000 == pytest.approx(round(found.tau_p * 2_000))
    assert associate(metric, score, generator=seeded()) == found
    perfect = associate(np.append(np.arange(14.0), 13), np.append(np.arange(14.0), 13), generator=seeded())
    assert perfect.tau_p == 1 / 2_000


def test_the_interval_of_tau_is_scipys_bca():
    metric, score = pair(25, 3)
    scipys = scipy.stats.bootstrap(
        (metric, score),
        lambda x, y: scipy.stats.kendalltau(x, y).statistic,
        paired=True,
        vectorized=False,
        n_resamples=999,
        rng=seeded(1),
    ).confidence_interval
    found = associate(metric, score, generator=seeded()).tau_interval
    assert (found.low, found.high) == pytest.approx((scipys.low, scipys.high), abs=0.05)


def test_the_interval_of_r_squared_is_the_jackknifes():
    metric, score = pair(15, 4)
    without = [np.arctanh(np.corrcoef(np.delete(metric, k), np.delete(score, k))[0, 1]) for k in range(15)]
    half = scipy.stats.t.ppf(0.975, 13) * np.sqrt(14 * np.var(without))
    found = associate(metric, score, generator=seeded())
    low, high = np.tanh(np.arctanh(found.pearson) + half * np.array([-1, 1]))
    assert low > 0
    assert (found.r_squared_interval.low, found.r_squared_interval.high) == pytest.approx((low**2, high**2))
    unrelated = associate(metric, seeded(5).normal(size=15), generator=seeded()).r_squared_interval
    assert unrelated.low == 0 < unrelated.high


@pytest.mark.parametrize("n", [8, 20])
def test_intervals_hold_the_truth(n):
    generator, of_tau, of_line = seeded(6), 0, 0
    for _ in range(60):
        x = generator.normal(size=n)
        found = associate(x, 0.8 * x + 0.6 * generator.normal(size=n), generator=generator)
        of_tau += found.tau_interval.low <= 2 / np.pi * np.arcsin(0.8) <= found.tau_interval.high
        of_line += found.r_squared_interval.low <= 0.64 <= found.r_squared_interval.high
    assert of_tau >= 52 and of_line >= 51


def test_a_perfect_order_is_not_taken_to_be_sure():
    found = associate(np.arange(9.0), np.arange(9.0) ** 2, generator=seeded())
    assert found.tau == 1 and found.tau_interval.high == 1
    assert 0.8 < found.tau_interval.low < 0.95
    turned = associate(np.arange(9.0), -(np.arange(9.0) ** 2), generator=seeded())
    assert turned.tau_interval.low == -1 and turned.tau_interval.high == -found.tau_interval.low
    line = associate(np.arange(9.0), 2 * np.arange(9.0), generator=seeded())
    assert line.r_squared == 1 and line.r_squared_interval is None
    assert line.interval_reason == "without one model the line is exact or the metric the same for all"


def test_many_models():
    metric, score = pair(400, 7, slope=0.4)
    found = associate(metric, np.round(score, 1), generator=seeded())
    expected = scipy.stats.kendalltau(metric, np.round(score, 1))
    assert found.tau_test is TauTest.NORMAL
    assert (found.tau, found.tau_p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert found.tau_interval.low < found.tau < found.tau_interval.high
    x = metric[:300]
    y = np.round(score[:300], 1)
    without = [scipy.stats.kendalltau(np.delete(x, k), np.delete(y, k)).statistic for k in range(300)]
    assert _error(x, y) == pytest.approx(np.sqrt(299 * np.var(without)), rel=0.05)


@pytest.mark.parametrize(("n", "intervals"), [(4, False), (5, False), (7, False), (8, True)])
def test_few_models(n, intervals):
    found = associate(*pair(n), generator=seeded())
    if n < 5:
        assert found.reason == "4 of at least 5 models"
        assert all(getattr(found, field.name) is None for field in fields(found) if field.name not in ("n", "reason"))
        return
    assert found.tau is not None and found.smallest_tau is not None
    assert (found.tau_interval is not None, found.r_squared_interval is not None) == (intervals, intervals)
    assert found.interval_reason == (None if intervals else f"{n} of at least 8 models")


def test_what_is_the_same_for_all():
    metric, score = pair(9)
    assert associate(np.full(9, 0.1) * 3, score, generator=seeded()).reason == "the metric is the same for all models"
    rounding = 0.3 + np.arange(9) * 1e-17
    assert associate(rounding, score, generator=seeded()).reason == "the metric is the same for all models"
    assert associate(metric, np.zeros(9), generator=seeded()).reason == "all scores are the same"
    outlier = associate(np.where(np.arange(9) == 4, 1.0, 0.0), score, generator=seeded())
    assert outlier.tau is not None and outlier.r_squared_interval is None


def test_units_of_any_size():
    metric, score = pair(10)
    found = associate(metric, score, generator=seeded())
    large = associate(metric * 1e200, score * 1e-200, generator=seeded())
    assert large.r_squared == pytest.approx(found.r_squared)
    assert large.rmse == pytest.approx(found.rmse * 1e-200)
    assert large.tau_p == found.tau_p


def test_many_metrics_at_once_are_each_alone():
    generator = seeded(8)
    metrics = generator.normal(size=(12, 5))
    score = generator.normal(size=12)
    metrics[:5, 1] = np.nan
    metrics[:9, 2] = np.nan
    metrics[:, 3] = 1
    found = associations(metrics, score, score_error=np.full(12, 0.1), generator=seeded())
    assert [each.n for each in found] == [12, 7, 3, 12, 12]
    assert found[2].reason == "3 of at least 5 models"
    assert found[3].reason == "the metric is the same for all models"
    for column in (0, 1, 4):
        alone = associate(metrics[:, column], score, score_error=np.full(12, 0.1), generator=seeded())
        numbers = [
            each for each in zip(astuple(found[column]), astuple(alone), strict=True) if isinstance(each[1], float)
        ]
        assert len(numbers) == 9
        assert all(together == pytest.approx(by_itself) for together, by_itself in numbers)
    assert found[0].ceiling == found[4].ceiling and found[1].ceiling.n == 7
    assert associations(metrics[:, :0], score, generator=seeded()) == ()
    assert associate(np.empty(0), np.empty(0), generator=seeded()).reason == "0 of at least 5 models"
