"""A rank-one signal in noise: the formulas against each other, then against matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setol import SetolError
from setol.random_matrix.bbp import Overlaps, detection_threshold, outlier_position, overlaps, signal_strength
from setol.random_matrix.layer_spectrum import LayerSpectrum
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.random_matrix.spikes import count_spikes


def test_values_by_hand():
    law = MarchenkoPastur(2.0)
    assert outlier_position(1.0, law) == pytest.approx(3.0, rel=1e-15)
    assert outlier_position(2.0, law) == pytest.approx(5 * 4.5 / 4, rel=1e-15)
    assert outlier_position(0.5, law) == law.lambda_plus
    assert outlier_position(0.0, law) == law.lambda_plus
    assert detection_threshold(16.0) == 0.5
    assert outlier_position(1.0, MarchenkoPastur(2.0, 10.0)) == pytest.approx(30.0)


@pytest.mark.parametrize("aspect_ratio", [1.0, 2.0, 30.0])
def test_outlier_leaves_the_edge_smoothly(aspect_ratio):
    law = MarchenkoPastur(aspect_ratio)
    theta = detection_threshold(aspect_ratio)
    assert outlier_position(theta * (1 + 1e-6), law) == pytest.approx(law.lambda_plus, abs=1e-10)
    assert overlaps(theta, aspect_ratio) == Overlaps(0.0, 0.0)
    just_above = overlaps(theta * (1 + 1e-6), aspect_ratio)
    assert 0 < just_above.left < 1e-5
    assert 0 < just_above.right < 1e-5


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.floats(1, 1e4), st.floats(1e-200, 1e200), st.floats(1.001, 1e6))
def test_strength_inverts_position(aspect_ratio, variance, multiple):
    law = MarchenkoPastur(aspect_ratio, variance)
    theta = multiple * detection_threshold(aspect_ratio)
    outlier = outlier_position(theta, law)
    # Near the edge the position is quadratic in theta, which costs half of the digits.
    assert signal_strength(outlier, law) == pytest.approx(theta, rel=1e-6)
    assert outlier >= law.lambda_plus


def test_strength_at_the_edge_is_the_threshold():
    law = MarchenkoPastur(3.0, 0.2)
    assert signal_strength(law.lambda_plus, law) == pytest.approx(detection_threshold(3.0), rel=1e-6)


def test_ends_of_float64():
    law = MarchenkoPastur(2.0, 1e-150)
    assert outlier_position(1e70, law) == pytest.approx(1e-10)
    assert signal_strength(1e150, law) == pytest.approx(1e150)
    assert overlaps(1e70, 2.0) == Overlaps(1.0, 1.0)


def planted(rng, theta, n_rows, n_cols, sigma=1.0):
    u, v = rng.standard_normal(n_rows), rng.standard_normal(n_cols)
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    W = sigma * (rng.standard_normal((n_rows, n_cols)) + np.sqrt(n_rows) * theta * np.outer(u, v))
    return W, u, v


@pytest.mark.parametrize("theta", [0.5, 0.8, 1.0, 1.5, 2.0])
def test_outlier_of_a_matrix(theta):
    """N = 2000, M = 1000: the transition is at 0.841."""
    W, u, v = planted(np.random.default_rng(21), theta, 2000, 1000)
    evals, vectors = np.linalg.eigh(W.T @ W)
    law = MarchenkoPastur(2.0)
    assert evals[-1] / 2000 == pytest.approx(outlier_position(theta, law), rel=0.04)
    n_spikes = count_spikes(LayerSpectrum(evals, 2000, 1000), 1.0).n_spikes
    expected = overlaps(theta, 2.0)
    right = vectors[:, -1]
    left = W @ right / np.linalg.norm(W @ right)
    if theta == 0.5:
        assert n_spikes == 0
    if theta >= 1.5:
        assert n_spikes == 1
        assert signal_strength(evals[-1] / 2000, law) == pytest.approx(theta, rel=0.04)
        # An overlap fluctuates like 1/sqrt(N) times a number of order 1.
        assert (right @ v) ** 2 == pytest.approx(expected.right, abs=0.05)
        assert (left @ u) ** 2 == pytest.approx(expected.left, abs=0.05)
        assert abs(expected.right - expected.left) > 0.05  # so that the sides cannot be mixed up


@pytest.mark.parametrize("theta", [-1.0, np.nan, np.inf, 1e71])
def test_refuses_what_is_no_strength(theta):
    with pytest.raises(SetolError, match="need a signal strength theta"):
        outlier_position(theta, MarchenkoPastur(2.0))
    with pytest.raises(SetolError, match="need a signal strength theta"):
        overlaps(theta, 2.0)


@pytest.mark.parametrize("outlier", [0.0, -1.0, 2.9, np.nan, np.inf])
def test_refuses_outliers_inside_the_bulk(outlier):
    with pytest.raises(SetolError, match="need a finite outlier at or above lambda_plus"):
        signal_strength(outlier, MarchenkoPastur(2.0))


@pytest.mark.parametrize("aspect_ratio", [0.5, np.nan, np.inf])
def test_refuses_an_aspect_ratio_below_1(aspect_ratio):
    with pytest.raises(SetolError, match="need a finite aspect ratio"):
        detection_threshold(aspect_ratio)
    with pytest.raises(SetolError, match="need a finite aspect ratio"):
        overlaps(1.0, aspect_ratio)
