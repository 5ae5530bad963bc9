import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from analysis.statistics.attenuation import deattenuated
from analysis.statistics.two_stage import family_slopes, two_stage
from analysis.statistics.within import within_families
from analysis.statistics.within_between import between_families, opposite
from tests.analysis.statistics.slopes import zoo


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_between_is_the_regression_of_means():
    made = zoo(1, 12, between=1.0)
    found = between_families(made.metric, made.score, made.codes, [made.size])
    frame = pd.DataFrame({"x": made.metric, "y": made.score, "z": made.size, "f": made.codes}).groupby("f").mean()
    fit = smf.ols("y ~ x + z", frame).fit(cov_type="HC3", use_t=True)
    assert found.slope == pytest.approx(fit.params["x"])
    assert found.standard_error == pytest.approx(fit.bse["x"])
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(fit.conf_int().loc["x"]))


def test_a_reversal_is_flagged_and_no_other_zoo_is():
    reversed_zoo = zoo(2, 15, effect=-1.5, between=2.0)
    same = zoo(3, 15, effect=1.5, between=2.0)
    nothing = zoo(4, 15)
    flags = []
    for made in (reversed_zoo, same, nothing):
        within = two_stage(family_slopes(made.metric, made.score, made.codes, [made.size]), generator=generator())
        flags.append(opposite(within, between_families(made.metric, made.score, made.codes)))
    assert flags == [True, False, False]
    few = zoo(5, 4)
    within = two_stage(family_slopes(few.metric, few.score, few.codes), generator=generator())
    assert opposite(within, between_families(few.metric, few.score, few.codes)) is None


def test_between_says_why_not():
    made = zoo(6, 6)
    assert between_families(made.metric, made.score, made.codes % 4).reason == "4 of at least 5 families"
    flat = between_families(np.ones(len(made.codes)), made.score, made.codes)
    assert flat.reason == "the families' means of the metric are alike, or follow from the controls"


def test_error_in_the_metric_is_taken_out_of_the_slope():
    made = zoo(7, 60, effect=1.0)
    random = np.random.default_rng(8)
    error = 0.7 * np.exp(0.5 * random.normal(size=len(made.codes)))
    metric = made.metric + error * random.normal(size=len(made.codes))
    flattened = two_stage(family_slopes(metric, made.score, made.codes, [made.size]), generator=generator())
    found = deattenuated(metric, error, made.score, made.codes, [made.size], generator=generator())
    assert found.reliability is not None
    own, seen = (within_families([each], [made.size], made.codes, 60).columns[0] for each in (made.metric, metric))
    assert found.reliability == pytest.approx((own @ own) / (seen @ seen), abs=0.08)
    assert flattened.estimate is not None
    assert found.interval is not None
    assert flattened.estimate < 0.7
    assert found.interval.low < 1 < found.interval.high


def test_without_error_nothing_is_taken_out():
    made = zoo(9, 8, effect=1.0)
    found = deattenuated(made.metric, np.zeros(len(made.codes)), made.score, made.codes, generator=generator())
    x, y = within_families([made.metric, made.score], [], made.codes, 8).columns
    assert found.reliability == 1
    assert found.slope == pytest.approx((x @ y) / (x @ x))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (np.nan, "nobody knows the standard errors of the metric"),
        (50.0, "nothing of the metric's variance within families is more than its errors"),
    ],
)
def test_unknown_errors_and_a_metric_of_nothing_else_have_a_reason(error, reason):
    made = zoo(10, 8)
    found = deattenuated(made.metric, np.full(len(made.codes), error), made.score, made.codes, generator=generator())
    assert (found.slope, found.reason) == (None, reason)


def test_weights_within_families_are_those_of_a_weighted_regression():
    made = zoo(11, 6)
    weights = np.random.default_rng(1).uniform(0.2, 1, len(made.codes))
    x, y = within_families([made.metric, made.score], [made.size], made.codes, 6, weights=weights).columns
    frame = pd.DataFrame({"x": made.metric, "y": made.score, "z": made.size, "f": made.codes})
    fit = smf.wls("y ~ x + C(f) + C(f):z", frame, weights=weights).fit()
    assert (weights * x * y).sum() / (weights * x * x).sum() == pytest.approx(fit.params["x"])
