"""Batches of one shape against the plain path, and the budget they keep to."""

import numpy as np
import pytest
import torch

from setol import Reason, SetolError
from setol.weights.batches import decompose_batched, group_by_shape
from setol.weights.decomposition import Decomposition, decompose, resolution
from setol.weights.precision import decompose_float32, float32_resolution
from tests.setol.stacks import BAD_ENTRIES, DEVICES, NARROW, WRONG_STACKS, gaussian, spoiled

SLICE_BYTES = 30 * 20 * 8 + 16 * 20**2
"""Of a 30 x 20 float64 matrix: its copy and two 20 x 20 float64 matrices."""


def assert_same(batched, plain):
    assert isinstance(batched, Decomposition)
    assert (batched.n_rows, batched.n_cols) == (plain.n_rows, plain.n_cols)
    limit = resolution(plain.evals[:, -1:], plain.n_rows)
    assert batched.evals.shape == plain.evals.shape
    assert np.all(np.abs(batched.evals - plain.evals) <= limit)
    assert batched.rank.tolist() == plain.rank.tolist()
    for name in ("frobenius_sq", "mean", "variance", "kurtosis", "max_abs", "zero_fraction"):
        expected = getattr(plain.entries, name)
        np.testing.assert_allclose(getattr(batched.entries, name), expected, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("budget", [1, 3 * SLICE_BYTES, 2**26])
def test_equal_to_the_plain_path_in_the_order_given(budget, device):
    shapes = [(1, 30, 20), (9, 8, 4), (2, 30, 20), (1, 20, 30), (1, 30, 20), (4, 8, 4), (1, 300, 260), (1, 300, 260)]
    stacks = [gaussian(shape, seed=seed).to(device) * 10.0 ** (seed - 4) for seed, shape in enumerate(shapes)]
    results = decompose_batched(stacks, device=device, budget_bytes=budget)
    assert len(results) == len(stacks)
    for result, stack in zip(results, stacks, strict=True):
        assert_same(result, decompose(stack, device=device))


@pytest.mark.parametrize("dtype", NARROW, ids=str)
def test_narrow_weights(dtype):
    stacks = [gaussian((2, 30, 20), seed=seed, dtype=dtype) for seed in range(3)]
    for result, stack in zip(decompose_batched(stacks), stacks, strict=True):
        assert_same(result, decompose(stack))


def test_float32_in_batches():
    stacks = [gaussian((2, 30, 20), seed=seed) for seed in range(3)]
    limit = float32_resolution(np.array(1.0), 30, 20)
    for result, stack in zip(decompose_batched(stacks, compute=decompose_float32), stacks, strict=True):
        alone = decompose_float32(stack).evals
        assert np.all(np.abs(result.evals - alone) <= limit * alone[:, -1:])
        assert np.count_nonzero(result.evals != decompose(stack).evals) > 20  # it is no float64


@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_one_stack_that_is_not_finite_costs_the_others_nothing(value):
    stacks = [gaussian((1, 30, 20), seed=1), spoiled((1, 30, 20), value), gaussian((1, 30, 20), seed=2)]
    results = decompose_batched(stacks)
    assert results[1] is Reason.NON_FINITE
    assert_same(results[0], decompose(stacks[0]))
    assert_same(results[2], decompose(stacks[2]))


def test_batches_hold_one_kind_and_each_stack_once():
    stacks = [
        torch.empty(1, 30, 20),
        torch.empty(2, 20, 30),
        torch.empty(5, 30, 20),
        torch.empty(1, 30, 20, dtype=torch.float16),
        torch.empty(3, 20, 30),
        torch.empty(1, 30, 20),
    ]
    assert group_by_shape(stacks) == [[0, 2, 5], [1, 4], [3]]
    assert group_by_shape([]) == []
    assert decompose_batched([]) == []


def test_batches_keep_to_the_budget_and_a_stack_beyond_it_stands_alone():
    stacks = [gaussian((n, 30, 20)) for n in (1, 2, 7, 1, 2, 1)]
    assert group_by_shape(stacks, 3 * SLICE_BYTES) == [[0, 1], [2], [3, 4], [5]]
    assert group_by_shape(stacks, 3 * SLICE_BYTES - 1) == [[0], [1], [2], [3], [4], [5]]
    assert group_by_shape(stacks, 10 * SLICE_BYTES) == [[0, 1, 2], [3, 4, 5]]
    assert group_by_shape(stacks, 1) == [[0], [1], [2], [3], [4], [5]]


@pytest.mark.parametrize("budget", [0, -1])
def test_refuses_a_budget_that_is_none(budget):
    with pytest.raises(SetolError, match=f"budget above 0 bytes.*got {budget}"):
        group_by_shape([gaussian((1, 3, 2))], budget)
    with pytest.raises(SetolError, match=f"budget above 0 bytes.*got {budget}"):
        decompose_batched([gaussian((1, 3, 2))], budget_bytes=budget)


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack_and_says_which(stack, message):
    with pytest.raises(SetolError, match=f"need stack 1 .*{message}"):
        decompose_batched([gaussian((1, 3, 2)), stack])
