"""The noise edge, the spikes above it, and WeightWatcher's own threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setol import Reason, SetolError
from setol.random_matrix.edge import noise_edge, weightwatcher_edge
from setol.random_matrix.layer_spectrum import LayerSpectrum
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.random_matrix.spikes import count_spikes


def gaussian(rng, n_rows, n_cols, n_slices=1, sd=1.0):
    slices = sd * rng.standard_normal((n_slices, n_rows, n_cols))
    return LayerSpectrum(np.linalg.eigvalsh(slices.mT @ slices).ravel(), n_rows, n_cols)


def test_scale_of_the_fluctuations():
    """q^(1/2) lambda_plus^(2/3) M^(-2/3) is Johnstone's scale: 0.0229 at 1000 x 500."""
    edge, plain = noise_edge(1000, 500, 1.0), noise_edge(1000, 500, 1.0, johnstone_ma=False)
    law = MarchenkoPastur(2.0)
    assert plain.centre == pytest.approx(law.lambda_plus, rel=1e-14)
    assert plain.scale == pytest.approx(0.5**0.5 * law.lambda_plus ** (2 / 3) * 500 ** (-2 / 3), rel=1e-14)
    assert plain.scale == pytest.approx(0.022901, abs=1e-6)
    assert edge.scale == pytest.approx(0.022896, abs=1e-5)
    assert plain.threshold(0.99) == pytest.approx(plain.centre + 2.0234 * plain.scale, abs=1e-5)


def test_finite_size_centre():
    """(sqrt(N - 1/2) + sqrt(M - 1/2))^2 / N, by hand for 5 x 2."""
    edge = noise_edge(5, 2, 3.0)
    long, short = np.sqrt(4.5), np.sqrt(1.5)
    assert edge.centre == pytest.approx(3.0 * (long + short) ** 2 / 5, rel=1e-14)
    assert edge.scale == pytest.approx(3.0 * (long + short) * (1 / long + 1 / short) ** (1 / 3) / 5, rel=1e-14)


def test_edge_carries_the_variance():
    unit, edge = noise_edge(30, 20, 1.0), noise_edge(30, 20, 7.0)
    assert (edge.centre, edge.scale) == pytest.approx((7 * unit.centre, 7 * unit.scale))
    assert edge.threshold(0.9) == pytest.approx(7 * unit.threshold(0.9))


def test_slices_share_the_level():
    edge = noise_edge(200, 100, 1.0)
    assert edge.threshold(0.99, n_slices=9) == pytest.approx(edge.threshold(0.99 ** (1 / 9)))
    assert edge.threshold(0.99, n_slices=9) > edge.threshold(0.99)


def test_pooled_slices_of_noise_rarely_exceed_the_edge():
    rng = np.random.default_rng(9)
    found = [count_spikes(gaussian(rng, 60, 30, n_slices=9), 1.0).n_spikes > 0 for _ in range(300)]
    # 1 in 100 expected; at this size the law itself is off by about as much.
    assert np.mean(found) < 0.045


def test_false_spikes_of_single_matrices():
    rng = np.random.default_rng(10)
    found = [count_spikes(gaussian(rng, 100, 50), 1.0).n_spikes > 0 for _ in range(1000)]
    assert 0 < np.mean(found) < 0.04
    often = [count_spikes(gaussian(rng, 100, 50), 1.0, level=0.5).n_spikes > 0 for _ in range(400)]
    assert np.mean(often) == pytest.approx(0.5, abs=0.125)


def test_counts_what_lies_above():
    rng = np.random.default_rng(11)
    spectrum = gaussian(rng, 100, 50)
    threshold = noise_edge(100, 50, 1.0).threshold() * 100
    evals = np.r_[spectrum.evals[:-4], threshold * 0.999, threshold * 1.01, 500.0, 1000.0]
    spikes = count_spikes(LayerSpectrum(evals, 100, 50), 1.0)
    edge = noise_edge(100, 50, 1.0)
    assert spikes.n_spikes == 3
    assert spikes.threshold == pytest.approx(threshold)
    assert spikes.lambda_plus == pytest.approx(100 * MarchenkoPastur(2.0).lambda_plus)
    assert spikes.tracy_widom_scale == pytest.approx(100 * edge.scale)
    assert spikes.smallest_distance == pytest.approx((threshold * 1.01 / 100 - edge.centre) / edge.scale)
    assert spikes.mp_soft_rank == pytest.approx(spikes.lambda_plus / 1000)


def test_no_spike_no_distance():
    spikes = count_spikes(LayerSpectrum(np.ones(50), 100, 50), 1.0)
    assert (spikes.n_spikes, spikes.smallest_distance) == (0, None)
    assert spikes.mp_soft_rank > 1


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.floats(-270, 290))
def test_units_do_not_matter(seed, exponent):
    rng = np.random.default_rng(seed)
    spectrum = gaussian(rng, 40, 20)
    factor = 10.0**exponent
    spikes = count_spikes(spectrum, 0.5)
    scaled = count_spikes(LayerSpectrum(spectrum.evals * factor, 40, 20), 0.5 * factor)
    assert scaled.n_spikes == spikes.n_spikes
    assert scaled.mp_soft_rank == pytest.approx(spikes.mp_soft_rank)
    assert scaled.threshold == pytest.approx(spikes.threshold * factor)
    if spikes.n_spikes:
        assert scaled.smallest_distance == pytest.approx(spikes.smallest_distance)


def test_weightwatcher_lies_far_above():
    """Its allowance at 1000 x 500 is 0.1513, 6.6 Tracy-Widom scales."""
    allowance = weightwatcher_edge(1000, 500, 1.0) - MarchenkoPastur(2.0).lambda_plus
    assert allowance == pytest.approx(0.1513, abs=1e-4)
    assert allowance / noise_edge(1000, 500, 1.0).scale == pytest.approx(6.6, abs=0.05)


def test_a_zero_matrix_has_no_edge():
    assert count_spikes(LayerSpectrum(np.zeros(4), 4, 4), 1.0) is Reason.ZERO_MATRIX


@pytest.mark.parametrize("variance", [0.0, -1.0, 5e-324, 1e307, np.nan, np.inf])
def test_refuses_what_is_no_variance(variance):
    spectrum = LayerSpectrum(np.ones(2), 2, 2)
    for call in (
        lambda: noise_edge(2, 2, variance),
        lambda: weightwatcher_edge(2, 2, variance),
        lambda: count_spikes(spectrum, variance),
    ):
        with pytest.raises(SetolError, match="need a variance above 0"):
            call()


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 1.1, np.nan])
def test_refuses_levels_outside_0_1(level):
    with pytest.raises(SetolError, match=r"need a level inside \(0, 1\)"):
        noise_edge(2, 2, 1.0).threshold(level)
    with pytest.raises(SetolError, match=r"need a level inside \(0, 1\)"):
        count_spikes(LayerSpectrum(np.ones(2), 2, 2), 1.0, level=level)


def test_refuses_bad_shapes():
    for n_rows, n_cols in ((1, 2), (0, 0), (2, -1)):
        with pytest.raises(SetolError, match="need 1 <= M <= N"):
            noise_edge(n_rows, n_cols, 1.0)
        with pytest.raises(SetolError, match="need 1 <= M <= N"):
            weightwatcher_edge(n_rows, n_cols, 1.0)
    with pytest.raises(SetolError, match="need at least one slice"):
        noise_edge(2, 2, 1.0).threshold(n_slices=0)
