import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from analysis.statistics.random_slopes import MOST_FAMILIES, NO_SPREAD, random_slopes
from tests.analysis.statistics.slopes import zoo


def test_is_the_mixed_model_of_statsmodels_where_intercepts_have_no_say():
    made = zoo(1, 12, effect=1.0, slope_sd=1.0)
    found = random_slopes(made.metric, made.score, made.codes)
    frame = pd.DataFrame({"y": made.score, "f": made.codes, "x": made.metric})
    frame["x"] -= frame.groupby("f").x.transform("mean")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = smf.mixedlm("y ~ x", frame, groups="f", re_formula="~x").fit(reml=True, method="powell")
    assert found.slope == pytest.approx(fit.params["x"], rel=0.1)
    assert found.standard_error == pytest.approx(fit.bse["x"], rel=0.1)
    assert found.spread == pytest.approx(np.sqrt(fit.cov_re.iloc[1, 1]), rel=0.2)


def test_balanced_families_have_the_mean_of_their_slopes():
    generator = np.random.default_rng(2)
    codes = np.repeat(np.arange(20), 6)
    metric = np.tile(np.arange(6.0), 20) + 10 * generator.normal(size=20)[codes]
    score = generator.normal(1, 0.5, 20)[codes] * metric + 0.5 * generator.normal(size=120)
    slopes = np.array([np.polyfit(metric[codes == f], score[codes == f], 1)[0] for f in range(20)])
    found = random_slopes(metric, score, codes)
    assert found.slope == pytest.approx(slopes.mean(), rel=1e-3)
    assert found.standard_error == pytest.approx(slopes.std(ddof=1) / np.sqrt(20), rel=1e-2)


def test_order_of_models_and_constants_of_families_change_nothing():
    made = zoo(3, 10, effect=1.0, slope_sd=1.0)
    one = random_slopes(made.metric, made.score, made.codes, [made.size])
    order = np.random.default_rng(3).permutation(len(made.codes))
    constants = 50 * np.random.default_rng(4).normal(size=10)
    two = random_slopes(
        (made.metric + constants[made.codes])[order],
        (made.score - 3 * constants[made.codes])[order],
        made.codes[order],
        [made.size[order]],
    )
    assert one.slope is not None
    assert two.slope == pytest.approx(one.slope, rel=0.01)


@pytest.mark.filterwarnings("error")
def test_what_cannot_be_fitted_has_a_reason_and_no_warning():
    made = zoo(5, 6)
    assert random_slopes(made.metric, made.score, made.codes % 4).reason == "4 of at least 5 families"
    many = np.repeat(np.arange(MOST_FAMILIES + 1), 3)
    metric = np.random.default_rng(6).normal(size=len(many))
    assert (
        random_slopes(metric, metric**2, many).reason == "301 families, of at most 300 that a mixed model is fitted to"
    )
    follows = random_slopes(made.size * 2, made.score, made.codes, [made.size])
    assert follows.reason == "the metric follows from the controls and the families"
    assert random_slopes(made.metric, np.zeros(len(made.codes)), made.codes).reason is not None
    reasons = [random_slopes(each.metric, each.score, each.codes, [each.size]).reason for each in _alike()]
    assert NO_SPREAD in reasons


def _alike():
    return [zoo(seed, 8, slope_sd=0.0) for seed in range(8)]
