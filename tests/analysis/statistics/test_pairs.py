"""Tau of every family at once against scipy's, family by family."""

import numpy as np
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics import pairs as module
from analysis.statistics.pairs import family_pairs


def one_by_one(codes, count, x, y):
    found = []
    for family in range(count):
        own = (codes == family) & np.isfinite(x) & np.isfinite(y)
        found.append(scipy.stats.kendalltau(x[own], y[own]).statistic if own.sum() > 1 else np.nan)
    return np.array(found)


rows = st.lists(
    st.tuples(st.integers(-1, 3), st.one_of(st.none(), st.integers(0, 4)), st.one_of(st.none(), st.integers(0, 4))),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(rows)
def test_taus_are_scipys(drawn):
    codes = np.array([code for code, _, _ in drawn], dtype=np.int64)
    x, y = (np.array([np.nan if row[place] is None else row[place] for row in drawn], dtype=float) for place in (1, 2))
    pairs = family_pairs(codes, 4)
    np.testing.assert_allclose(pairs.taus(x, y), one_by_one(codes, 4, x, y), atol=1e-12)
    there = np.isfinite(x) & np.isfinite(y)
    assert pairs.sizes(x, y).tolist() == [int((there & (codes == family)).sum()) for family in range(4)]


def test_large_families_are_sorted_instead(monkeypatch):
    monkeypatch.setattr(module, "MOST_PAIRED", 10)
    generator = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], [50, 8, 11])
    x, y = generator.normal(size=69), generator.normal(size=69).round()
    x[::9] = np.nan
    pairs = family_pairs(codes, 3)
    assert (pairs.large, len(pairs.first)) == ((0, 2), 28)
    np.testing.assert_allclose(pairs.taus(x, y), one_by_one(codes, 3, x, y), atol=1e-12)


def test_ten_thousand_families():
    codes = np.tile(np.arange(10_000), 5)
    generator = np.random.default_rng(2)
    x = generator.normal(size=50_000)
    taus = family_pairs(codes, 10_000).taus(x, np.exp(x))
    assert np.allclose(taus, 1)
