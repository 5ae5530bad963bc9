"""Bounds of tau against every way to place the missing models."""

from itertools import permutations, product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.bounds import TauBounds, tau_bounds

NAN = float("nan")


def vector(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def by_all_placings(metric: np.ndarray, score: np.ndarray) -> TauBounds:
    """Every order of the missing values among the observed ones, none of them tied."""
    missing = np.flatnonzero(~np.isfinite(metric))
    observed = np.unique(metric[np.isfinite(metric)])
    gaps = range(len(observed) + 1)
    found = []
    for chosen in product(gaps, repeat=len(missing)):
        for order in permutations(range(len(missing))):
            full = metric.copy()
            ranks = np.searchsorted(observed, metric) * 100.0
            full[:] = ranks
            for place, (gap, rank) in enumerate(zip(chosen, order, strict=True)):
                full[missing[place]] = gap * 100.0 - 50 + rank
            tau = scipy.stats.kendalltau(full, score).statistic
            if np.isfinite(tau):
                found.append(tau)
    return TauBounds(min(found), max(found)) if found else TauBounds(None, None)


def test_values_by_hand():
    # Observed: 1 < 2 in both, concordant. Above both, the third model makes it 3 of 3; below both, 1 - 2 = -1 of 3.
    found = tau_bounds(vector(1, 2, NAN), vector(1, 2, 3))
    assert (found.low, found.high) == (pytest.approx(-1 / 3), pytest.approx(1))
    # A model between two that are discordant can agree with one of them only, wherever it is put.
    found = tau_bounds(vector(2, NAN, 1), vector(1, 2, 3))
    assert (found.low, found.high) == (pytest.approx(-1), pytest.approx(-1 / 3))


def test_nothing_missing_is_tau_itself_and_everything_missing_is_anything():
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=40), generator.normal(size=40).round(1)
    tau = scipy.stats.kendalltau(x, y).statistic
    found = tau_bounds(x, y)
    assert (found.low, found.high) == (pytest.approx(tau), pytest.approx(tau))
    found = tau_bounds(np.full(5, NAN), vector(1, 2, 3, 4, 5))
    assert (found.low, found.high) == (pytest.approx(-1), pytest.approx(1))


def test_what_does_not_vary_has_no_bounds():
    assert tau_bounds(vector(1, NAN, 2), vector(5, 5, 5)) == TauBounds(None, None)
    assert tau_bounds(vector(7, 7, 7), vector(1, 2, 3)) == TauBounds(None, None)
    assert tau_bounds(vector(1), vector(1)) == TauBounds(None, None)
    assert tau_bounds(vector(), vector()) == TauBounds(None, None)


small = st.integers(2, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=n, max_size=n).filter(lambda x: x.count(None) <= 3),
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
    )
)


@settings(max_examples=80, deadline=None)
@given(small)
def test_bounds_are_those_of_all_placings_with_ties_too(drawn):
    metric = vector(*(NAN if value is None else value for value in drawn[0]))
    score = vector(*drawn[1])
    found, right = tau_bounds(metric, score), by_all_placings(metric, score)
    assert (found.low is None) == (right.low is None)
    if right.low is not None:
        assert (found.low, found.high) == (pytest.approx(right.low), pytest.approx(right.high))


@settings(max_examples=50, deadline=None)
@given(small, st.randoms(use_true_random=False))
def test_neither_order_nor_monotone_scales_matter_and_a_reversed_score_reverses(drawn, random):
    metric = vector(*(NAN if value is None else value for value in drawn[0]))
    score = vector(*drawn[1])
    found = tau_bounds(metric, score)
    order = list(range(len(score)))
    random.shuffle(order)
    assert tau_bounds(np.exp(metric[order]), score[order] ** 3) == found
    mirrored = tau_bounds(metric, -score)
    if found.low is not None:
        assert (mirrored.low, mirrored.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def test_ties_with_observed_values_would_not_widen_them():
    generator = np.random.default_rng(5)
    for _ in range(12):
        n = int(generator.integers(3, 6))
        score = generator.permutation(n).astype(float)
        metric = generator.permutation(n).astype(float)
        missing = generator.choice(n, size=int(generator.integers(1, 3)), replace=False)
        metric[missing] = NAN
        bounds = tau_bounds(metric, score)
        places = np.arange(-0.5, n + 0.5, 0.25)
        for chosen in product(places, repeat=len(missing)):
            full = metric.copy()
            full[missing] = chosen
            tau = scipy.stats.kendalltau(full, score).statistic
            if np.isfinite(tau):
                assert bounds.low - 1e-12 <= tau <= bounds.high + 1e-12


def test_many_models_take_no_time():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=3_000), generator.normal(size=3_000)
    x[generator.random(3_000) < 0.5] = NAN
    found = tau_bounds(x, y)
    assert -1 < found.low < found.high < 1
