"""Norms and ranks: by hand, against scipy, and where the plain formula would leave float64."""

import numpy as np
import pytest
import scipy.stats
import torch

from setol import Reason, SetolError, log_alpha_norm, scale_metrics
from setol.weights.decomposition import decompose

KINDS = ("pareto", "lognormal", "marchenko_pastur", "uniform", "mixture", "two_point", "one_decimal")


def test_diagonal_matrix_by_hand():
    evals = decompose(torch.diag(torch.tensor([3.0, 2.0, 1.0]))[None]).evals[0]
    metrics = scale_metrics(evals)
    shares = np.array([9, 4, 1]) / 14
    # Three eigenvalues from a float64 Gram matrix of small integers: right to a few units in the last place.
    assert metrics.lambda_max == pytest.approx(9.0, rel=1e-14)
    assert metrics.log_norm == pytest.approx(np.log10(14), rel=1e-14)
    assert metrics.log_spectral_norm == pytest.approx(np.log10(9), rel=1e-14)
    assert metrics.stable_rank == pytest.approx(14 / 9, rel=1e-14)
    assert metrics.matrix_rank == 3
    assert metrics.entropy == pytest.approx(-(shares * np.log(shares)).sum() / np.log(3), rel=1e-14)
    assert log_alpha_norm(evals, 2.0) == pytest.approx(np.log10(98), rel=1e-14)


@pytest.mark.parametrize("n", [1, 2, 100])
def test_equal_eigenvalues(n):
    metrics = scale_metrics(np.full(n, 0.7))
    assert metrics.stable_rank == pytest.approx(n, rel=1e-14)
    assert metrics.matrix_rank == n
    assert metrics.entropy == pytest.approx(1.0 if n > 1 else 0.0, abs=1e-14)
    assert log_alpha_norm(np.full(n, 0.7), 3.5) == pytest.approx(np.log10(n) + 3.5 * np.log10(0.7), rel=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_zeros", [0, 17])
def test_agrees_with_the_plain_formulas(draw_spectrum, kind, n_zeros):
    rng = np.random.default_rng([KINDS.index(kind), n_zeros])
    positive = draw_spectrum(kind, rng, 200)
    evals = rng.permutation(np.concatenate([positive, np.zeros(n_zeros)]))
    metrics = scale_metrics(evals)
    # 200 terms summed in another order differ by far less than 1e-12.
    assert metrics.log_norm == pytest.approx(np.log10(evals.sum()), abs=1e-12)
    assert metrics.stable_rank == pytest.approx(evals.sum() / evals.max(), rel=1e-12)
    assert metrics.lambda_max == evals.max()
    assert metrics.matrix_rank == 200
    assert metrics.entropy == pytest.approx(scipy.stats.entropy(positive) / np.log(200), rel=1e-12)
    for alpha in (1.5, 2.0, 5.0):
        assert log_alpha_norm(evals, alpha) == pytest.approx(np.log10((evals**alpha).sum()), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [1.1, 2.5, 8.0])
def test_bounds_between_the_metrics(draw_spectrum, kind, alpha):
    evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), 5]), 300)
    metrics = scale_metrics(evals)
    alpha_hat = alpha * metrics.log_spectral_norm
    assert metrics.log_spectral_norm <= metrics.log_norm
    assert 1 <= metrics.stable_rank <= metrics.matrix_rank
    assert 0 < metrics.entropy < 1
    assert alpha_hat <= log_alpha_norm(evals, alpha) <= alpha_hat + np.log10(300)


@pytest.mark.parametrize("exponent", [-300, -150, 150, 300])
def test_sums_that_float64_cannot_hold(exponent):
    """Up to 10^300 an eigenvalue is a float64 number, its powers and the sum of a billion of them are not."""
    evals = np.array([1.0, 2.0, 4.0]) * 10.0**exponent
    metrics = scale_metrics(evals)
    assert metrics.log_norm == pytest.approx(exponent + np.log10(7), rel=1e-14)
    assert metrics.stable_rank == pytest.approx(7 / 4, rel=1e-14)
    assert log_alpha_norm(evals, 10.0) == pytest.approx(10 * exponent + np.log10(1 + 2**10 + 4**10), rel=1e-14)


def test_a_share_below_float64_adds_nothing_to_the_entropy():
    metrics = scale_metrics(np.array([5e-324, 1e30, 1e30]))
    assert metrics.entropy == pytest.approx(np.log(2) / np.log(3), rel=1e-14)


@pytest.mark.parametrize(("n_rows", "n_cols", "rank"), [(60, 40, 1), (60, 40, 13), (30, 80, 29), (400, 300, 100)])
def test_rank_of_a_product_of_thin_factors(n_rows, n_cols, rank):
    rng = np.random.default_rng([n_rows, rank])
    W = rng.standard_normal((n_rows, rank)) @ rng.standard_normal((rank, n_cols))
    decomposition = decompose(torch.from_numpy(W)[None])
    assert decomposition.rank.tolist() == [rank]
    assert scale_metrics(decomposition.evals[0]).matrix_rank == rank
    assert np.count_nonzero(decomposition.evals) == rank


def test_zero_matrix_has_a_reason():
    assert scale_metrics(np.zeros(4)) is Reason.ZERO_MATRIX


def test_alpha_norm_refuses_a_zero_matrix():
    with pytest.raises(SetolError, match="at least one positive eigenvalue for the alpha norm; got only zeros"):
        log_alpha_norm(np.zeros(4), 2.0)


@pytest.mark.parametrize("metric", [scale_metrics, lambda evals: log_alpha_norm(evals, 2.0)])
@pytest.mark.parametrize(
    ("evals", "message"),
    [
        (np.array([]), r"need at least one eigenvalue, shape \(n,\); got shape \(0,\)"),
        (np.ones((2, 2)), r"need at least one eigenvalue, shape \(n,\); got shape \(2, 2\)"),
        (np.array([1.0, -0.5, -2.0]), r"at least 0; got 2 others, the first -0\.5"),
        (np.array([1.0, np.nan]), r"need finite eigenvalues of at least 0; got 1 others, the first nan"),
        (np.array([np.inf, 1.0]), r"need finite eigenvalues of at least 0; got 1 others, the first inf"),
    ],
)
def test_refuses_what_is_no_spectrum(metric, evals, message):
    with pytest.raises(SetolError, match=message):
        metric(evals)


def test_a_spectrum_in_float32_gives_float64():
    evals = (np.arange(1, 300) / 7).astype(np.float32)
    assert scale_metrics(evals) == scale_metrics(evals.astype(np.float64))
    assert log_alpha_norm(evals, 2.7) == log_alpha_norm(evals.astype(np.float64), 2.7)
