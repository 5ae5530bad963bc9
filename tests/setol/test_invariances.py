"""What may happen to a matrix without changing its metrics, over matrices that Hypothesis chooses.

It chooses the seed, the kind and the size, so the eigenvalues are continuous random numbers: metrics that
count (n_tail, erg_n) then change with rounding only if two candidates tie to 13 digits, which they do not.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from setol import effective_correlation_space, fit_power_law, log_alpha_norm, scale_metrics, tail_trace_log, trace_scale
from setol.weights.decomposition import decompose

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
factors = st.floats(1e-6, 1e6)


@st.composite
def spectra(draw):
    rng = np.random.default_rng(draw(seeds))
    n = draw(st.integers(2, 300))
    spread = draw(st.floats(0.05, 3.0))
    return np.exp(spread * rng.standard_normal(n))


@st.composite
def matrices(draw):
    """Heavy-tailed entries, both orientations; never square, so that the smallest eigenvalue stays well above 0."""
    rng = np.random.default_rng(draw(seeds))
    n_cols = draw(st.integers(2, 40))
    n_rows = draw(st.integers(int(1.5 * n_cols) + 1, 3 * n_cols))
    W = rng.standard_normal((n_rows, n_cols)) * np.exp(draw(st.floats(0.0, 1.0)) * rng.standard_normal(n_cols))
    return W if draw(st.booleans()) else W.T


def all_metrics(evals):
    """Every metric of a spectrum by name, those of scale among them."""
    fit, scale, ecs = fit_power_law(evals), scale_metrics(evals), effective_correlation_space(evals)
    return {
        "alpha": fit.alpha,
        "alpha_sigma": fit.alpha_sigma,
        "d_ww": fit.d_ww,
        "d_ks": fit.d_ks,
        "n_tail": fit.n_tail,
        "stable_rank": scale.stable_rank,
        "matrix_rank": scale.matrix_rank,
        "entropy": scale.entropy,
        "erg_n": ecs.n,
        "erg_lambda_min": ecs.lambda_min,
        "erg_trace_log": ecs.trace_log,
        "erg_delta": fit.lambda_min * trace_scale(evals) - ecs.lambda_min,
        "tail_trace_log": tail_trace_log(evals, fit.lambda_min),
        "lambda_min": fit.lambda_min,
        "lambda_max": fit.lambda_max,
        "log_norm": scale.log_norm,
        "log_spectral_norm": scale.log_spectral_norm,
        "alpha_hat": fit.alpha * scale.log_spectral_norm,
        "log_alpha_norm": log_alpha_norm(evals, fit.alpha),
    }


def after_scaling(metrics, factor):
    """What the metrics must become when every eigenvalue is multiplied by the factor."""
    alpha, shift = metrics["alpha"], np.log10(factor)
    return metrics | {
        "lambda_min": metrics["lambda_min"] * factor,
        "lambda_max": metrics["lambda_max"] * factor,
        "log_norm": metrics["log_norm"] + shift,
        "log_spectral_norm": metrics["log_spectral_norm"] + shift,
        "alpha_hat": metrics["alpha_hat"] + alpha * shift,
        "log_alpha_norm": metrics["log_alpha_norm"] + alpha * shift,
    }


def evals_of(W):
    return decompose(torch.from_numpy(np.ascontiguousarray(W))[None]).evals[0]


@SETTINGS
@given(spectra(), factors)
def test_scale_of_the_spectrum(evals, factor):
    # alpha amplifies rounding in the logarithms: 300 logs of size 15 beside a spread of 0.05 still leave 1e-9.
    expected = after_scaling(all_metrics(evals), factor)
    assert all_metrics(evals * factor) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@SETTINGS
@given(matrices(), st.floats(1e-3, 1e3))
def test_scale_of_the_matrix_enters_squared(W, factor):
    expected = after_scaling(all_metrics(evals_of(W)), factor**2)
    assert all_metrics(evals_of(factor * W)) == pytest.approx(expected, rel=1e-8, abs=1e-8)


@SETTINGS
@given(spectra(), seeds)
def test_order_of_the_eigenvalues(evals, seed):
    shuffled = np.random.default_rng(seed).permutation(evals)
    assert fit_power_law(shuffled) == fit_power_law(evals)
    # Only the sum for the trace depends on the order, by rounding.
    assert all_metrics(shuffled) == pytest.approx(all_metrics(evals), rel=1e-12, abs=1e-11)


@SETTINGS
@given(matrices())
def test_transpose(W):
    assert all_metrics(evals_of(W.T)) == pytest.approx(all_metrics(evals_of(W)), rel=1e-8, abs=1e-8)


@SETTINGS
@given(st.integers(2, 40), seeds)
def test_transpose_of_a_square_matrix(n, seed):
    """W^T W and W W^T are two matrices here; a solver is off by a few n eps lambda_max (backward error)."""
    W = np.random.default_rng(seed).standard_normal((n, n))
    evals = evals_of(W)
    np.testing.assert_allclose(evals_of(W.T), evals, rtol=0, atol=4 * n * 2.0**-52 * evals[-1])


@SETTINGS
@given(matrices(), seeds)
def test_orthogonal_factors(W, seed):
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.standard_normal((W.shape[0], W.shape[0])))
    right, _ = np.linalg.qr(rng.standard_normal((W.shape[1], W.shape[1])))
    assert all_metrics(evals_of(left @ W @ right)) == pytest.approx(all_metrics(evals_of(W)), rel=1e-8, abs=1e-8)


@SETTINGS
@given(matrices(), seeds)
def test_order_and_signs_of_rows_and_columns(W, seed):
    rng = np.random.default_rng(seed)
    signs = np.outer(rng.choice([-1.0, 1.0], W.shape[0]), rng.choice([-1.0, 1.0], W.shape[1]))
    shuffled = rng.permutation(rng.permutation(W * signs, axis=0), axis=1)
    assert all_metrics(evals_of(shuffled)) == pytest.approx(all_metrics(evals_of(W)), rel=1e-8, abs=1e-8)


@SETTINGS
@given(matrices(), st.integers(1, 30))
def test_rows_of_zeros_change_nothing_but_the_shape(W, n_zeros):
    tall = W if W.shape[0] > W.shape[1] else W.T
    padded = np.vstack([tall, np.zeros((n_zeros, tall.shape[1]))])
    assert all_metrics(evals_of(padded)) == pytest.approx(all_metrics(evals_of(tall)), rel=1e-8, abs=1e-8)


@SETTINGS
@given(spectra(), st.integers(1, 50))
def test_zeros_in_the_spectrum_leave_norms_and_ranks(evals, n_zeros):
    padded = np.r_[np.zeros(n_zeros), evals]
    before, after = scale_metrics(evals), scale_metrics(padded)
    assert before == after
    assert log_alpha_norm(padded, 2.5) == log_alpha_norm(evals, 2.5)
