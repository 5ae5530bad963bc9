import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.links import Link, link_scores

UNKNOWN = np.full(2, np.nan)


@given(st.floats(0.1, 99.9), st.floats(0.01, 3))
def test_percent_and_fraction_have_one_logit_and_errors_go_along(percent, error):
    given_percent = link_scores(np.array([percent]), np.array([error]), unit="percent", link=Link.LOGIT)
    fraction = link_scores(np.array([percent / 100]), np.array([error / 100]), unit="fraction", link=Link.LOGIT)
    assert given_percent.values is not None
    assert given_percent.errors is not None
    assert fraction.values == pytest.approx(given_percent.values)
    assert fraction.errors == pytest.approx(given_percent.errors)
    step = 1e-4 * min(percent, 100 - percent)
    ends = link_scores(np.array([percent - step, percent + step]), UNKNOWN, unit="percent", link=Link.LOGIT).values
    assert ends is not None
    assert given_percent.errors[0] == pytest.approx(error * (ends[1] - ends[0]) / (2 * step), rel=1e-4)


def test_accuracy_and_error_are_mirrored():
    accuracy = link_scores(np.array([70.0, 90.0]), UNKNOWN, unit="percent", link=Link.LOGIT)
    error = link_scores(np.array([30.0, 10.0]), UNKNOWN, unit="percent", link=Link.LOGIT)
    assert accuracy.values is not None
    assert error.values is not None
    assert accuracy.values == pytest.approx(-error.values)
    assert accuracy.scale == "logit"


def test_all_right_is_half_an_example_wrong_where_their_number_is_known():
    scores = np.array([100.0, 50.0])
    found = link_scores(scores, UNKNOWN, unit="percent", link=Link.LOGIT, n_test=np.array([9.0, np.nan]))
    assert found.values is not None
    assert found.values == pytest.approx([np.log(9.5 / 0.5), 0.0])
    refused = link_scores(scores, UNKNOWN, unit="percent", link=Link.LOGIT)
    assert refused.values is None
    assert refused.reason == "1 of 2 scores are 0 or all, and nobody says of how many test examples"


@pytest.mark.parametrize(
    ("scores", "unit", "link", "reason"),
    [
        ([70.0, 120.0], "percent", Link.LOGIT, "1 of 2 scores are below 0 or above 100 percent"),
        ([70.0, 80.0], "fraction", Link.LOGIT, "2 of 2 scores are below 0 or above 1 fraction"),
        ([7.0, 8.0], "perplexity", Link.LOGIT, "a score in perplexity has no logit: only percent and fraction have"),
        ([7.0, 0.0], "perplexity", Link.LOG, "1 of 2 perplexities are not above 0"),
        ([7.0, 8.0], "nats", Link.LOG, "a score in nats is not taken as a logarithm: only perplexity is"),
    ],
)
def test_scores_that_a_link_does_not_fit_are_refused(scores, unit, link, reason):
    found = link_scores(np.array(scores), UNKNOWN, unit=unit, link=link)
    assert (found.values, found.reason) == (None, reason)


def test_perplexities_have_logarithms():
    found = link_scores(np.array([10.0, 20.0]), np.array([1.0, np.nan]), unit="perplexity", link=Link.LOG)
    assert found.values is not None
    assert found.errors is not None
    assert found.values == pytest.approx(np.log([10, 20]))
    assert found.errors[0] == pytest.approx(0.1)
