"""Distances of checkpoints against their dense formulas."""

import numpy as np
import pytest
import torch

from setol import Reason, SetolError
from setol.weights import gram
from setol.weights.distance import FrobeniusDistance, centered_kernel_alignment, frobenius_distance
from tests.setol.stacks import BAD_ENTRIES, DEVICES, WRONG_STACKS, gaussian, spoiled

SHAPES = [(1, 50, 30), (1, 30, 50), (4, 20, 20), (9, 8, 3), (1, 1, 1)]


def dense_alignment(first, second):
    """Summed over the longer side, as the norms of dense products."""
    if first.shape[0] < first.shape[1]:
        first, second = first.T, second.T
    cross = np.linalg.norm(first.T @ second) ** 2
    return cross / (np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equal_to_the_dense_formulas(monkeypatch, shape, device):
    matrices, base = gaussian(shape, seed=1), gaussian(shape, seed=2)
    monkeypatch.setattr(gram, "CHUNK_BYTES", 7 * 8 * shape[0] * shape[2])  # 7 rows at a time
    distance = frobenius_distance(matrices.to(device), base)
    assert isinstance(distance, FrobeniusDistance)
    exact = np.linalg.norm((matrices - base).numpy(), axis=(1, 2))
    np.testing.assert_allclose(distance.absolute, exact, rtol=1e-13)
    np.testing.assert_allclose(distance.relative, exact / np.linalg.norm(base.numpy(), axis=(1, 2)), rtol=1e-13)
    alignment = centered_kernel_alignment(matrices.to(device), base)
    expected = [dense_alignment(one.numpy(), other.numpy()) for one, other in zip(matrices, base, strict=True)]
    np.testing.assert_allclose(alignment, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_checkpoint_is_at_no_distance_from_itself(shape):
    matrices = gaussian(shape, seed=3, dtype=torch.float32)
    distance = frobenius_distance(matrices, matrices)
    assert not distance.absolute.any()
    assert not distance.relative.any()
    np.testing.assert_allclose(centered_kernel_alignment(matrices, matrices), 1.0, rtol=1e-13)


def test_alignment_by_hand():
    """W_1 = diag(2, 1), W_2 = diag(1, 3): cross product diag(2, 3), (4 + 9)/sqrt((16 + 1)(1 + 81))."""
    first, second = torch.diag(torch.tensor([2.0, 1.0])), torch.diag(torch.tensor([1.0, 3.0]))
    assert centered_kernel_alignment(first[None], second[None])[0] == pytest.approx(13 / np.sqrt(17 * 82), rel=1e-14)
    outer = torch.zeros(1, 3, 2), torch.zeros(1, 3, 2)
    outer[0][0, 0, 0], outer[1][0, 1, 0] = 1.0, 1.0  # columns that have no row in common
    assert centered_kernel_alignment(*outer).tolist() == [0.0]


def test_alignment_of_random_matrices_falls_with_their_length():
    """E ||W_1^T W_2||_F^2 = N M^2 and ||W_i^T W_i||_F^2 -> N M^2 (1 + Q): 1/(1 + Q) for Gaussian matrices."""
    for aspect_ratio in (1, 4, 10):
        shape = (1, 100 * aspect_ratio, 100)
        alignment = centered_kernel_alignment(gaussian(shape, seed=4), gaussian(shape, seed=5))
        # Relative spread of each norm about 1/M; the finite-size term of the mean is 1/(N M).
        assert alignment[0] == pytest.approx(1 / (1 + aspect_ratio), rel=0.05)


def test_alignment_does_not_see_scale_nor_a_rotation_of_either():
    matrices, base = gaussian((1, 40, 25), seed=6), gaussian((1, 40, 25), seed=7)
    P, Q = torch.linalg.qr(gaussian((40, 40), seed=8)).Q, torch.linalg.qr(gaussian((25, 25), seed=9)).Q
    plain = centered_kernel_alignment(matrices, base)
    for first, second in [
        (1e-30 * matrices, 1e40 * base),
        (1e120 * matrices, base),
        (-matrices, base),
        (P @ matrices, P @ base),
        (matrices @ Q, base),
        (matrices, base @ Q),
        (matrices.mT, base.mT),
        (base, matrices),
    ]:
        np.testing.assert_allclose(centered_kernel_alignment(first, second), plain, rtol=1e-12)
    assert abs(centered_kernel_alignment(P @ matrices, base) - plain)[0] > 1e-3


def test_relative_distance_does_not_see_scale_and_the_triangle_holds():
    first, second, third = (gaussian((2, 30, 20), seed=seed) for seed in (10, 11, 12))
    plain = frobenius_distance(first, second)
    scaled = frobenius_distance(1e-5 * first, 1e-5 * second)
    np.testing.assert_allclose(scaled.absolute, 1e-5 * plain.absolute, rtol=1e-13)
    np.testing.assert_allclose(scaled.relative, plain.relative, rtol=1e-13)
    np.testing.assert_allclose(frobenius_distance(first.mT, second.mT).absolute, plain.absolute, rtol=1e-13)
    np.testing.assert_allclose(frobenius_distance(second, first).absolute, plain.absolute, rtol=1e-15)
    detour = frobenius_distance(first, third).absolute + frobenius_distance(third, second).absolute
    assert np.all(plain.absolute <= detour)


def test_small_steps_between_narrow_checkpoints_are_exact():
    """One unit in the last place of bfloat16, which a difference in bfloat16 of widened float32 keeps as well."""
    base = torch.full((1, 8, 4), 1.0, dtype=torch.bfloat16)
    matrices = base.clone()
    matrices[0, 0, 0] += 2.0**-7
    assert frobenius_distance(matrices, base).absolute.tolist() == [2.0**-7]
    assert frobenius_distance(matrices.to(torch.float64) + 1e-12, matrices).absolute[0] == pytest.approx(
        1e-12 * 32**0.5, rel=1e-3
    )


def test_zero_matrices_have_no_relative_distance_and_no_alignment():
    matrices, base = gaussian((2, 6, 5), seed=13), gaussian((2, 6, 5), seed=14)
    base[1] = 0.0
    distance, alignment = frobenius_distance(matrices, base), centered_kernel_alignment(matrices, base)
    assert distance.absolute[1] == pytest.approx(float(matrices[1].norm()), rel=1e-14)
    assert np.isnan(distance.relative).tolist() == np.isnan(alignment).tolist() == [False, True]


@pytest.mark.parametrize("function", [frobenius_distance, centered_kernel_alignment])
@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_entries_without_a_finite_square_are_a_reason(function, value):
    bad, good = spoiled((2, 30, 20), value), gaussian((2, 30, 20))
    assert function(bad, good) is Reason.NON_FINITE
    assert function(good, bad) is Reason.NON_FINITE


@pytest.mark.parametrize("function", [frobenius_distance, centered_kernel_alignment])
@pytest.mark.parametrize("shape", [(2, 5, 4), (1, 4, 5), (1, 5, 3), (3, 5, 4)])
def test_refuses_another_shape(function, shape):
    with pytest.raises(SetolError, match=r"two stacks of one shape; got \(1, 5, 4\) and base \("):
        function(gaussian((1, 5, 4)), gaussian(shape))


@pytest.mark.parametrize("function", [frobenius_distance, centered_kernel_alignment])
@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack(function, stack, message):
    with pytest.raises(SetolError, match=f"need matrices.*{message}"):
        function(stack, gaussian((2, 3, 4)))
    with pytest.raises(SetolError, match=f"need base.*{message}"):
        function(gaussian((2, 3, 4)), stack)
