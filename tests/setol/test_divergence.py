"""The distance of two spectra: its axioms, scipy, and what it says about noise and signal."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from setol import Reason, SetolError
from setol.random_matrix.divergence import jensen_shannon, weightwatcher_rand_distance

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def draw(seed, n):
    rng = np.random.default_rng(seed)
    evals = np.exp(rng.uniform(0.1, 4) * rng.standard_normal(n))
    evals[: rng.integers(0, n // 3 + 1)] = 0.0
    return evals


def test_two_bins_by_hand():
    """Shares (1/2, 1/2) and (1/4, 3/4) in two bins a decade apart."""
    one, other = np.array([10.0, 1.0]), np.array([10.0, 1.0, 1.0, 1.0]) * 0.999999
    p, q = np.array([1 / 2, 1 / 2]), np.array([1 / 4, 3 / 4])
    m = (p + q) / 2
    expected = (p @ np.log(p / m) + q @ np.log(q / m)) / 2
    found = jensen_shannon(one, other, bins_per_decade=1)
    assert found.divergence == pytest.approx(expected, rel=1e-12)
    assert found.distance == pytest.approx(math.sqrt(expected), rel=1e-12)
    assert (found.bins_per_decade, found.decades) == (1, 6)


@SETTINGS
@given(seeds, seeds, st.integers(1, 200), st.integers(1, 200))
def test_axioms(seed, other_seed, n, m):
    a, b, c = draw(seed, n), draw(other_seed, m), draw(seed ^ other_seed, n)
    if not (a.any() and b.any()):
        return
    ab = jensen_shannon(a, b)
    assert jensen_shannon(a, a).divergence == 0
    assert jensen_shannon(b, a).divergence == pytest.approx(ab.divergence, abs=1e-15)
    assert 0 <= ab.divergence <= math.log(2)
    assert ab.distance <= math.sqrt(math.log(2))
    if a.max() == b.max() or not c.any():
        return
    # The triangle inequality needs one grid for the three, so each gets the same largest eigenvalue.
    top = max(a.max(), b.max(), c.max())
    a, b, c = (np.append(each, top) for each in (a, b, c))
    sides = [jensen_shannon(*pair).distance for pair in ((a, b), (b, c), (a, c))]
    assert max(sides) <= sum(sides) - max(sides) + 1e-12


@SETTINGS
@given(seeds, st.floats(-140, 140))
def test_scale_and_order_do_not_matter(seed, exponent):
    rng = np.random.default_rng(seed)
    a, b = draw(seed, 50), draw(seed + 1, 80)
    if not (a.any() and b.any()):
        return
    expected = jensen_shannon(a, b).divergence
    assert jensen_shannon(rng.permutation(a), rng.permutation(b)).divergence == expected
    factor = 10.0**exponent
    assert jensen_shannon(a * factor, b * factor).divergence == pytest.approx(expected, abs=1e-12)


def test_equals_scipy_on_its_own_histograms():
    a, b = draw(1, 3000), draw(2, 2000)
    top = max(a.max(), b.max())
    edges = top * 10.0 ** (-np.arange(0, 121) / 20)[::-1]
    edges[0], edges[-1] = 0, top * 2
    histograms = [np.histogram(each, edges)[0] for each in (a, b)]
    # The lowest bin of scipy's grid takes in the bin below the grid: one bin of 121 is merged.
    found = jensen_shannon(a, b, bins_per_decade=20, decades=6).distance
    assert found == pytest.approx(jensenshannon(*histograms), abs=5e-3)


def test_disjoint_spectra_are_farthest():
    found = jensen_shannon(np.array([1.0, 2.0]), np.array([100.0, 300.0]))
    assert found.divergence == pytest.approx(math.log(2), rel=1e-14)
    assert found.distance == pytest.approx(0.8326, abs=1e-4)
    assert jensen_shannon(np.zeros(3), np.ones(2)).divergence == pytest.approx(math.log(2))


def test_what_lies_below_the_grid_is_one_bin_more():
    lowest = np.array([1.0, 1.01e-6])  # in the last bin of the grid
    assert jensen_shannon(lowest, np.array([1.0, 0.99e-6])).divergence == pytest.approx(math.log(2) / 2)
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([1.0, 0.99e-6])).divergence == 0


def test_signal_is_far_from_noise_and_noise_near():
    rng = np.random.default_rng(61)
    spectra = []
    for scale in (np.ones(200), np.ones(200), np.exp(rng.standard_normal(200))):
        W = rng.standard_normal((400, 200)) * scale
        W /= W.std()
        spectra.append(np.linalg.eigvalsh(W.T @ W))
    noise, twin, trained = spectra
    near, far = jensen_shannon(noise, twin), jensen_shannon(trained, noise)
    assert near.divergence < 0.01  # of independent values, 30 bins and twice 200 of them would give 0.036
    assert far.divergence > 0.1


def test_weightwatcher_compares_ranks_not_densities():
    rng = np.random.default_rng(62)
    a, b = np.exp(rng.standard_normal(300)), np.exp(2 * rng.standard_normal(300))
    expected = jensenshannon(np.sort(a), np.sort(b))  # scipy normalises to sum 1, in nats
    assert weightwatcher_rand_distance(a, b) == pytest.approx(expected, rel=1e-10)
    assert weightwatcher_rand_distance(a, 7 * a) < 1e-7  # blind to scale, where densities are not
    assert jensen_shannon(a, 7 * a).divergence > 0.1


def test_ends_of_float64():
    a = np.array([5e-324, 1e-310, 0.0])
    assert jensen_shannon(a, a).divergence == 0
    assert jensen_shannon(np.array([1e300, 1e299]), np.array([1e300, 5e-324])).divergence > 0
    assert weightwatcher_rand_distance(np.array([1e300, 1e308]), np.array([1e308, 5e-324])) < 1e-3
    assert weightwatcher_rand_distance(a, a) == 0


def test_single_and_equal_eigenvalues():
    assert jensen_shannon(np.array([3.0]), np.array([3.0])).divergence == 0
    assert jensen_shannon(np.full(5, 2.0), np.full(9, 2.0)).divergence == 0
    assert jensen_shannon(np.zeros(2), np.zeros(3)) is Reason.ZERO_MATRIX
    assert weightwatcher_rand_distance(np.zeros(2), np.ones(2)) is Reason.ZERO_MATRIX


@pytest.mark.parametrize("function", [jensen_shannon, weightwatcher_rand_distance])
@pytest.mark.parametrize(
    ("evals", "message"),
    [
        ([], "need at least one eigenvalue"),
        ([1.0, -1.0], "need finite eigenvalues of at least 0"),
        ([1.0, np.nan], "need finite eigenvalues of at least 0"),
        ([1.0, np.inf], "need finite eigenvalues of at least 0"),
    ],
)
def test_refuses_what_is_no_spectrum(function, evals, message):
    with pytest.raises(SetolError, match=message):
        function(np.array(evals), np.ones(2))
    with pytest.raises(SetolError, match=message):
        function(np.ones(2), np.array(evals))


def test_refuses_bad_options():
    for options in ({"bins_per_decade": 0}, {"decades": 0}, {"decades": -1}):
        with pytest.raises(SetolError, match="need at least one bin a decade"):
            jensen_shannon(np.ones(2), np.ones(2), **options)
    with pytest.raises(SetolError, match="need two spectra of one length; got 2 and 3"):
        weightwatcher_rand_distance(np.ones(2), np.ones(3))
