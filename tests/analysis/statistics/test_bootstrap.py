import numpy as np
import pytest
import scipy.stats

from analysis.statistics.bootstrap import family_interval, resamples


def seeded(seed=0):
    return np.random.default_rng(seed)


def ends(interval):
    return interval.low, interval.high


def test_resamples_are_places():
    found = list(resamples(9, generator=seeded(), draws=50))
    assert np.concatenate(found).shape == (50, 9)
    assert set(np.unique(found[0])) == set(range(9))
    many = list(resamples(3_000_000, generator=seeded(), draws=2))
    assert [len(part) for part in many] == [1, 1]


def test_no_interval_of_few_families_or_one_value():
    assert family_interval(np.arange(7.0), generator=seeded()) is None
    assert family_interval(np.ones(20), generator=seeded()) is None
    assert family_interval(np.arange(8.0), generator=seeded()) is not None


def test_an_interval_moves_with_its_values():
    values = seeded(1).normal(size=15)
    low, high = ends(family_interval(values, generator=seeded()))
    assert low < values.mean() < high
    assert ends(family_interval(3 * values + 5, generator=seeded())) == pytest.approx((3 * low + 5, 3 * high + 5))
    cut = family_interval(values, within=(-0.05, 0.05), generator=seeded())
    assert ends(cut) == (max(low, -0.05), min(high, 0.05))


def test_it_is_never_narrower_than_students():
    values = seeded(2).normal(size=12)
    student = scipy.stats.t.interval(0.95, 11, values.mean(), scipy.stats.sem(values))
    found = family_interval(values, generator=seeded())
    assert found.low <= student[0] + 1e-12 and found.high >= student[1] - 1e-12
    large = seeded(3).normal(size=4_000)
    student = scipy.stats.t.interval(0.95, 3_999, large.mean(), scipy.stats.sem(large))
    assert ends(family_interval(large, generator=seeded(), draws=999)) == pytest.approx(student, abs=0.01)


def test_weights_count_families():
    values = seeded(4).normal(size=10)
    equal = family_interval(values, weights=np.full(10, 7.0), generator=seeded())
    assert ends(equal) == pytest.approx(ends(family_interval(values, generator=seeded())))
    heavy = np.where(np.arange(10) == 3, 1e4, 1.0)
    assert sum(ends(family_interval(values, weights=heavy, generator=seeded()))) / 2 == pytest.approx(values[3], abs=2)
    nearly = family_interval(np.append(values, 1e3), weights=np.append(np.ones(10), 1e-9), generator=seeded())
    assert abs(nearly.low) < 3 and abs(nearly.high) < 3


@pytest.mark.parametrize(
    "draw",
    [lambda g: g.normal(0.5, size=10), lambda g: g.exponential(0.5, size=10), lambda g: g.choice([0.0, 1], size=10)],
    ids=["normal", "skewed", "two values"],
)
def test_intervals_hold_the_truth(draw):
    generator = seeded(5)
    held = 0
    for _ in range(200):
        found = family_interval(draw(generator), generator=generator, draws=499)
        held += found is None or found.low <= 0.5 <= found.high
    assert held >= 180
