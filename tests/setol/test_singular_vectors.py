"""Spread of singular vectors: closed forms for one entry and for equal ones, dense formulas for the rest."""

import numpy as np
import pytest
import torch

from setol import Reason, SetolError, fit_power_law
from setol.weights import gram
from setol.weights.decomposition import decompose
from setol.weights.singular_vectors import MeanSpread, SingularVectors, in_tail, mean_spread, singular_vectors
from tests.setol.stacks import BAD_ENTRIES, DEVICES, WRONG_STACKS, gaussian, heavy_tailed, spoiled

FIELDS = ("localization", "participation", "inverse_participation", "entropy")


def dense_spread(vectors):
    """The four formulas on the columns of an array, with numpy alone."""
    sizes = np.abs(vectors)
    shares = sizes**2 / (sizes**2).sum(axis=0)
    logs = np.log(shares, where=shares > 0, out=np.zeros_like(shares))
    return {
        "localization": sizes.sum(axis=0) / sizes.max(axis=0),
        "participation": np.sqrt((sizes**2).sum(axis=0)) / ((sizes**4).sum(axis=0)) ** 0.25,
        "inverse_participation": (shares**2).sum(axis=0),
        "entropy": -(shares * logs).sum(axis=0) / np.log(len(vectors)),
    }


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(1, 60, 40), (1, 40, 60), (3, 20, 20), (9, 30, 4)], ids=str)
def test_equal_to_the_formulas_on_the_vectors_of_an_svd(monkeypatch, shape, device):
    matrices = heavy_tailed(shape, seed=1)
    monkeypatch.setattr(gram, "ROWS", 1)
    monkeypatch.setattr(gram, "CHUNK_BYTES", 7 * 8 * shape[0] * min(shape[1:]))  # 7 rows at a time
    vectors = singular_vectors(matrices.to(device))
    assert isinstance(vectors, SingularVectors)
    tall = matrices if shape[1] >= shape[2] else matrices.mT
    U, s, Vh = np.linalg.svd(tall.numpy(), full_matrices=False)
    np.testing.assert_allclose(vectors.evals, s[:, ::-1] ** 2, rtol=1e-9)
    for index in range(shape[0]):
        for spread, exact in (
            (vectors.long, dense_spread(U[index][:, ::-1])),
            (vectors.short, dense_spread(Vh[index][::-1].T)),
        ):
            for name in FIELDS:  # vectors of the smallest singular values, condition 20, are good to 1e-11
                np.testing.assert_allclose(getattr(spread, name)[index], exact[name], rtol=1e-9)


def test_a_vector_on_one_entry():
    """A permuted diagonal: every singular vector is one entry of both sides."""
    matrices = torch.zeros(1, 6, 4, dtype=torch.float64)
    for column, row in enumerate([5, 0, 3, 2]):
        matrices[0, row, column] = column + 1.0
    vectors = singular_vectors(matrices)
    for spread in (vectors.long, vectors.short):
        np.testing.assert_allclose(spread.localization, 1.0, rtol=1e-13)
        np.testing.assert_allclose(spread.participation, 1.0, rtol=1e-13)
        np.testing.assert_allclose(spread.inverse_participation, 1.0, rtol=1e-13)
        np.testing.assert_allclose(spread.entropy, 0.0, atol=1e-13)


@pytest.mark.parametrize(("n_rows", "n_cols"), [(50, 20), (20, 50)])
def test_a_vector_spread_evenly(n_rows, n_cols):
    """A constant matrix: one singular value, both of whose vectors are constant; the others are not determined."""
    vectors = singular_vectors(torch.full((1, n_rows, n_cols), -0.7, dtype=torch.float32))
    for spread, n in ((vectors.long, 50), (vectors.short, 20)):
        np.testing.assert_allclose(spread.localization[0, -1], n, rtol=1e-12)
        np.testing.assert_allclose(spread.participation[0, -1], n**0.25, rtol=1e-12)
        np.testing.assert_allclose(spread.inverse_participation[0, -1], 1 / n, rtol=1e-12)
        np.testing.assert_allclose(spread.entropy[0, -1], 1.0, rtol=1e-12)
        for name in FIELDS:
            assert np.isnan(getattr(spread, name)[0, :-1]).all()
    assert np.count_nonzero(vectors.evals) == 1


@pytest.mark.parametrize("condition", [16.0, 1e6])
def test_signs_spread_evenly_count_as_even(condition):
    """A Hadamard matrix above rows of zeros: vectors of equal size on all 16 columns and on 16 of 32 rows.

    At condition 1e6 the Gram matrix leaves some 1e-5 of the smallest eigenvalue and of its vector in doubt; entropy
    and participation are stationary at even vectors, so only the square of that may show.
    """
    H = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(4):
        H = torch.cat((torch.cat((H, H), 1), torch.cat((H, -H), 1)))
    weights = torch.logspace(0, -np.log10(condition), 16, dtype=torch.float64)
    vectors = singular_vectors(torch.cat((H * weights @ H.T, torch.zeros(16, 16)))[None])
    for spread, entropy in ((vectors.long, np.log(16) / np.log(32)), (vectors.short, 1.0)):
        np.testing.assert_allclose(spread.localization, 16.0, rtol=1e-4)
        np.testing.assert_allclose(spread.entropy, entropy, rtol=1e-9)
        np.testing.assert_allclose(spread.participation, 2.0, rtol=1e-9)


def test_vectors_of_a_gaussian_matrix_are_random_directions():
    """Uniform on the sphere: mean sum of fourth powers 3/(n + 2), mean entropy psi(3/2), psi(n/2 + 1)."""
    from scipy.special import psi

    vectors = singular_vectors(gaussian((1, 800, 400), seed=2))
    for spread, n in ((vectors.long, 800), (vectors.short, 400)):
        # One vector deviates by sqrt(24/n)/n; 400 of them, five deviations.
        assert abs(spread.inverse_participation.mean() - 3 / (n + 2)) < 5 * np.sqrt(24 / n) / n / 20
        assert spread.entropy.mean() == pytest.approx((psi(n / 2 + 1) - psi(1.5)) / np.log(n), abs=2e-3)
        np.testing.assert_allclose(spread.participation, spread.inverse_participation**-0.25, rtol=1e-12)


def test_a_planted_localized_component_shows_in_the_tail():
    matrices = gaussian((1, 300, 150), seed=3)
    matrices[0, 11, :] += 8.0  # one neuron that answers to everything alike
    vectors = singular_vectors(matrices)
    edge = 300 * (1 + 0.5**0.5) ** 2 * 1.1
    tail = in_tail(vectors, edge)
    assert tail.sum() == 1
    on_neuron, bulk = mean_spread(vectors.long, tail), mean_spread(vectors.long, ~tail)
    assert on_neuron.inverse_participation > 0.8 > 10 * bulk.inverse_participation
    assert on_neuron.entropy < 0.2 < bulk.entropy
    assert mean_spread(vectors.short, tail).entropy > 0.97


def test_means_are_those_of_the_chosen_vectors_of_all_slices():
    vectors = singular_vectors(heavy_tailed((2, 40, 30), seed=4))
    chosen = np.zeros((2, 30), dtype=bool)
    chosen[0, -3:], chosen[1, 5] = True, True
    means = mean_spread(vectors.short, chosen)
    assert isinstance(means, MeanSpread)
    assert means.n == 4
    for name in FIELDS:
        values = getattr(vectors.short, name)
        expected = (values[0, -3] + values[0, -2] + values[0, -1] + values[1, 5]) / 4
        assert getattr(means, name) == pytest.approx(expected, rel=1e-14)


def test_the_tail_is_as_long_as_the_fit_counted():
    for seed in range(10):
        matrices = gaussian((1, 120, 80), seed=seed) ** 3
        fit = fit_power_law(decompose(matrices).evals[0])
        assert in_tail(singular_vectors(matrices), fit.lambda_min).sum() == fit.n_tail


def test_undetermined_vectors_never_count():
    vectors = singular_vectors(gaussian((1, 30, 4), seed=5) @ gaussian((1, 4, 20), seed=6))
    means = mean_spread(vectors.long, np.ones((1, 20), dtype=bool))
    assert means.n == 4
    assert np.isfinite(means.entropy)
    assert mean_spread(vectors.long, vectors.evals == 0) is Reason.TOO_FEW_EIGENVALUES
    zero = singular_vectors(torch.zeros(2, 5, 4))
    assert np.isnan(zero.long.entropy).all()
    assert np.isnan(zero.short.entropy).all()


@pytest.mark.parametrize("factor", [1e-60, 1e-3, 1e70])
def test_scale_sign_transposition_and_order_of_rows_do_not_matter(factor):
    matrices = heavy_tailed((1, 30, 20), seed=7)
    plain = singular_vectors(matrices)
    for other in (factor * matrices, -matrices, matrices.mT, matrices[:, torch.arange(29, -1, -1)]):
        same = singular_vectors(other)
        for side in ("long", "short"):
            for name in FIELDS:
                expected = getattr(getattr(plain, side), name)
                np.testing.assert_allclose(getattr(getattr(same, side), name), expected, rtol=1e-9)


def test_a_single_column_and_a_single_entry():
    vectors = singular_vectors(torch.tensor([[[3.0], [4.0]]]))
    assert vectors.long.localization[0, 0] == pytest.approx(7 / 4, rel=1e-14)
    assert vectors.long.inverse_participation[0, 0] == pytest.approx((81 + 256) / 625, rel=1e-14)
    assert vectors.short.entropy[0, 0] == 0.0
    assert singular_vectors(torch.tensor([[[2.0]]])).long.entropy.tolist() == [[0.0]]


@pytest.mark.parametrize("value", BAD_ENTRIES)
def test_entries_without_a_finite_square_are_a_reason(value):
    assert singular_vectors(spoiled((2, 30, 20), value)) is Reason.NON_FINITE


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack(stack, message):
    with pytest.raises(SetolError, match=message):
        singular_vectors(stack)


@pytest.mark.parametrize("lambda_min", [0.0, -1.0, float("nan"), float("inf")])
def test_refuses_a_threshold_that_is_none(lambda_min):
    with pytest.raises(SetolError, match=f"finite lambda_min above 0.*got {lambda_min}"):
        in_tail(singular_vectors(gaussian((1, 5, 4))), lambda_min)


def test_refuses_a_choice_of_other_vectors():
    vectors = singular_vectors(gaussian((2, 5, 4)))
    with pytest.raises(SetolError, match=r"choice of shape \(2, 4\).*got \(4,\)"):
        mean_spread(vectors.long, np.ones(4, dtype=bool))
