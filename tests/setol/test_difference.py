"""Spectra of W - W_base against the decomposition of the dense difference."""

import numpy as np
import pytest
import torch

from setol import Reason, SetolError
from setol.weights import gram
from setol.weights.decomposition import Decomposition, decompose, resolution
from setol.weights.difference import decompose_difference
from tests.setol.stacks import BAD_ENTRIES, DEVICES, WRONG_STACKS, gaussian, spoiled


def assert_same(difference, dense):
    assert isinstance(difference, Decomposition)
    assert (difference.n_rows, difference.n_cols) == (dense.n_rows, dense.n_cols)
    limit = resolution(dense.evals[:, -1:], dense.n_rows)
    assert np.all(np.abs(difference.evals - dense.evals) <= limit)
    assert difference.rank.tolist() == dense.rank.tolist()
    for name in ("frobenius_sq", "mean", "variance", "kurtosis", "max_abs", "zero_fraction"):
        expected = getattr(dense.entries, name)
        np.testing.assert_allclose(getattr(difference.entries, name), expected, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(1, 60, 40), (1, 40, 60), (9, 16, 3), (1, 300, 260)], ids=str)
def test_equal_to_the_dense_difference(monkeypatch, shape, device):
    matrices, base = gaussian(shape, seed=1), gaussian(shape, seed=2)
    dense = decompose(matrices - base)
    monkeypatch.setattr(gram, "ROWS", 1)
    monkeypatch.setattr(gram, "CHUNK_BYTES", 11 * 8 * shape[0] * min(shape[1:]))  # 11 rows at a time
    assert_same(decompose_difference(matrices.to(device), base), dense)


@pytest.mark.parametrize("base_dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn], ids=str)
def test_checkpoints_of_different_dtypes_lose_nothing(base_dtype):
    matrices, base = gaussian((2, 40, 30), seed=3, dtype=torch.float16), gaussian((2, 40, 30), seed=4, dtype=base_dtype)
    assert_same(decompose_difference(matrices, base), decompose(matrices.double() - base.double()))


def test_a_low_rank_update_has_its_rank():
    base = gaussian((1, 90, 70), seed=5)
    update = gaussian((1, 90, 3), seed=6) @ gaussian((1, 3, 70), seed=7)
    change = decompose_difference(base + update, base)
    # base + update has been rounded to 2^-52 of entries near 10: that noise is 1e-30 of lambda_max.
    assert change.rank.tolist() == [3]
    np.testing.assert_allclose(change.evals[0, -3:], decompose(update).evals[0, -3:], rtol=1e-12)


def test_strided_taps_and_a_base_stored_otherwise():
    kernel, base = gaussian((12, 7, 3, 3), seed=8), gaussian((12, 7, 3, 3), seed=9)
    taps = [k.flatten(2).permute(2, 0, 1) for k in (kernel, base)]
    dense = decompose((kernel - base).flatten(2).permute(2, 0, 1))
    assert_same(decompose_difference(taps[0], taps[1].contiguous()), dense)


def test_scale_transposition_and_rotation():
    matrices, base = gaussian((1, 40, 25), seed=10), gaussian((1, 40, 25), seed=11)
    plain = decompose_difference(matrices, base)
    P, Q = torch.linalg.qr(gaussian((40, 40), seed=12)).Q, torch.linalg.qr(gaussian((25, 25), seed=13)).Q
    atol = 1e-13 * plain.evals[0, -1]
    for first, second in [(matrices.mT, base.mT), (P @ matrices @ Q, P @ base @ Q), (base, matrices)]:
        np.testing.assert_allclose(decompose_difference(first, second).evals, plain.evals, rtol=0, atol=atol)
    scaled = decompose_difference(1e-4 * matrices, 1e-4 * base).evals
    np.testing.assert_allclose(scaled, 1e-8 * plain.evals, rtol=0, atol=1e-8 * atol)


def test_nothing_changed_is_a_zero_spectrum():
    matrices = gaussian((2, 20, 10), seed=14)
    change = decompose_difference(matrices, matrices.clone())
    assert not change.evals.any()
    assert change.rank.tolist() == [0, 0]
    assert change.entries.zero_fraction.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_entries_without_a_finite_square_are_a_reason(value):
    bad, good = spoiled((2, 30, 20), value), gaussian((2, 30, 20))
    assert decompose_difference(bad, good) is Reason.NON_FINITE
    assert decompose_difference(good, bad) is Reason.NON_FINITE


@pytest.mark.parametrize("shape", [(2, 5, 4), (1, 4, 5), (1, 5, 3)])
def test_refuses_another_shape(shape):
    with pytest.raises(SetolError, match=r"two stacks of one shape; got \(1, 5, 4\) and base \("):
        decompose_difference(gaussian((1, 5, 4)), gaussian(shape))


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack(stack, message):
    with pytest.raises(SetolError, match=f"need matrices.*{message}"):
        decompose_difference(stack, gaussian((2, 3, 4)))
    with pytest.raises(SetolError, match=f"need base.*{message}"):
        decompose_difference(gaussian((2, 3, 4)), stack)
