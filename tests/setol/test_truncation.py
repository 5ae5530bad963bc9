"""Truncated weights against a full SVD, the Eckart-Young error, and what the fits counted."""

import numpy as np
import pytest
import torch

from setol import Reason, SetolError, effective_correlation_space, fit_power_law
from setol.erg import trace_scale
from setol.weights.decomposition import decompose
from setol.weights.truncation import Truncation, truncate
from tests.setol.stacks import BAD_ENTRIES, DEVICES, NARROW, WRONG_STACKS, gaussian, heavy_tailed, spoiled


def truncated_by_svd(matrix, n_kept):
    U, s, Vh = torch.linalg.svd(matrix.to(torch.float64), full_matrices=False)
    return U[:, :n_kept] * s[:n_kept] @ Vh[:n_kept]


def assert_is_truncated_svd(truncation, matrices, lambda_min, atol):
    assert isinstance(truncation, Truncation)
    assert truncation.matrices.shape == matrices.shape
    assert truncation.matrices.dtype == matrices.dtype
    assert truncation.matrices.device == matrices.device
    for index, matrix in enumerate(matrices.to(torch.float64).cpu()):
        evals = torch.linalg.svdvals(matrix).square()
        n_kept = int((evals >= lambda_min).sum())
        assert truncation.n_kept[index] == n_kept
        left = truncation.matrices[index].to(torch.float64).cpu()
        torch.testing.assert_close(left, truncated_by_svd(matrix, n_kept), rtol=0, atol=atol * float(evals[0]) ** 0.5)
        np.testing.assert_allclose(truncation.error_sq[index], float(evals[n_kept:].sum()), rtol=1e-10)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(1, 60, 40), (1, 40, 60), (4, 30, 30), (9, 12, 50), (1, 700, 5), (1, 1, 9)], ids=str)
def test_equals_the_svd_with_small_components_left_out(shape, device):
    matrices = heavy_tailed(shape).to(device)
    evals = torch.linalg.svdvals(matrices)[0].square()
    middle = float(evals[len(evals) // 3] * 0.9)
    # Condition of what is kept: below 40, so the bound of the docstring is 2^-52 40 times a few.
    assert_is_truncated_svd(truncate(matrices, middle), matrices, middle, atol=1e-12)


def test_frobenius_error_is_the_sum_of_what_was_dropped():
    matrices = gaussian((3, 80, 50), seed=1)
    truncation = truncate(matrices, 60.0)
    assert np.all((truncation.n_kept > 5) & (truncation.n_kept < 45))
    error_sq = (matrices - truncation.matrices).square().sum((1, 2))
    np.testing.assert_allclose(truncation.error_sq, error_sq, rtol=1e-12)


def test_keeps_as_many_components_as_the_fit_of_the_tail_counted():
    """A fitted lambda_min is an eigenvalue from another algorithm: rounding must not cost it its own component."""
    for seed in range(20):
        matrices = heavy_tailed((1, 150, 100), seed=seed) + 0.02 * gaussian((1, 150, 100), seed=seed + 100)
        evals = decompose(matrices).evals[0]
        fit = fit_power_law(evals)
        assert truncate(matrices, fit.lambda_min).n_kept.tolist() == [fit.n_tail]
        ecs = effective_correlation_space(evals)
        assert truncate(matrices, ecs.lambda_min / trace_scale(evals)).n_kept.tolist() == [ecs.n]


def test_every_eigenvalue_as_threshold_keeps_itself():
    matrices = gaussian((1, 60, 60), seed=2)  # square: eigenvalues from 240 down to 0.001
    evals = decompose(matrices).evals[0]
    assert [int(truncate(matrices, x).n_kept[0]) for x in evals] == list(range(60, 0, -1))


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_narrow_weights_come_back_in_their_dtype_rounded_once(dtype):
    matrices = heavy_tailed((2, 40, 60), seed=3, dtype=dtype)
    truncation = truncate(matrices, 0.01)
    assert truncation.matrices.dtype == dtype
    assert truncation.n_kept.max() < 40
    for index, matrix in enumerate(matrices):
        exact = truncated_by_svd(matrix, truncation.n_kept[index])
        # Half a unit in the last place where the numbers are normal; float64 noise may tip a tie.
        spacing = torch.finfo(dtype).eps * exact.abs().clamp_min(torch.finfo(dtype).smallest_normal)
        error = (truncation.matrices[index].to(torch.float64) - exact).abs()
        assert bool((error <= 0.5 * spacing * (1 + 1e-6) + 1e-13).all())


@pytest.mark.parametrize("shape", [(2, 50, 30), (2, 30, 50)])
def test_a_checkpoint_of_rank_r_is_reproduced(shape):
    factors = gaussian((2, shape[1], 7), seed=4), gaussian((2, 7, shape[2]), seed=5)
    matrices = factors[0] @ factors[1]
    lambda_min = float(decompose(matrices).evals[:, -7].min())
    truncation = truncate(matrices, lambda_min)
    assert truncation.n_kept.tolist() == [7, 7]
    torch.testing.assert_close(truncation.matrices, matrices, rtol=0, atol=1e-12)
    single = matrices.to(torch.float32)
    assert torch.equal(truncate(single, 0.0).matrices, single)


def test_threshold_0_changes_no_bit_and_one_beyond_the_largest_leaves_nothing():
    matrices = gaussian((2, 30, 20), seed=6)
    whole, nothing = truncate(matrices, 0.0), truncate(matrices, 1e6)
    assert torch.equal(whole.matrices, matrices)
    assert (whole.n_kept.tolist(), whole.error_sq.tolist()) == ([20, 20], [0.0, 0.0])
    assert not nothing.matrices.any()
    assert nothing.n_kept.tolist() == [0, 0]
    np.testing.assert_allclose(nothing.error_sq, matrices.square().sum((1, 2)), rtol=1e-13)


def test_ill_conditioned_weights_stay_within_the_stated_error():
    """Singular values from 1 to 1e-7: kept down to 3e-7, the Gram matrix errs by 2^-52 / 3e-7, an SVD not at all."""
    U, V = torch.linalg.qr(gaussian((60, 40), seed=7)).Q, torch.linalg.qr(gaussian((40, 40), seed=8)).Q
    s = torch.logspace(0, -7, 40, dtype=torch.float64)
    matrices = (U * s @ V.T)[None]
    n_kept = int((s >= 3e-7).sum())
    truncation = truncate(matrices, float(s[n_kept - 1] * s[n_kept]))
    assert truncation.n_kept.tolist() == [n_kept]
    exact = U[:, :n_kept] * s[:n_kept] @ V[:, :n_kept].T
    error = float(torch.linalg.matrix_norm(truncation.matrices[0] - exact, 2))
    assert error < 40 * 2.0**-52 / 3e-7
    assert error < 2.0**-26


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e20])
def test_commutes_with_scale_transposition_and_rotation(factor):
    matrices = heavy_tailed((1, 40, 30), seed=9)
    plain = truncate(matrices, 0.01)
    scaled = truncate(factor * matrices, factor**2 * 0.01)
    torch.testing.assert_close(scaled.matrices, factor * plain.matrices, rtol=0, atol=1e-13 * factor)
    np.testing.assert_allclose(scaled.error_sq, factor**2 * plain.error_sq, rtol=1e-12)
    transposed = truncate(matrices.mT, 0.01)
    torch.testing.assert_close(transposed.matrices.mT, plain.matrices, rtol=0, atol=1e-13)
    P, Q = torch.linalg.qr(gaussian((40, 40), seed=10)).Q, torch.linalg.qr(gaussian((30, 30), seed=11)).Q
    rotated = truncate(P @ matrices @ Q, 0.01)
    torch.testing.assert_close(rotated.matrices, P @ plain.matrices @ Q, rtol=0, atol=1e-12)
    assert scaled.n_kept.tolist() == transposed.n_kept.tolist() == rotated.n_kept.tolist() == plain.n_kept.tolist()


def test_input_is_left_as_it_was_and_strides_do_not_matter():
    kernel = gaussian((24, 10, 3, 2), seed=12, dtype=torch.float32)
    before = kernel.clone()
    taps = kernel.flatten(2).permute(2, 0, 1)
    left = truncate(taps, 30.0).matrices
    assert torch.equal(kernel, before)
    assert left.permute(1, 2, 0).view(24, 10, 3, 2).is_contiguous()  # in the order of the kernel, to be stored again
    assert truncate(gaussian((2, 20, 30)), 30.0).matrices.is_contiguous()
    torch.testing.assert_close(left, truncate(taps.contiguous(), 30.0).matrices, rtol=0, atol=1e-6)


def test_zero_matrix_loses_nothing():
    truncation = truncate(torch.zeros(1, 5, 4), 1.0)
    assert (truncation.n_kept.tolist(), truncation.error_sq.tolist()) == ([0], [0.0])


@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_entries_without_a_finite_square_are_a_reason(value):
    assert truncate(spoiled((2, 30, 20), value), 1.0) is Reason.NON_FINITE


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack(stack, message):
    with pytest.raises(SetolError, match=message):
        truncate(stack, 1.0)


@pytest.mark.parametrize("lambda_min", [-1.0, float("nan"), float("inf")])
def test_refuses_a_threshold_that_is_none(lambda_min):
    with pytest.raises(SetolError, match=f"finite lambda_min of at least 0.*got {lambda_min}"):
        truncate(gaussian((1, 5, 4)), lambda_min)
