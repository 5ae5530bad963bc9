"""The variance of the bulk: noise of known variance, then with signals on top, then without any bulk."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setol import Reason, SetolError
from setol.random_matrix.edge import noise_edge
from setol.random_matrix.layer_spectrum import LayerSpectrum
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.random_matrix.variance import VarianceMethod, bulk_by_iteration, bulk_by_quantile, known_bulk

FITS = pytest.mark.parametrize("fit", [bulk_by_quantile, bulk_by_iteration])


def spectrum_of(W):
    n_rows, n_cols = max(W.shape), min(W.shape)
    gram = W.T @ W if len(W) == n_rows else W @ W.T
    evals = np.maximum(np.linalg.eigvalsh(gram), 0)
    return LayerSpectrum(np.where(evals > n_rows * 2.0**-52 * evals[-1], evals, 0), n_rows, n_cols)


def with_signals(rng, n_rows, n_cols, thetas, sd=1.0):
    left = np.linalg.qr(rng.standard_normal((n_rows, len(thetas))))[0]
    right = np.linalg.qr(rng.standard_normal((n_cols, len(thetas))))[0]
    signal = np.sqrt(n_rows) * (left * np.array(thetas)) @ right.T
    return sd * (rng.standard_normal((n_rows, n_cols)) + signal)


def pareto_entries(rng, n_rows, n_cols, mu):
    return rng.choice([-1, 1], (n_rows, n_cols)) * (1 - rng.random((n_rows, n_cols))) ** (-1 / mu)


@FITS
@pytest.mark.parametrize("aspect_ratio", [1, 2, 5])
def test_quantiles_of_the_law_give_its_variance(fit, aspect_ratio):
    law = MarchenkoPastur(aspect_ratio, 3.0)
    n_cols = 500
    evals = law.quantile((np.arange(n_cols) + 0.5) / n_cols) * n_cols * aspect_ratio
    bulk = fit(LayerSpectrum(evals, n_cols * aspect_ratio, n_cols))
    # Mid-quantiles are a midpoint rule for the mean, and the law's median exactly.
    assert bulk.law.variance == pytest.approx(3.0, rel=1e-4)
    assert bulk.share == pytest.approx(1.0, rel=1e-4)
    assert bulk.ks == pytest.approx(0.5 / n_cols, abs=3e-4)
    assert bulk.n_outliers == 0


@FITS
def test_gaussian_matrix(fit):
    W = 0.02 * np.random.default_rng(31).standard_normal((900, 300))
    bulk = fit(spectrum_of(W))
    # The mean square of 270,000 entries is known to 0.3 %, the median of the eigenvalues to 1 %.
    assert bulk.law.variance == pytest.approx(0.02**2, rel=0.02)
    assert bulk.law.aspect_ratio == 3
    assert bulk.ks < 0.02


def test_known_variance_is_taken_as_it_is():
    W = np.random.default_rng(32).standard_normal((400, 200))
    bulk = known_bulk(spectrum_of(W), 1.0)
    assert (bulk.law, bulk.method) == (MarchenkoPastur(2.0, 1.0), VarianceMethod.KNOWN)
    assert bulk.ks < 0.03
    assert bulk.share == pytest.approx(1 / np.mean(W**2), rel=1e-10)
    assert known_bulk(spectrum_of(W), 4.0).ks > 0.5


@pytest.mark.parametrize("thetas", [[5.0], [4.0, 3.0, 2.0], list(np.linspace(1.5, 20, 20))])
def test_signals_are_not_taken_for_noise(thetas):
    rng = np.random.default_rng(33)
    spectrum = spectrum_of(with_signals(rng, 800, 400, thetas, sd=0.5))
    total = spectrum.evals.sum() / 800 / 400
    iterated, matched = bulk_by_iteration(spectrum), bulk_by_quantile(spectrum)
    assert total > 0.25 * (1 + 0.9 * np.sum(np.square(thetas)) / 400)  # what no correction would report
    assert iterated.n_outliers == len(thetas)
    assert iterated.law.variance == pytest.approx(0.25, rel=0.01)
    assert iterated.share == pytest.approx(iterated.law.variance / total)
    # The median moves by half the share of outliers, here up to 2.5 % in rank.
    assert matched.law.variance == pytest.approx(0.25, rel=0.02 + 2 * len(thetas) / 400)


@pytest.mark.parametrize(
    ("n_slices", "shape", "thetas"),
    [
        (1, (200, 100), np.linspace(3, 6, 20)),
        (4, (200, 100), np.linspace(3, 6, 20)),
        (1, (200, 200), np.linspace(1.8, 2.6, 10)),
    ],
)
def test_noise_that_left_with_the_outliers_is_counted(n_slices, shape, thetas):
    """Dividing by the number of eigenvalues left would be 10 % low; mean over 40 matrices."""
    rng = np.random.default_rng(34)
    n_rows, n_cols = shape
    corrected, plain = [], []
    for _ in range(40 // n_slices):
        slices = [spectrum_of(with_signals(rng, *shape, thetas)).evals for _ in range(n_slices)]
        spectrum = LayerSpectrum(np.concatenate(slices), *shape)
        bulk = bulk_by_iteration(spectrum)
        assert bulk.n_outliers == len(thetas) * n_slices
        corrected.append(bulk.law.variance)
        plain.append(spectrum.evals[: (n_cols - len(thetas)) * n_slices].mean() / n_rows)
    standard_error = np.std(corrected) / np.sqrt(len(corrected))
    assert standard_error < 0.002
    assert np.mean(corrected) == pytest.approx(1.0, abs=5 * standard_error)
    assert np.mean(plain) < 0.95


def test_pooled_slices_share_the_level():
    law = MarchenkoPastur(2.0)
    evals = np.tile(law.quantile((np.arange(60) + 0.5) / 60), 9)
    edge = noise_edge(120, 60, 1.0)
    evals[-1] = (edge.threshold() + edge.threshold(n_slices=9)) / 2
    assert bulk_by_iteration(LayerSpectrum(evals * 120, 120, 60)).n_outliers == 0
    evals[-1] = edge.threshold(n_slices=9) + 0.05
    assert bulk_by_iteration(LayerSpectrum(evals * 120, 120, 60)).n_outliers == 1


@pytest.mark.parametrize("mu", [0.5, 1.0, 1.5, 2.5])
@FITS
def test_heavy_tails_do_not_break_the_fits(fit, mu):
    spectrum = spectrum_of(pareto_entries(np.random.default_rng(35), 400, 200, mu))
    bulk = fit(spectrum)
    if bulk is Reason.NO_BULK:
        assert mu <= 1
    else:
        assert 0 < bulk.share <= 1
        assert bulk.law.lambda_plus * 400 < spectrum.lambda_max
        assert bulk.n_outliers <= 100


def test_a_pure_power_law_is_no_bulk(draw_pareto):
    spectrum = LayerSpectrum(draw_pareto(np.random.default_rng(36), 1000, 1.3), 2000, 1000)
    for bulk in (bulk_by_iteration(spectrum), bulk_by_quantile(spectrum)):
        assert bulk.ks > 0.2
        assert bulk.share < 1e-6


def test_eigenvalues_that_only_spread_have_no_bulk():
    """Each a thousand times the next: whatever is left, its largest stands out."""
    assert bulk_by_iteration(LayerSpectrum(np.geomspace(1e-150, 1e147, 100), 200, 100)) is Reason.NO_BULK


def test_other_quantiles():
    spectrum = spectrum_of(np.random.default_rng(37).standard_normal((600, 300)))
    for quantile in (0.1, 0.25, 0.9):
        assert bulk_by_quantile(spectrum, quantile).law.variance == pytest.approx(1.0, rel=0.04)


def test_pooled_slices_have_the_law_of_one():
    rng = np.random.default_rng(38)
    slices = rng.standard_normal((9, 120, 60))
    spectrum = LayerSpectrum(np.linalg.eigvalsh(slices.mT @ slices).ravel(), 120, 60)
    # Five standard deviations: of the mean square of 64,800 entries, and of the median.
    assert bulk_by_iteration(spectrum).law.variance == pytest.approx(1.0, rel=0.03)
    assert bulk_by_quantile(spectrum).law.variance == pytest.approx(1.0, rel=0.05)


def test_low_rank_leaves_no_bulk():
    rng = np.random.default_rng(39)
    W = rng.standard_normal((300, 40)) @ rng.standard_normal((40, 100))
    spectrum = spectrum_of(W)
    assert np.count_nonzero(spectrum.evals) == 40
    assert bulk_by_quantile(spectrum) is Reason.ZERO_BULK
    assert bulk_by_iteration(spectrum) in (Reason.ZERO_BULK, Reason.NO_BULK)


def test_outliers_over_zeros_alone():
    evals = np.r_[np.zeros(98), 10.0, 20.0]
    assert bulk_by_iteration(LayerSpectrum(evals, 200, 100)) is Reason.ZERO_BULK


def test_equal_eigenvalues():
    """An orthogonal matrix: nothing is taken off, and the law does not fit."""
    spectrum = LayerSpectrum(np.full(50, 7.0), 100, 50)
    bulk = bulk_by_iteration(spectrum)
    assert (bulk.law.variance, bulk.n_outliers) == (pytest.approx(0.07), 0)
    assert bulk.ks > 0.3
    assert bulk_by_quantile(spectrum).law.median == pytest.approx(0.07)


def test_one_eigenvalue():
    spectrum = LayerSpectrum(np.array([5.0]), 10, 1)
    assert bulk_by_iteration(spectrum).law.variance == pytest.approx(0.5)
    assert bulk_by_quantile(spectrum).law.median == pytest.approx(0.5)


@FITS
def test_zero_matrix(fit):
    assert fit(LayerSpectrum(np.zeros(3), 5, 3)) is Reason.ZERO_MATRIX
    assert known_bulk(LayerSpectrum(np.zeros(3), 5, 3), 1.0) is Reason.ZERO_MATRIX


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.floats(-270, 290), st.sampled_from([1.0, 3.0, 10.0]))
def test_units_do_not_matter(seed, exponent, mu):
    spectrum = spectrum_of(pareto_entries(np.random.default_rng(seed), 60, 40, mu))
    factor = 10.0**exponent / spectrum.lambda_max
    scaled = LayerSpectrum(spectrum.evals * factor, 60, 40)
    for fit in (bulk_by_quantile, bulk_by_iteration):
        one, other = fit(spectrum), fit(scaled)
        if isinstance(one, Reason):
            assert other is one
            continue
        assert other.law.variance == pytest.approx(one.law.variance * factor, rel=1e-9)
        assert (other.share, other.ks) == pytest.approx((one.share, one.ks), rel=1e-9)
        assert other.n_outliers == one.n_outliers


def test_rotations_and_the_transpose_do_not_matter():
    rng = np.random.default_rng(40)
    W = with_signals(rng, 90, 60, [3.0, 5.0])
    left = np.linalg.qr(rng.standard_normal((90, 90)))[0]
    right = np.linalg.qr(rng.standard_normal((60, 60)))[0]
    for fit in (bulk_by_quantile, bulk_by_iteration):
        one = fit(spectrum_of(W))
        for other in (fit(spectrum_of(W.T)), fit(spectrum_of(left @ W @ right))):
            assert other.law.variance == pytest.approx(one.law.variance, rel=1e-10)
            assert other.n_outliers == one.n_outliers


def test_refuses_bad_options():
    spectrum = LayerSpectrum(np.ones(4), 4, 4)
    for level in (0.0, 1.0, -1.0, 2.0, np.nan):
        with pytest.raises(SetolError, match=r"need a level inside \(0, 1\)"):
            bulk_by_quantile(spectrum, level)
        with pytest.raises(SetolError, match=r"need a level inside \(0, 1\)"):
            bulk_by_iteration(spectrum, level=level)
    for variance in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(SetolError, match="need a variance above 0"):
            known_bulk(spectrum, variance)
