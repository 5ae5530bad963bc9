"""Traps of a planted mean and of a planted huge entry: there, where theory puts them, and gone."""

import numpy as np
import pytest
import torch

from setol import Reason, SetolError
from setol.random_matrix.edge import noise_edge
from setol.weights.decomposition import decompose
from setol.weights.permutation import permutation_indices, permuted_spectra
from setol.weights.trap_removal import MeanRemoval, TrapRemoval, remove_mean, remove_traps
from tests.setol.stacks import BAD_ENTRIES, DEVICES, NARROW, WRONG_STACKS, gaussian, heavy_tailed, spoiled

N_ROWS, N_COLS = 600, 300
Q = N_ROWS / N_COLS
BULK_EDGE = N_ROWS * (1 + Q**-0.5) ** 2
"""Of unit variance, raw scale."""

EDGE = BULK_EDGE * 1.08
"""Above the bulk by five Tracy-Widom deviations (scale .011 of the edge here)."""


def rng(seed=0):
    return np.random.default_rng(seed)


def largest_permuted(matrices, seed):
    return permuted_spectra(matrices, 1, rng(seed))[0, :, -1]


@pytest.fixture(scope="module")
def with_mean():
    """Unit variance and a mean of three times the smallest that makes a trap, Q^(-1/4)/sqrt(M)."""
    mean = 3 * Q**-0.25 / N_COLS**0.5
    return gaussian((1, N_ROWS, N_COLS), seed=1) + mean, mean


@pytest.mark.parametrize("factor", [0.5, 1.5, 3.0])
def test_a_mean_makes_a_trap_from_the_critical_value_on(factor):
    """Its eigenvalue: N (1 + t^2)(q + t^2)/t^2 with t = m sqrt(M), for unit variance, raw scale."""
    theta = factor * Q**-0.25
    matrices = gaussian((1, N_ROWS, N_COLS), seed=2) + theta / N_COLS**0.5
    trap = largest_permuted(matrices, 3)[0]
    if factor < 1:
        assert trap < EDGE
    else:
        # One draw: the spike fluctuates by about 2/sqrt(N) of itself.
        assert trap == pytest.approx(N_ROWS * (1 + theta**2) * (1 / Q + theta**2) / theta**2, rel=0.1)
        assert trap > EDGE


def test_the_trap_of_a_mean_is_found_under_permutation_and_removed(with_mean):
    matrices, mean = with_mean
    assert largest_permuted(matrices, 4)[0] > 1.5 * EDGE
    removal = remove_traps(matrices, EDGE, rng(5))
    assert isinstance(removal, TrapRemoval)
    assert removal.n_removed.tolist() == [1]
    assert removal.removed_sq[0] == pytest.approx(largest_permuted(matrices, 5)[0], rel=1e-10)
    # Another permutation finds no trap in what is left, and the mean is (nearly) gone.
    assert largest_permuted(removal.matrices, 6)[0] < EDGE
    assert abs(float(removal.matrices.mean())) < 0.1 * mean


def test_subtracting_the_mean_removes_its_trap_as_well(with_mean):
    matrices, _ = with_mean
    removal = remove_mean(matrices)
    assert isinstance(removal, MeanRemoval)
    assert largest_permuted(removal.matrices, 7)[0] < EDGE
    assert removal.mean[0] == pytest.approx(float(matrices.mean()), rel=1e-12)
    assert removal.removed_sq[0] == pytest.approx(float((matrices - removal.matrices).square().sum()), rel=1e-12)


def test_a_huge_entry_makes_a_trap_that_has_no_mean():
    matrices = gaussian((1, N_ROWS, N_COLS), seed=8)
    matrices[0, 17, 4] = 80.0
    assert largest_permuted(matrices, 9)[0] == pytest.approx(80.0**2, rel=0.25)
    assert largest_permuted(remove_mean(matrices).matrices, 9)[0] > 1.5 * EDGE
    removal = remove_traps(matrices, EDGE, rng(10))
    assert removal.n_removed.tolist() == [1]
    assert largest_permuted(removal.matrices, 11)[0] < EDGE
    assert abs(float(removal.matrices[0, 17, 4])) < 20.0


def spiked(seed, sizes):
    """Gaussian entries of unit variance, and a few huge ones, each in a row and a column of its own."""
    matrices = gaussian((1, N_ROWS, N_COLS), seed=seed)
    for index, size in enumerate(sizes):
        matrices[0, 7 * index, 3 * index] = size
    return matrices


def variance(matrices):
    return matrices.var((1, 2), unbiased=False).numpy()


def beyond(removal, generator, per_variance):
    """Eigenvalues of each matrix left, permuted, beyond the edge of its squares about the mean, by direction left."""
    matrices = removal.matrices
    n_cols = min(matrices.shape[1:])
    edges = per_variance * variance(matrices) * n_cols / (n_cols - removal.n_removed)
    return (permuted_spectra(matrices, 1, generator)[0] > edges[:, None]).sum(1).tolist()


@pytest.mark.parametrize("mean", [0.0, 0.08])
@pytest.mark.parametrize("transposed", [False, True])
def test_huge_entries_that_hide_others_go_first_and_then_the_others(transposed, mean):
    """Those of 400 nearly treble the variance: beside them 45 and the mean are within the edge, and beyond it after."""
    matrices = spiked(8, [400.0, 400.0, 45.0, 45.0]) + mean
    matrices = matrices.mT if transposed else matrices
    per_variance = noise_edge(N_ROWS, N_COLS, 1.0).threshold() * N_ROWS
    one_round = remove_traps(matrices, per_variance * variance(matrices), rng(10))
    removal = remove_traps(matrices, 0.0, rng(10), edge_per_variance=per_variance)
    assert one_round.n_removed.tolist() == [2]
    assert removal.n_removed.tolist() == [5 if mean else 4]
    assert beyond(one_round, rng(10), per_variance) == [int(removal.n_removed[0]) - 2]
    assert beyond(removal, rng(10), per_variance) == [0]
    distance = (matrices - removal.matrices).square().sum()
    np.testing.assert_allclose(removal.removed_sq, float(distance), rtol=1e-10)


def test_every_matrix_of_a_stack_has_the_edge_of_its_own_variance():
    stack = torch.cat([spiked(8, [400.0, 45.0]), gaussian((1, N_ROWS, N_COLS), seed=9), 0.01 * spiked(8, [80.0])])
    per_variance = noise_edge(N_ROWS, N_COLS, 1.0).threshold(n_slices=3) * N_ROWS
    removal = remove_traps(stack, 0.0, rng(11), edge_per_variance=per_variance)
    assert removal.n_removed.tolist() == [2, 0, 1]
    assert torch.equal(removal.matrices[1], stack[1])
    assert beyond(removal, rng(11), per_variance) == [0, 0, 0]
    kept = remove_traps(stack, np.array([1e9, 0.0, 0.0]), rng(11), edge_per_variance=per_variance)
    assert kept.n_removed.tolist() == [0, 0, 1]  # up to `edges` all stay, whatever the variance


def test_one_huge_entry_does_not_empty_a_narrow_matrix():
    """Each component is a twentieth of the variance: spread over all directions it would fall with every one."""
    for seed in range(10):
        matrices = gaussian((1, 1000, 20), seed=seed)
        matrices[0, 0, 0] = 60.0
        per_variance = noise_edge(1000, 20, 1.0).threshold() * 1000
        assert remove_traps(matrices, 0.0, rng(seed), edge_per_variance=per_variance).n_removed[0] in (1, 2)


def test_a_constant_matrix_is_removed_whole():
    removal = remove_traps(torch.full((1, 30, 20), 0.5), 1e-9, rng(), edge_per_variance=100.0)
    assert removal.n_removed.tolist() == [1]
    assert float(removal.matrices.abs().max()) < 1e-7


def test_removal_is_that_of_a_dense_svd_of_the_permuted_matrix():
    matrices = gaussian((3, 30, 40), seed=12)
    edges = np.array([100.0, 80.0, 1e9])
    removal = remove_traps(matrices, edges, rng(13))
    orders = permutation_indices(matrices, rng(13))
    for index, (matrix, order) in enumerate(zip(matrices, orders, strict=True)):
        U, s, Vh = torch.linalg.svd(matrix.flatten()[order].view(30, 40), full_matrices=False)
        kept = s.square() <= edges[index]
        expected = torch.empty(1200, dtype=torch.float64)
        expected[order] = (U * (s * kept) @ Vh).flatten()
        torch.testing.assert_close(removal.matrices[index], expected.view(30, 40), rtol=0, atol=1e-12)
        assert removal.n_removed[index] == int((~kept).sum())
        np.testing.assert_allclose(removal.removed_sq[index], s[~kept].square().sum(), rtol=1e-12)
    assert removal.n_removed[0] > 0
    assert torch.equal(removal.matrices[2], matrices[2])  # nothing beyond the edge: not a bit moves


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float64, *NARROW], ids=str)
@pytest.mark.parametrize("shape", [(2, 40, 20), (1, 20, 50)], ids=str)
def test_shape_dtype_and_device_stay_and_a_seed_means_the_same(shape, dtype, device):
    matrices = heavy_tailed(shape, seed=14, dtype=dtype)
    before = matrices.clone()
    edge = float(decompose(matrices).evals.max()) / 8
    first = remove_traps(matrices, edge, rng(15))
    second = remove_traps(matrices.to(device), edge, rng(15))
    assert first.n_removed.sum() > 0
    assert (second.matrices.shape, second.matrices.dtype) == (matrices.shape, dtype)
    assert second.matrices.device.type == device
    tolerance = 2 * torch.finfo(dtype).eps
    torch.testing.assert_close(second.matrices.cpu().double(), first.matrices.double(), rtol=tolerance, atol=1e-13)
    centred = remove_mean(matrices.to(device)).matrices
    assert (centred.shape, centred.dtype, centred.device.type) == (matrices.shape, dtype, device)
    assert torch.equal(matrices.double(), before.double())


def test_scale_and_transposition(with_mean):
    matrices = with_mean[0]
    plain, scaled = remove_traps(matrices, EDGE, rng(16)), remove_traps(16 * matrices, 256 * EDGE, rng(16))
    torch.testing.assert_close(scaled.matrices, 16 * plain.matrices, rtol=0, atol=1e-11)
    transposed = remove_mean(matrices.mT).matrices.mT
    torch.testing.assert_close(transposed, remove_mean(matrices).matrices, rtol=0, atol=1e-15)


def test_constant_matrix_is_all_mean():
    removal = remove_mean(torch.full((2, 20, 10), 0.3, dtype=torch.float32))
    assert float(removal.matrices.abs().max()) < 1e-15
    np.testing.assert_allclose(removal.removed_sq, 200 * float(torch.tensor(0.3)) ** 2, rtol=1e-12)
    np.testing.assert_allclose(removal.removed_sq, decompose(torch.full((2, 20, 10), 0.3)).evals[:, -1], rtol=1e-12)


@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_entries_without_a_finite_square_are_a_reason(value):
    assert remove_traps(spoiled((2, 30, 20), value), 1.0, rng()) is Reason.NON_FINITE
    assert remove_mean(spoiled((2, 30, 20), value)) is Reason.NON_FINITE


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack(stack, message):
    with pytest.raises(SetolError, match=message):
        remove_traps(stack, 1.0, rng())
    with pytest.raises(SetolError, match=message):
        remove_mean(stack)


@pytest.mark.parametrize("edges", [-1.0, float("nan"), float("inf"), np.array([1.0, -2.0])])
def test_refuses_edges_that_are_none(edges):
    with pytest.raises(SetolError, match="need finite edges of at least 0"):
        remove_traps(gaussian((2, 5, 4)), edges, rng())


@pytest.mark.parametrize("edges", [np.ones(3), np.ones((2, 1)), np.ones(0)])
def test_refuses_edges_of_other_matrices(edges):
    with pytest.raises(SetolError, match=r"one edge, or one for each of the 2 matrices; got shape \("):
        remove_traps(gaussian((2, 5, 4)), edges, rng())


@pytest.mark.parametrize("edge", [-1.0, float("nan"), float("inf")])
def test_refuses_an_edge_of_unit_variance_that_is_none(edge):
    with pytest.raises(SetolError, match="need a finite edge_per_variance of at least 0"):
        remove_traps(gaussian((2, 5, 4)), 0.0, rng(), edge_per_variance=edge)
