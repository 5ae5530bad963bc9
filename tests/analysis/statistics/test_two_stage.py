import time

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.two_stage import FamilyValues, family_slopes, family_taus, family_weights, two_stage
from tests.analysis.statistics.slopes import zoo


def values(numbers, variances=None) -> FamilyValues:
    numbers = np.asarray(numbers, dtype=np.float64)
    spread = np.zeros(len(numbers)) if variances is None else np.asarray(variances, dtype=np.float64)
    none = np.zeros(0, dtype=np.int64)
    return FamilyValues(
        families=np.arange(len(numbers)),
        values=numbers,
        variances=spread,
        n=4 * len(numbers),
        too_small=none,
        flat=none,
    )


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_slopes_and_their_variances_are_those_of_a_regression_in_each_family():
    made = zoo(1, 9)
    found = family_slopes(made.metric, made.score, made.codes, [made.size])
    squares, freedom = 0.0, 0.0
    for family, slope in zip(found.families, found.values, strict=True):
        rows = made.codes == family
        frame = pd.DataFrame({"x": made.metric[rows], "y": made.score[rows], "z": made.size[rows]})
        fit = smf.ols("y ~ x + z", frame).fit()
        assert slope == pytest.approx(fit.params["x"], rel=1e-9)
        squares, freedom = squares + fit.ssr, freedom + fit.df_resid
        found_variance = found.variances[list(found.families).index(family)]
        unscaled = fit.normalized_cov_params.loc["x", "x"]
        assert found_variance / unscaled == pytest.approx(found.variances[0] / _unscaled(made, found.families[0]))
    assert found.variances[0] == pytest.approx(squares / freedom * _unscaled(made, found.families[0]), rel=1e-9)


def _unscaled(made, family) -> float:
    rows = made.codes == family
    frame = pd.DataFrame({"x": made.metric[rows], "y": made.score[rows], "z": made.size[rows]})
    return smf.ols("y ~ x + z", frame).fit().normalized_cov_params.loc["x", "x"]


def test_equal_weights_give_students_t_of_the_families():
    numbers = np.array([0.5, 1.2, -0.3, 0.8, 0.4, 0.9])
    found = two_stage(values(numbers), generator=generator())
    test = scipy.stats.ttest_1samp(numbers, 0)
    interval = test.confidence_interval()
    assert found.estimate == pytest.approx(numbers.mean())
    assert found.standard_error == pytest.approx(scipy.stats.sem(numbers))
    assert found.t_p == pytest.approx(test.pvalue)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))
    assert found.flip is not None
    assert found.flip.exact
    assert found.flip.p == pytest.approx(4 / 64)
    assert found.positive == pytest.approx(5 / 6)


def test_weights_forget_the_signs_of_slopes():
    numbers, variances = np.array([1.0, -2.0, 0.3, 0.7, -0.1, 1.4]), np.array([0.1, 2.0, 0.5, 0.1, 0.05, 4.0])
    flipped = family_weights(values(numbers * [1, -1, -1, 1, -1, 1], variances))
    assert family_weights(values(numbers, variances)) == pytest.approx(flipped)
    assert np.all(np.diff(flipped[np.argsort(variances)]) <= 0)


def test_families_without_a_residual_degree_of_freedom_or_without_variation_are_named():
    codes = np.array([0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, -1, -1])
    metric = np.array([1, 2, 5, 5, 5, 1, 2, 4, 1, 3, 2, 5, 9, 8], dtype=np.float64)
    score = np.arange(14, dtype=np.float64) ** 1.5
    found = family_slopes(metric, score, codes)
    assert list(found.families) == [2, 3]
    assert list(found.too_small) == [0]
    assert list(found.flat) == [1]
    assert found.n == 7
    size = metric * 3 + 1  # the metric follows from it
    assert list(family_slopes(metric, score, codes, [size]).flat) == [1, 3]
    assert list(family_taus(metric, score, codes).families) == [3]
    judged = two_stage(found, generator=generator())
    assert judged.estimate is None
    assert judged.reason is not None
    assert judged.reason.startswith("2 of at least 5 families (1 too small, 1 where the metric is the same")


def test_the_same_slope_everywhere_has_no_test():
    found = two_stage(values([2.0] * 7), generator=generator())
    assert found.t_p is None
    assert found.reason == "the same number in every family: nothing tells its chance"
    nothing = two_stage(values([0.0] * 7), generator=generator())
    assert nothing.reason == "zero in every family, as where all scores are the same"
    assert two_stage(values([]), generator=generator()).reason == "0 of at least 5 families"


def test_an_effect_is_found_and_a_confounder_is_not():
    strong = zoo(3, 15, effect=1.0)
    found = two_stage(family_slopes(strong.metric, strong.score, strong.codes, [strong.size]), generator=generator())
    assert found.flip is not None
    assert found.flip.p is not None
    assert found.flip.p < 0.001
    assert found.interval is not None
    assert found.interval.low < 1 < found.interval.high
    none = zoo(4, 15)
    raw = two_stage(family_slopes(none.metric, none.score, none.codes), generator=generator())
    held = two_stage(family_slopes(none.metric, none.score, none.codes, [none.size]), generator=generator())
    assert raw.t_p is not None
    assert held.t_p is not None
    assert raw.t_p < 0.01 < 0.1 < held.t_p


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 100), st.floats(-1000, 1000), st.integers(0, 1000))
def test_units_and_offsets_of_the_metric_change_nothing_but_the_unit(scale, shift, seed):
    made = zoo(seed, 7, effect=0.5)
    one = two_stage(family_slopes(made.metric, made.score, made.codes, [made.size]), generator=generator())
    other = family_slopes(scale * made.metric + shift, made.score, made.codes, [made.size])
    two = two_stage(other, generator=generator())
    assert one.estimate is not None
    assert two.estimate == pytest.approx(one.estimate / scale, rel=1e-6)
    assert two.t_p == pytest.approx(one.t_p, rel=1e-5, abs=1e-12)
    assert two.flip == one.flip


def test_false_findings_of_small_samples_are_as_rare_as_they_say():
    found = []
    for seed in range(300):
        made = zoo(seed, 8, slope_sd=0.8)
        test = two_stage(family_slopes(made.metric, made.score, made.codes, [made.size]), generator=generator())
        assert test.flip is not None
        found.append((test.t_p, test.flip.p))
    assert (np.array(found) < 0.05).mean(axis=0).max() < 0.09  # four standard deviations


def test_ten_thousand_families_take_seconds():
    made = zoo(5, 10_000)
    start = time.perf_counter()
    found = two_stage(family_slopes(made.metric, made.score, made.codes, [made.size]), generator=generator())
    assert time.perf_counter() - start < 5
    assert found.families > 9_900
