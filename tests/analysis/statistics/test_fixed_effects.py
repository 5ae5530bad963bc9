import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.fixed_effects import UNBOUNDED, fixed_effects, slope_interval
from tests.analysis.statistics.slopes import zoo


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_slope_and_clustered_error_are_those_of_a_regression_with_a_constant_and_a_control_of_each_family():
    made = zoo(1, 9)
    found = fixed_effects(made.metric, made.score, made.codes, [made.size], generator=generator())
    frame = pd.DataFrame({"x": made.metric, "y": made.score, "z": made.size, "f": made.codes})
    fit = smf.ols("y ~ x + C(f) + C(f):z", frame).fit(cov_type="cluster", cov_kwds={"groups": made.codes})
    n, coefficients = len(frame), 1 + 2 * 9
    counted = np.sqrt((n - coefficients) / (n - 1))  # ours counts the metric's coefficient alone
    assert found.slope == pytest.approx(fit.params["x"], rel=1e-9)
    assert found.standard_error == pytest.approx(fit.bse["x"] * counted, rel=1e-6)


def test_wild_p_is_the_share_of_zoos_with_flipped_families():
    made = zoo(2, 6, effect=0.3)
    found = fixed_effects(made.metric, made.score, made.codes, generator=generator())
    x = made.metric - pd.Series(made.metric).groupby(made.codes).transform("mean").to_numpy()
    y = made.score - pd.Series(made.score).groupby(made.codes).transform("mean").to_numpy()
    larger = []
    for pattern in range(64):
        signs = 1.0 - 2.0 * ((pattern >> np.arange(6)) & 1)
        again = signs[made.codes] * y
        slope = x @ again / (x @ x)
        scores = [x[made.codes == f] @ (again - slope * x)[made.codes == f] for f in range(6)]
        larger.append(slope**2 / np.square(scores).sum())
    assert found.wild_p == pytest.approx(np.mean(np.array(larger) >= larger[0] * (1 - 1e-9)))
    assert found.exact


def test_the_interval_holds_zero_where_p_says_so():
    for seed in range(40):
        made = zoo(seed, 8, effect=0.4, slope_sd=0.8)
        found = fixed_effects(made.metric, made.score, made.codes, generator=generator())
        assert found.interval is not None
        assert found.wild_p is not None
        assert found.slope is not None
        assert found.interval.low < found.slope < found.interval.high
        if found.wild_p > 0.05:
            assert found.interval.low <= 0 <= found.interval.high


def test_five_families_are_tested_but_have_no_interval():
    made = zoo(3, 5, effect=1.0)
    found = fixed_effects(made.metric, made.score, made.codes, generator=generator())
    assert found.slope is not None
    assert found.wild_p is not None
    assert found.wild_p >= 1 / 16
    assert (found.interval, found.reason) == (None, UNBOUNDED)


@pytest.mark.parametrize(
    ("families", "change", "reason"),
    [
        (4, lambda x: x, "4 of at least 5 families"),
        (6, np.zeros_like, "0 of at least 5 families"),
    ],
)
def test_what_cannot_be_had_has_a_reason(families, change, reason):
    made = zoo(4, families)
    found = fixed_effects(change(made.metric), made.score, made.codes, generator=generator())
    assert (found.slope, found.reason) == (None, reason)


def test_scores_without_any_error_have_no_test():
    made = zoo(5, 6)
    found = fixed_effects(made.metric, 2 * made.metric, made.codes, generator=generator())
    assert found.reason == "the scores follow from the metric without any error"


def test_many_families_have_the_interval_of_students_t():
    made = zoo(6, 600, effect=0.5)
    found = fixed_effects(made.metric, made.score, made.codes, [made.size], generator=generator())
    assert found.interval is not None
    assert found.standard_error is not None
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.9639 * found.standard_error, rel=1e-3)
    assert found.interval.low < 0.5 < found.interval.high


def test_alike_families_have_the_interval_of_a_mean():
    numbers = np.random.default_rng(1).normal(1, 1, 40)
    interval = slope_interval(numbers, np.ones(40), generator=generator())
    assert interval is not None
    half = 2.02 * numbers.std(ddof=1) / np.sqrt(40)
    assert (interval.low, interval.high) == pytest.approx(
        (numbers.mean() - half, numbers.mean() + half), abs=0.1 * half
    )


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 100), st.floats(-50, 50), st.integers(0, 1000))
def test_units_and_offsets_change_nothing_but_the_unit(scale, shift, seed):
    made = zoo(seed, 7, effect=0.5)
    one = fixed_effects(made.metric, made.score, made.codes, [made.size], generator=generator())
    two = fixed_effects(made.metric, scale * made.score + shift, made.codes, [made.size], generator=generator())
    assert one.slope is not None
    assert two.slope == pytest.approx(scale * one.slope, rel=1e-6)
    assert two.wild_p == one.wild_p
