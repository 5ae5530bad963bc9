from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.ceiling import binomial_error, ceiling, exact_p, smallest_tau


@pytest.mark.parametrize("n", [5, 6])
def test_the_smallest_tau_is_that_of_all_orders(n):
    taus = np.array([scipy.stats.kendalltau(range(n), order).statistic for order in permutations(range(n))])
    possible = np.unique(np.round(np.abs(taus), 12))
    shown = [tau for tau in possible if np.mean(np.abs(taus) >= tau - 1e-9) <= 0.05]
    assert smallest_tau(n) == pytest.approx(min(shown))


@pytest.mark.parametrize(("n", "tau"), [(5, 1.0), (8, 18 / 28), (10, 23 / 45), (20, 62 / 190)])
def test_the_smallest_tau_is_that_of_tables(n, tau):
    assert smallest_tau(n) == pytest.approx(tau)


def test_the_smallest_tau_of_few_and_of_many():
    assert smallest_tau(4) is None
    assert smallest_tau(200) == pytest.approx(smallest_tau(201), rel=0.005)  # from counted out to normal
    taus = [smallest_tau(n) for n in range(5, 100, 2)]
    assert sorted(taus, reverse=True) == taus


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 60), st.integers(0, 2**32 - 1))
def test_exact_p_is_scipys(n, seed):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=n)
    expected = scipy.stats.kendalltau(x, x + generator.normal(size=n) * 3, method="exact")
    discordant = round((1 - expected.statistic) / 2 * (n * (n - 1) // 2))
    assert exact_p(discordant, n) == pytest.approx(expected.pvalue, rel=1e-9)


def test_exact_p_of_a_perfect_order_of_many_is_no_zero():
    assert exact_p(0, 150) == pytest.approx(2 / float(np.exp(scipy.special.gammaln(151))), rel=1e-6)


@pytest.mark.parametrize(("noise", "within"), [(0.2, 0.02), (0.5, 0.03), (1.0, 0.07)])
def test_the_ceiling_is_what_the_truth_reaches(noise, within):
    generator = np.random.default_rng(1)
    found, reached = [], []
    for _ in range(400):
        truth, error = generator.normal(70, 3, size=20), 3 * noise * generator.uniform(0.6, 1.4, size=20)
        score = truth + error * generator.normal(size=20)
        top = ceiling(score, error)
        found.append((top.tau, top.pearson))
        reached.append((scipy.stats.kendalltau(truth, score).statistic, np.corrcoef(truth, score)[0, 1]))
    assert np.mean(found, axis=0) == pytest.approx(np.mean(reached, axis=0), abs=within)


def test_the_ceiling_without_error_and_with_nothing_else():
    score = np.random.default_rng(2).normal(size=30)
    sure = ceiling(score, np.zeros(30))
    assert (sure.reliability, sure.tau, sure.pearson) == (1, 1, 1)
    lost = ceiling(score, np.full(30, 50.0))
    assert (lost.reliability, lost.tau, lost.pearson) == (0, 0, 0)
    scaled = ceiling(100 * score + 7, np.full(30, 40.0))
    assert scaled.tau == pytest.approx(ceiling(score, np.full(30, 0.4)).tau)


def test_the_ceiling_of_unknown_errors_and_equal_scores():
    score = np.arange(8.0)
    assert ceiling(score, np.full(8, np.nan)).reason == "the error of the score is known for 0 of 8 models"
    assert ceiling(np.ones(8), np.ones(8)).reason == "all scores are the same"
    some = np.where(score < 6, 0.5, np.nan)
    assert ceiling(score, some).tau == ceiling(score[:6], some[:6]).tau
    assert ceiling(score, some).n == 6


def test_the_ceiling_of_very_many_is_that_of_some():
    score = np.random.default_rng(3).normal(size=9_000)
    assert ceiling(score, np.full(9_000, 0.5)).tau == pytest.approx(
        ceiling(score[:1_500], np.full(1_500, 0.5)).tau, abs=0.02
    )


def test_binomial_errors():
    of_1000 = binomial_error(
        np.array([76.0, 0.0, 100.0, 101.0, -1.0, 50.0]), np.array([1e5, 98, 98, 10, 10, np.nan]), of=100
    )
    assert of_1000[0] == pytest.approx(100 * np.sqrt(0.76 * 0.24 / 1e5), rel=1e-3)
    assert of_1000[1] == pytest.approx(of_1000[2]) == pytest.approx(100 * np.sqrt(0.01 * 0.99 / 98))
    assert np.isnan(of_1000[3:]).all()
    assert binomial_error(np.array([0.76]), np.array([1e5]), of=1)[0] == pytest.approx(of_1000[0] / 100)
