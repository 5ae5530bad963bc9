"""Means, intervals and rank correlations of claims, against values worked out another way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from setol_zoo.lab.claims.spread import crossing, ranks, spread


def test_the_interval_of_a_mean_is_student_s():
    values = [1.97, 1.98, 1.92, 1.94]
    found = spread(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.n, found.mean, found.sd) == (4, pytest.approx(1.9525), pytest.approx(np.std(values, ddof=1)))
    assert (found.interval.low, found.interval.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_one_value_has_no_spread_and_none_has_no_mean():
    assert spread([2.0, np.nan]).sd is None
    assert spread([np.nan]) is None
    assert spread([]) is None


def test_a_spread_in_another_unit():
    found = spread([0.01, 0.02, 0.03]).times(100)
    assert found == spread([1.0, 2.0, 3.0]) or (found.mean == pytest.approx(2) and found.sd == pytest.approx(1))
    assert found.interval.low == pytest.approx(spread([1.0, 2.0, 3.0]).interval.low)


def test_the_interval_of_a_rank_correlation_holds_the_truth_as_often_as_it_says():
    rng, held, n = np.random.default_rng(1), 0, 400
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's rho of a normal pair that correlates with 0.6
    for _ in range(n):
        x = rng.standard_normal(18)
        found = ranks(x, 0.6 * x + 0.8 * rng.standard_normal(18))
        held += found.interval.low <= truth <= found.interval.high
    assert held / n == pytest.approx(0.95, abs=5 * np.sqrt(0.05 * 0.95 / n))


def test_a_perfect_order_has_an_interval_all_the_same():
    found = ranks(range(6), range(6))
    assert found.rho == pytest.approx(1)
    assert 0.4 < found.interval.low < 0.8 and found.rises
    assert ranks(range(6), range(0, -6, -1)).falls


def test_what_cannot_be_ranked():
    assert ranks([1, 2, 3, 4], [1, 2, 3, 4]) is None
    assert ranks([1, 1, 1, 1, 1, 1], range(6)) is None
    assert ranks([1, 2, 3, 4, np.nan], range(5)) is None


@given(st.floats(-5, 5), st.floats(0.1, 3))
def test_a_line_is_zero_where_it_is(place, slope):
    x = np.linspace(place - 1, place + 1, 12)
    found = crossing(x, slope * (x - place), ["a", "b", "c", "d"] * 3, replicas=20)
    assert found.n == 4
    assert found.mean == pytest.approx(place, abs=1e-6)
    assert found.interval.low == pytest.approx(place, abs=1e-6)


def test_no_crossing_where_the_sign_stays_or_runs_are_few():
    x = np.linspace(1, 3, 12)
    assert crossing(x, x, ["a", "b", "c", "d"] * 3) is None
    assert crossing(x, x - 2, ["a", "b"] * 6) is None
