"""Float32 decompositions against float64 ones: within what they claim to resolve, and told when they are not."""

import dataclasses

import numpy as np
import pytest
import torch

from setol import Reason, SetolError, effective_correlation_space, fit_power_law
from setol.weights.decomposition import Decomposition, decompose
from setol.weights.precision import decompose_float32, float32_deviation, float32_resolution
from tests.setol.stacks import BAD_ENTRIES, DEVICES, NARROW, WRONG_STACKS, gaussian, heavy_tailed, spoiled


def assert_within_resolution(found, exact):
    assert isinstance(found, Decomposition)
    assert (found.n_rows, found.n_cols) == (exact.n_rows, exact.n_cols)
    assert found.evals.dtype == np.float64
    limit = float32_resolution(exact.evals[:, -1:], exact.n_rows, exact.n_cols)
    # What lies below the limit and was set to zero is off by its rounding as well.
    assert np.all(np.abs(found.evals - exact.evals) <= np.where(found.evals > 0, limit, 2 * limit))
    assert np.all(np.diff(found.evals, axis=1) >= 0)
    assert found.rank.tolist() == np.count_nonzero(found.evals, axis=1).tolist()
    for name in ("frobenius_sq", "mean", "variance", "kurtosis", "max_abs", "zero_fraction"):
        expected = getattr(exact.entries, name)
        np.testing.assert_allclose(getattr(found.entries, name), expected, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", [gaussian, heavy_tailed])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 300, 200), (1, 200, 300), (9, 40, 30), (1, 512, 512), (1, 3000, 20)])
def test_agrees_with_float64_to_what_float32_resolves(kind, shape, device):
    matrices = kind(shape, seed=1)
    assert_within_resolution(decompose_float32(matrices.to(device), device=device), decompose(matrices))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (5, 4), (8, 8), (20, 6)])
def test_small_matrices_are_within_the_resolution_however_many(shape, device):
    matrices = gaussian((2000, *shape), seed=12)
    assert_within_resolution(decompose_float32(matrices.to(device), device=device), decompose(matrices))


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_narrow_weights(dtype):
    matrices = gaussian((2, 60, 40), seed=2, dtype=dtype)
    assert_within_resolution(decompose_float32(matrices), decompose(matrices))


@pytest.mark.parametrize("scale", [1e-120, 1e-30, 1e38, 1e150])
def test_entries_no_float32_could_square_keep_their_digits(scale):
    matrices = gaussian((2, 60, 40), seed=3) * torch.tensor([1.0, 1e-3], dtype=torch.float64)[:, None, None]
    plain, scaled = decompose_float32(matrices), decompose_float32(matrices * scale)
    assert_within_resolution(scaled, decompose(matrices * scale))
    np.testing.assert_allclose(scaled.evals, plain.evals * scale**2, rtol=1e-4)


def test_metrics_of_the_tail_and_of_the_correlation_space_keep_four_digits():
    matrices = heavy_tailed((1, 400, 300), seed=4) + 0.004 * gaussian((1, 400, 300), seed=5)
    found, exact = decompose_float32(matrices).evals[0], decompose(matrices).evals[0]
    assert fit_power_law(found[found > 0]).alpha == pytest.approx(fit_power_law(exact).alpha, rel=1e-4)
    spaces = effective_correlation_space(found), effective_correlation_space(exact)
    assert spaces[0].n == spaces[1].n
    assert spaces[0].lambda_min == pytest.approx(spaces[1].lambda_min, rel=1e-3)


def test_small_eigenvalues_are_zeros_not_noise():
    matrices = gaussian((1, 200, 20), seed=6) @ gaussian((1, 20, 100), seed=7)
    found = decompose_float32(matrices)
    assert found.rank.tolist() == [20]
    assert np.count_nonzero(found.evals) == 20
    assert decompose_float32(torch.zeros(1, 5, 4)).rank.tolist() == [0]


def test_scale_and_transposition():
    matrices = gaussian((1, 60, 40), seed=8)
    plain = decompose_float32(matrices).evals
    np.testing.assert_allclose(decompose_float32(4.0 * matrices).evals, 16 * plain, rtol=1e-6)
    np.testing.assert_allclose(decompose_float32(matrices.mT).evals, plain, rtol=1e-6)


def test_the_check_measures_the_largest_error():
    matrices = gaussian((3, 60, 40), seed=9) * torch.tensor([1.0, 100.0, 0.0], dtype=torch.float64)[:, None, None]
    found = decompose_float32(matrices)
    deviation = float32_deviation(matrices, found)
    assert 0 < deviation < float32_resolution(np.array(1.0), 60, 40)
    evals = found.evals.copy()
    evals[0, 7] += 0.01 * evals[0, -1]  # as coarse products would leave it
    spoilt = dataclasses.replace(found, evals=evals)
    assert float32_deviation(matrices, spoilt) == pytest.approx(0.01, rel=1e-3)


def test_the_check_forgives_zeros_below_the_resolution_and_no_others():
    """A square matrix whose smallest eigenvalue float32 cannot see, and one whose largest has been lost."""
    U, V = torch.linalg.qr(gaussian((50, 50), seed=10)).Q, torch.linalg.qr(gaussian((50, 50), seed=11)).Q
    limit = float(float32_resolution(np.array(1.0), 50, 50))
    s = torch.linspace(1.0, 0.1, 50, dtype=torch.float64)
    s[-1] = (0.5 * limit) ** 0.5
    matrices = (U * s @ V.T)[None]
    found = decompose_float32(matrices)
    assert found.rank.tolist() == [49]
    assert float32_deviation(matrices, found) < 0.4 * limit
    evals = found.evals.copy()
    evals[0, 3] = 0.0
    lost = decompose(matrices).evals[0, 3]
    spoilt = dataclasses.replace(found, evals=evals)
    assert float32_deviation(matrices, spoilt) == pytest.approx(lost - limit, rel=1e-6)


def test_the_check_has_nothing_to_measure():
    zero = torch.zeros(2, 5, 4)
    assert float32_deviation(zero, decompose_float32(zero)) is Reason.ZERO_MATRIX
    found = decompose_float32(gaussian((2, 30, 20)))
    assert float32_deviation(spoiled((2, 30, 20), float("nan")), found) is Reason.NON_FINITE
    with pytest.raises(SetolError, match=r"shape \(1, 20\); got shape \(2, 20\)"):
        float32_deviation(gaussian((1, 30, 20)), found)


@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_entries_without_a_finite_square_are_a_reason(value):
    assert decompose_float32(spoiled((2, 30, 20), value)) is Reason.NON_FINITE


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack(stack, message):
    with pytest.raises(SetolError, match=message):
        decompose_float32(stack)
