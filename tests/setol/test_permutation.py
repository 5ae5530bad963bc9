"""Permuted weights: the same entries, another order, the law of independent entries."""

import numpy as np
import pytest
import torch

from setol import Reason, SetolError
from setol.weights.decomposition import decompose
from setol.weights.permutation import back_in_place, in_order, permutation_indices, permute_entries, permuted_spectra
from tests.setol.stacks import BAD_ENTRIES, DEVICES, NARROW, WRONG_STACKS, gaussian, heavy_tailed, spoiled


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("dtype", [torch.float64, *NARROW], ids=str)
@pytest.mark.parametrize("shape", [(1, 40, 30), (9, 12, 20), (1, 1, 7)], ids=str)
def test_the_entries_of_each_matrix_stay_in_it(shape, dtype):
    matrices = gaussian(shape, dtype=dtype)
    permuted = permute_entries(matrices, rng())
    assert (permuted.shape, permuted.dtype) == (matrices.shape, dtype)
    for matrix, other in zip(matrices.to(torch.float64), permuted.to(torch.float64), strict=True):
        assert torch.equal(matrix.flatten().sort().values, other.flatten().sort().values)
        assert not torch.equal(matrix, other)


def test_each_slice_has_an_order_of_its_own():
    orders = permutation_indices(torch.empty(3, 20, 10), rng())
    assert all(torch.equal(order.sort().values, torch.arange(200)) for order in orders)
    assert not torch.equal(orders[0], orders[1])


@pytest.mark.parametrize("dtype", [torch.float64, *NARROW], ids=str)
def test_an_order_can_be_undone(dtype):
    matrices = gaussian((3, 20, 10), dtype=dtype)
    orders = permutation_indices(matrices, rng(3))
    permuted = in_order(matrices, orders)
    assert torch.equal(permuted[1].flatten().double(), matrices[1].flatten()[orders[1]].double())
    assert torch.equal(back_in_place(permuted, orders).double(), matrices.double())


def test_every_order_is_as_likely_as_any_other():
    counts = np.zeros(6)
    draws, generator = 6000, rng(1)
    for order in permutation_indices(torch.empty(draws, 3, 1), generator).tolist():
        counts[order[0] * 2 + (order[1] > order[2])] += 1
    assert np.abs(counts - draws / 6).max() < 5 * np.sqrt(draws * 5 / 36)  # 5 binomial standard deviations


@pytest.mark.parametrize("device", DEVICES)
def test_a_seed_means_the_same_on_every_device_and_in_every_dtype(device):
    matrices = gaussian((2, 30, 20), seed=2)
    here = permute_entries(matrices, rng(5))
    assert torch.equal(here, permute_entries(matrices.to(device), rng(5)).cpu())
    assert torch.equal(here.to(torch.float32), permute_entries(matrices.to(device, torch.float32), rng(5)).cpu())
    assert not torch.equal(here, permute_entries(matrices, rng(6)))


def test_replicas_are_independent_and_reproducible():
    matrices = heavy_tailed((2, 40, 30), seed=3)
    spectra = permuted_spectra(matrices, 4, rng(7))
    assert spectra.shape == (4, 2, 30)
    assert np.array_equal(spectra, permuted_spectra(matrices, 4, rng(7)))
    assert len(np.unique(spectra[:, 0, -1])) == 4
    first = decompose(permute_entries(matrices, rng(7)))
    assert np.array_equal(spectra[0], first.evals)
    np.testing.assert_allclose(spectra.sum(2), np.tile(matrices.square().sum((1, 2)), (4, 1)), rtol=1e-12)


def test_correlated_weights_become_marchenko_pastur():
    """A power law of singular values, permuted, fills the bulk of its variance and nothing more (1/N scale)."""
    matrices = heavy_tailed((1, 600, 300), seed=4)
    variance, q = float(matrices.var()), 0.5
    own = decompose(matrices).evals[0] / (600 * variance)
    assert own[-1] > 3 * (1 + q**0.5) ** 2
    evals = permuted_spectra(matrices, 1, rng(8))[0, 0] / (600 * variance)
    # The mean of these entries is nil; Tracy-Widom scale .032, five deviations of 1.27 around -1.21 of it.
    assert abs(evals[-1] - (1 + q**0.5) ** 2) < 7.6 * 0.032
    assert abs((evals**2).mean() - (1 + q)) < 0.03
    assert abs(np.log(evals).mean() - ((1 - q) / q * np.log(1 / (1 - q)) - 1)) < 0.03


def test_scale_and_transposition():
    """Permuting commutes with a factor; a transposed matrix is a permutation already, so only the law stays."""
    matrices = gaussian((1, 300, 150), seed=5)
    plain = permuted_spectra(matrices, 2, rng(9))
    np.testing.assert_allclose(permuted_spectra(8.0 * matrices, 2, rng(9)), 64.0 * plain, rtol=1e-12)
    transposed = permuted_spectra(matrices.mT, 2, rng(9))
    assert transposed.shape == plain.shape
    # Rigid eigenvalues: bulk quantiles of two draws agree to a few parts of the width of the bulk over M.
    assert np.abs(transposed - plain).max() < 0.06 * plain.max()


def test_not_a_number_moves_with_the_others():
    matrices = spoiled((1, 10, 5), float("nan"))
    assert int(permute_entries(matrices, rng()).isnan().sum()) == 1


@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_entries_without_a_finite_square_are_a_reason(value):
    assert permuted_spectra(spoiled((2, 30, 20), value), 2, rng()) is Reason.NON_FINITE


@pytest.mark.parametrize("n_replicas", [0, -1])
def test_refuses_no_replicas(n_replicas):
    with pytest.raises(SetolError, match=f"at least 1 replica.*got {n_replicas}"):
        permuted_spectra(gaussian((1, 5, 4)), n_replicas, rng())


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack(stack, message):
    with pytest.raises(SetolError, match=message):
        permute_entries(stack, rng())
    with pytest.raises(SetolError, match=message):
        permuted_spectra(stack, 1, rng())
