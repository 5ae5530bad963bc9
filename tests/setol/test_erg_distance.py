"""The distance from the power-law tail to the ECS: by hand, then its signs, then scale and extremes."""

import numpy as np
import pytest

from setol.erg import effective_correlation_space, tail_trace_log, trace_scale
from setol.erg_distance import ErgDistance, erg_distance
from setol.errors import SetolError
from setol.reasons import Reason
from setol.tails.power_law import fit_power_law


def test_by_hand():
    # Trace scale: factor 1/2, so 4, 1, 1/2, 1/2, 1/4, 1/4, 1/2, 1: products 4, 4, 4, 2, 1, 1/2.
    evals = np.array([8.0, 2.0, 1.0, 1.0, 0.5, 0.5, 1.0, 2.0])
    assert effective_correlation_space(evals).n == 6
    distance = erg_distance(evals, 2.0)
    assert distance.delta == 0.5
    assert distance.delta_raw == 1.0
    assert distance.gap == 3
    assert distance.trace_log == pytest.approx(np.log(4), rel=1e-15)
    assert distance.trace_log_per_eigenvalue == pytest.approx(np.log(4) / 3, rel=1e-15)


@pytest.mark.parametrize("kind", ["pareto", "lognormal", "marchenko_pastur", "uniform", "mixture"])
@pytest.mark.parametrize("seed", range(6))
def test_signs(draw_spectrum, kind, seed):
    """Below 0 exactly where the tail is the larger set; the trace log of the tail has the sign of delta."""
    evals = draw_spectrum(kind, np.random.default_rng([seed, 91, len(kind)]), 200)
    fit, space = fit_power_law(evals), effective_correlation_space(evals)
    distance = erg_distance(evals, fit.lambda_min)
    assert distance.gap == space.n - fit.n_tail
    assert np.sign(distance.delta) == np.sign(distance.delta_raw) == np.sign(distance.gap)
    assert (distance.gap > 0) == (distance.trace_log >= 0)
    assert distance.delta == pytest.approx(distance.delta_raw * trace_scale(evals), rel=1e-9, abs=1e-12)
    assert distance.trace_log == pytest.approx(tail_trace_log(evals, fit.lambda_min), abs=1e-12)  # summed in order
    assert distance.trace_log_per_eigenvalue == distance.trace_log / fit.n_tail


def test_the_tail_that_is_the_ecs_has_distance_0():
    evals = np.random.default_rng(5).lognormal(sigma=2.0, size=300)
    edge = np.sort(evals)[::-1][effective_correlation_space(evals).n - 1]
    distance = erg_distance(evals, edge)
    assert (distance.delta, distance.delta_raw, distance.gap) == (0.0, 0.0, 0)
    assert distance.trace_log <= 0


@pytest.mark.parametrize("factor", [2.0**-1000, 1e-300, 1e-5, 1e5, 1e300, 2.0**1010])
def test_scale(factor):
    evals = np.random.default_rng(6).lognormal(sigma=1.0, size=100)
    plain, scaled = erg_distance(evals, 1.5), erg_distance(evals * factor, 1.5 * factor)
    assert scaled.delta_raw == pytest.approx(plain.delta_raw * factor, rel=1e-13)
    for name in ("delta", "gap", "trace_log", "trace_log_per_eigenvalue"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), rel=1e-12)


def test_denormal_spectrum():
    # Whole multiples of the smallest denormal number, so that nothing is rounded.
    numbers = np.array([16.0, 4.0, 2.0, 2.0, 1.0, 1.0, 2.0, 4.0])
    tiny = numbers * 5e-324
    plain, scaled = erg_distance(numbers, 4.0), erg_distance(tiny, 4 * 5e-324)
    assert (scaled.delta, scaled.gap, scaled.trace_log) == (plain.delta, plain.gap, plain.trace_log)
    assert scaled.delta_raw == plain.delta_raw * 5e-324


def test_equal_eigenvalues():
    assert erg_distance(np.full(7, 3.0), 3.0) == ErgDistance(0.0, 0.0, 0, 0.0, 0.0)


def test_rank_1():
    # Trace scale 4, 0, 0, 0: the ECS is the one eigenvalue, and so is the tail.
    assert erg_distance(np.array([0.0, 5.0, 0.0, 0.0]), 5.0) == ErgDistance(0.0, 0.0, 0, np.log(4), np.log(4))


def test_zero_matrix_has_a_reason():
    assert erg_distance(np.zeros(3), 1.0) is Reason.ZERO_MATRIX


@pytest.mark.parametrize("lambda_min", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_is_no_edge(lambda_min):
    with pytest.raises(SetolError, match="need a finite lower edge lambda_min above 0; got"):
        erg_distance(np.ones(3), lambda_min)


def test_refuses_an_empty_tail():
    with pytest.raises(SetolError, match=r"need a tail with eigenvalues; got lambda_min 4\.0 above the largest, 3\.0"):
        erg_distance(np.array([1.0, 3.0]), 4.0)


@pytest.mark.parametrize(
    ("evals", "message"),
    [
        (np.array([]), "need at least one eigenvalue"),
        (np.array([1.0, -2.0]), r"got 1 others, the first -2\.0"),
        (np.array([1.0, np.nan]), "got 1 others, the first nan"),
        (np.array([np.inf, 1.0]), "got 1 others, the first inf"),
    ],
)
def test_refuses_what_is_no_spectrum(evals, message):
    with pytest.raises(SetolError, match=message):
        erg_distance(evals, 1.0)
