"""Spectra of B A from their factors against those of the dense product."""

import numpy as np
import pytest
import torch

from setol import Reason, SetolError
from setol.weights.decomposition import decompose
from setol.weights.low_rank import LowRankSpectrum, decompose_product
from tests.setol.stacks import BAD_ENTRIES, DEVICES, NARROW, WRONG_STACKS, gaussian, singular_values_squared, spoiled


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("n_slices", "n", "r", "m"),
    [(1, 60, 4, 40), (1, 40, 4, 60), (3, 30, 1, 30), (2, 10, 25, 12), (1, 12, 12, 12), (2, 50, 20, 8), (1, 1, 1, 1)],
)
@pytest.mark.parametrize("scale", [1.0, -2.5, 1e-3])
def test_equal_to_the_dense_spectrum(n_slices, n, r, m, scale, device):
    B, A = gaussian((n_slices, n, r), seed=1), gaussian((n_slices, r, m), seed=2)
    spectrum = decompose_product(B.to(device), A, scale=scale)
    assert isinstance(spectrum, LowRankSpectrum)
    assert (spectrum.n_rows, spectrum.n_cols) == (max(n, m), min(n, m))
    dense = scale * B @ A
    exact = singular_values_squared(dense).numpy()
    assert spectrum.evals.shape == (n_slices, min(n, m)) == exact.shape
    np.testing.assert_allclose(spectrum.evals, exact, rtol=0, atol=1e-13 * exact.max())
    assert spectrum.rank.tolist() == [min(n, r, m)] * n_slices == decompose(dense).rank.tolist()
    assert np.count_nonzero(spectrum.evals, axis=1).tolist() == spectrum.rank.tolist()  # the others are exact zeros
    assert np.all(np.diff(spectrum.evals, axis=1) >= 0)


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_narrow_factors_are_widened_before_they_are_multiplied(dtype):
    B, A = gaussian((1, 50, 8), seed=3, dtype=dtype), gaussian((1, 8, 30), seed=4, dtype=dtype)
    exact = singular_values_squared(B.double() @ A.double()).numpy()
    np.testing.assert_allclose(decompose_product(B, A).evals, exact, rtol=0, atol=1e-13 * exact.max())


def test_orthogonal_factors_give_the_squares_of_their_weights():
    U, V = torch.linalg.qr(gaussian((70, 3), seed=5)).Q, torch.linalg.qr(gaussian((50, 3), seed=6)).Q
    weights = torch.tensor([3.0, 2.0, 0.5], dtype=torch.float64)
    spectrum = decompose_product((U * weights)[None], V.T[None], scale=2.0)
    np.testing.assert_allclose(spectrum.evals[0, -3:], [1.0, 16.0, 36.0], rtol=1e-13)
    assert not spectrum.evals[0, :-3].any()


def test_a_fresh_adapter_is_zero_and_equal_columns_cost_rank():
    B, A = gaussian((2, 40, 4), seed=7), gaussian((2, 4, 30), seed=8)
    B[0] = 0.0
    B[1, :, 3] = B[1, :, 2]
    spectrum = decompose_product(B, A)
    assert spectrum.rank.tolist() == np.count_nonzero(spectrum.evals, axis=1).tolist() == [0, 3]
    assert not spectrum.evals[0].any()
    assert decompose_product(B, A, scale=0.0).rank.tolist() == [0, 0]


def test_scale_transposition_and_rotation():
    B, A = gaussian((1, 40, 5), seed=9), gaussian((1, 5, 25), seed=10)
    plain = decompose_product(B, A).evals
    P, Q = torch.linalg.qr(gaussian((40, 40), seed=11)).Q, torch.linalg.qr(gaussian((25, 25), seed=12)).Q
    mix = gaussian((5, 5), seed=13)
    for left, right in [
        (A.mT, B.mT),
        (P @ B, A @ Q),
        (B @ mix, torch.linalg.solve(mix, A)),  # the product does not know how it is shared out
        (1e90 * B, 1e-90 * A),
    ]:
        np.testing.assert_allclose(decompose_product(left, right).evals, plain, rtol=1e-10, atol=0)
    np.testing.assert_allclose(decompose_product(B, A, scale=1e10).evals, 1e20 * plain, rtol=1e-12)


def test_a_pair_as_large_as_those_of_language_models_needs_little_memory():
    """The product would have 2^40 entries, eight terabytes."""
    B, A = gaussian((1, 2**20, 2), seed=14, dtype=torch.float32), gaussian((1, 2, 2**20), seed=15, dtype=torch.float32)
    spectrum = decompose_product(B, A, scale=2.0**-20)
    assert spectrum.evals.shape == (1, 2**20)
    assert spectrum.rank.tolist() == [2]
    # Independent Gaussian columns of length N: lambda = (N M)/N^2 up to a few parts of 1/sqrt(N).
    np.testing.assert_allclose(spectrum.evals[0, -2:], 1.0, rtol=0.01)


@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_entries_without_a_finite_square_are_a_reason(value):
    assert decompose_product(spoiled((2, 30, 4), value), gaussian((2, 4, 20))) is Reason.NON_FINITE
    assert decompose_product(gaussian((2, 30, 4)), spoiled((2, 4, 20), value)) is Reason.NON_FINITE


def test_a_product_whose_square_leaves_float64_is_a_reason():
    B, A = 1e100 * gaussian((1, 30, 4)), 1e100 * gaussian((1, 4, 20))
    assert decompose_product(B, A) is Reason.NON_FINITE
    assert decompose_product(gaussian((1, 30, 4)), gaussian((1, 4, 20)), scale=1e200) is Reason.NON_FINITE
    assert decompose_product(B, A, scale=1e-100).rank.tolist() == [4]


@pytest.mark.parametrize(
    ("left", "right"), [((1, 5, 3), (1, 4, 6)), ((1, 3, 5), (1, 6, 3)), ((2, 5, 3), (1, 3, 6)), ((1, 5, 3), (3, 3, 6))]
)
def test_refuses_factors_that_do_not_fit(left, right):
    with pytest.raises(SetolError, match=r"need factors B \(slices, N, r\) and A .*; got .* stored the other way"):
        decompose_product(gaussian(left), gaussian(right))


@pytest.mark.parametrize("scale", [float("nan"), float("inf")])
def test_refuses_a_scale_that_is_none(scale):
    with pytest.raises(SetolError, match=f"need a finite scale.*got {scale}"):
        decompose_product(gaussian((1, 5, 3)), gaussian((1, 3, 4)), scale=scale)


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack(stack, message):
    with pytest.raises(SetolError, match=f"need B .*{message}"):
        decompose_product(stack, gaussian((2, 4, 5)))
    with pytest.raises(SetolError, match=f"need A .*{message}"):
        decompose_product(gaussian((2, 4, 3)), stack)
