"""The matrices cut out of a tensor against slicing by hand, their spectra, and tied tensors."""

import time

import numpy as np
import pytest
import torch

from checkpoints.layout import lay_out
from checkpoints.matrices import find_tied, matrix_stack
from checkpoints.open import StateDict
from checkpoints.parts import Cut, Kind, Part, equal_parts
from setol.weights.decomposition import decompose

WHOLE = Part(None, Kind.LINEAR)


def seeded(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tall(matrix):
    return matrix if matrix.shape[0] >= matrix.shape[1] else matrix.mT


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (1, 6, 1, 4), (6, 1, 4)])
def test_two_axes_are_one_matrix(shape):
    tensor = seeded(*shape)
    (matrix,) = matrix_stack(tensor, WHOLE)
    assert torch.equal(matrix, tall(tensor.squeeze()))
    assert matrix.data_ptr() == tensor.data_ptr()


@pytest.mark.parametrize("out_channels", [3, 5, 8])
def test_taps_come_in_row_major_order(out_channels):
    """Kernels in one, two and three dimensions; tap (i, j, k) is the slice [:, :, i, j, k]."""
    for taps in [(4,), (2, 3), (3, 1), (1, 3), (2, 3, 4), (2, 1, 2)]:
        kernel = seeded(out_channels, 5, *taps)
        stack = matrix_stack(kernel, Part(None, Kind.CONV2D))
        assert stack.shape == (np.prod(taps), max(out_channels, 5), min(out_channels, 5))
        for matrix, tap in zip(stack, np.ndindex(*taps), strict=True):
            assert torch.equal(matrix, tall(kernel[(slice(None), slice(None), *tap)]))


def test_groups_are_ranges_of_output_channels():
    kernel = seeded(12, 3, 2, 2)
    for i, part in enumerate(equal_parts(("a", "b", "c"), Kind.CONV2D, 12)):
        stack = matrix_stack(kernel, part)
        assert stack.shape == (4, 4, 3)
        assert torch.equal(stack[1], kernel[4 * i : 4 * i + 4, :, 0, 1])


def test_experts_are_slices_of_the_first_axis():
    experts = seeded(3, 4, 6)
    for i in range(3):
        whole = Part("e", Kind.LINEAR, (Cut(0, i, i + 1),), matrix_axes=(1, 2))
        half = Part("e", Kind.LINEAR, (Cut(0, i, i + 1), Cut(1, 2, 4)), matrix_axes=(1, 2))
        assert torch.equal(matrix_stack(experts, whole), experts[i].mT[None])
        assert torch.equal(matrix_stack(experts, half), experts[i, 2:4].mT[None])


def test_cut_along_the_second_axis():
    tensor = seeded(4, 9)
    assert torch.equal(matrix_stack(tensor, Part("k", Kind.LINEAR, (Cut(1, 3, 6),)))[0], tensor[:, 3:6])


def spectrum(name, tensor):
    (layout,) = lay_out(StateDict({name: tensor}).headers)
    (part,) = layout.parts
    return decompose(matrix_stack(tensor, part))


@pytest.mark.parametrize("shape", [(64, 24), (24, 64), (40, 40)])
def test_a_single_tap_has_the_spectrum_of_the_dense_matrix(shape):
    """The factor for kernels comes with the metrics; the stored spectra are raw, and so equal bit for bit."""
    dense = seeded(*shape)
    kernel = spectrum("conv.weight", dense[:, :, None, None])
    assert np.array_equal(kernel.evals, spectrum("fc.weight", dense).evals)


@pytest.mark.parametrize("side", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [(16, 8), (8, 16), (64, 128), (12, 12)])
def test_a_kernel_has_a_spectrum_for_every_tap(channels, side):
    """Also for even sides and fewer outputs than inputs, N is the longer side in every slice."""
    kernel = seeded(*channels, side, side)
    found = spectrum("conv.weight", kernel)
    n, m = max(channels), min(channels)
    assert (found.n_rows, found.n_cols) == (n, m)
    assert found.evals.shape == (side**2, m)
    for evals, (i, j) in zip(found.evals, np.ndindex(side, side), strict=True):
        exact = np.linalg.svd(kernel[:, :, i, j].double().numpy(), compute_uv=False)[::-1] ** 2
        np.testing.assert_allclose(evals, exact, rtol=0, atol=n * 2.0**-52 * exact[-1])


def tied_in(tensors):
    checkpoint = StateDict(tensors)
    return find_tied(checkpoint, lay_out(checkpoint.headers))


def test_equal_tensors_are_tied_to_the_first():
    embedding = seeded(50, 8)
    tensors = {"shared.weight": embedding, "encoder.embed_tokens.weight": embedding.clone(), "fc.weight": seeded(8, 8)}
    tensors["lm_head.weight"] = embedding
    assert tied_in(tensors) == {"encoder.embed_tokens.weight": "shared.weight", "lm_head.weight": "shared.weight"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_tied_in_every_number_format(dtype):
    assert tied_in({"a.weight": seeded(9, 5).to(dtype), "b.weight": seeded(9, 5).to(dtype)}) == {"b.weight": "a.weight"}


def test_a_single_other_entry_unties():
    for position in [0, 70, 449]:
        other = seeded(50, 9)
        other.view(-1)[position] += 1e-3
        assert tied_in({"a.weight": seeded(50, 9), "b.weight": other}) == {}


def test_equal_entries_in_another_shape_or_format_are_not_tied():
    weight = seeded(12, 6)
    others = {"b.weight": weight.view(6, 12), "c.weight": weight.double(), "d.weight": weight.view(12, 6, 1, 1)}
    assert tied_in({"a.weight": weight, **others}) == {}


@pytest.mark.parametrize("value", [0.0, 1.0, float("nan"), float("inf")])
def test_constant_twins_are_not_tied(value):
    assert tied_in({"a.weight": torch.full((9, 5), value), "b.weight": torch.full((9, 5), value)}) == {}


def test_zero_first_rows_do_not_hide_a_tie():
    """Embeddings with a padding index start with a row of zeros."""
    embedding = seeded(50, 80)
    embedding[0] = 0
    assert tied_in({"a.weight": embedding, "b.weight": embedding.clone()}) == {"b.weight": "a.weight"}


def test_vectors_and_integers_are_not_looked_at():
    assert (
        tied_in({"a.bias": seeded(9), "b.bias": seeded(9), "c": torch.ones(3, 3).long(), "d": torch.ones(3, 3)}) == {}
    )


@pytest.mark.parametrize("constant", [False, True])
def test_many_tensors_of_one_shape_are_compared_in_linear_time(constant):
    """Each with each would be half a million comparisons of 64 kB: minutes, not a second."""
    tensors = {
        f"layers.{i}.weight": torch.zeros(128, 128) if constant else seeded(128, 128, seed=i) for i in range(1000)
    }
    start = time.perf_counter()
    assert tied_in(tensors) == {}
    assert time.perf_counter() - start < 5
