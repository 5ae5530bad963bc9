"""Spectrum and entries of a product of two factors: those of the product itself."""

import numpy as np
import pytest
import torch

from setol import Reason, SetolError
from setol.weights.decomposition import decompose
from setol.weights.low_rank import decompose_update
from tests.setol.stacks import gaussian


@pytest.mark.parametrize("shape", [(1, 60, 40, 4), (1, 40, 60, 4), (3, 12, 5000, 3), (2, 5, 4, 30)], ids=str)
def test_equals_the_decomposition_of_the_product(shape):
    n_slices, n_rows, n_cols, rank = shape
    left, right = gaussian((n_slices, n_rows, rank), seed=1), gaussian((n_slices, rank, n_cols), seed=2) + 0.5
    found, whole = decompose_update(left, right, scale=0.25), decompose((left @ right).mul(0.25))
    assert not isinstance(found, Reason)
    assert not isinstance(whole, Reason)
    assert (found.n_rows, found.n_cols) == (max(n_rows, n_cols), min(n_rows, n_cols))
    np.testing.assert_allclose(found.evals, whole.evals, rtol=0, atol=1e-12 * whole.evals.max())
    np.testing.assert_array_equal(found.rank, min(rank, n_rows, n_cols))
    for name in ("frobenius_sq", "mean", "variance", "kurtosis", "max_abs"):
        np.testing.assert_allclose(getattr(found.entries, name), getattr(whole.entries, name), rtol=1e-10, err_msg=name)


def test_an_adapter_before_its_first_step_is_zero():
    found = decompose_update(torch.zeros(1, 9, 2), torch.ones(1, 2, 7))
    assert not isinstance(found, Reason)
    assert not found.evals.any()
    assert found.entries.zero_fraction.tolist() == [1.0]


def test_bad_factors():
    assert decompose_update(torch.full((1, 3, 1), torch.inf), torch.ones(1, 1, 3)) is Reason.NON_FINITE
    with pytest.raises(SetolError, match=r"need factors B \(slices, N, r\) and A"):
        decompose_update(torch.ones(1, 3, 2), torch.ones(1, 3, 2))
