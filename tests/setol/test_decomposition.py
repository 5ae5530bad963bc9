"""Spectra against closed forms and against the singular values of numpy; entry statistics against scipy."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from setol import Reason, SetolError
from setol.weights import gram
from setol.weights.decomposition import Decomposition, decompose, decompose_each, resolution
from tests.setol.stacks import WRONG_STACKS

SHAPES = [
    (1, 1, 1),
    (1, 1, 40),
    (1, 50, 20),
    (1, 20, 50),
    (4, 33, 33),
    (9, 16, 3),
    (3, 40, 90),
    (1, 300, 255),
    (1, 300, 256),
    (2, 257, 600),
    (1, 1100, 515),
]


def gaussian(shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def assert_squared_singular_values(decomposition, matrices):
    """Against numpy's SVD of the same numbers in float64, which is exact to its own rounding.

    The tolerance is what the Gram matrix claims to resolve, max(N, M) 2^-52 lambda_max, and twice that
    for the eigenvalues it set to zero.
    """
    assert isinstance(decomposition, Decomposition)
    exact = np.linalg.svd(matrices.to(torch.float64).numpy(), compute_uv=False)[:, ::-1] ** 2
    n_rows, n_cols = matrices.shape[1:]
    assert (decomposition.n_rows, decomposition.n_cols) == (max(n_rows, n_cols), min(n_rows, n_cols))
    assert decomposition.evals.shape == exact.shape
    assert decomposition.evals.dtype == np.float64
    limit = max(n_rows, n_cols) * 2.0**-52 * exact[:, -1:]
    assert np.all(np.abs(decomposition.evals - exact) <= np.where(decomposition.evals > 0, limit, 2 * limit))
    assert np.all(np.diff(decomposition.evals, axis=1) >= 0)
    assert decomposition.rank.tolist() == np.count_nonzero(decomposition.evals, axis=1).tolist()
    np.testing.assert_allclose(decomposition.entries.frobenius_sq, exact.sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_svd(shape):
    matrices = gaussian(shape)
    assert_squared_singular_values(decompose(matrices), matrices)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn], ids=str)
@pytest.mark.parametrize("shape", [(2, 60, 40), (2, 40, 60), (1, 300, 260)], ids=str)
def test_narrow_floats_are_widened_before_anything_is_computed(shape, dtype):
    matrices = gaussian(shape, seed=1, dtype=dtype)
    assert_squared_singular_values(decompose(matrices), matrices)


@pytest.mark.parametrize("rows_at_once", [1, 7, 64, 299, 300])
@pytest.mark.parametrize("shape", [(1, 300, 270), (1, 270, 300), (3, 300, 20)], ids=str)
def test_row_chunks_add_up(monkeypatch, shape, rows_at_once):
    matrices = gaussian(shape, seed=2)
    whole = decompose(matrices)
    n_cols = min(shape[1:])
    monkeypatch.setattr(gram, "ROWS", 1)
    monkeypatch.setattr(gram, "CHUNK_BYTES", rows_at_once * 8 * shape[0] * n_cols)
    chunked = decompose(matrices)
    assert_squared_singular_values(chunked, matrices)
    limit = resolution(whole.evals[:, -1:], max(shape[1:]))
    assert np.all(np.abs(chunked.evals - whole.evals) <= limit)
    for name in ("mean", "variance", "kurtosis", "frobenius_sq"):
        np.testing.assert_allclose(getattr(chunked.entries, name), getattr(whole.entries, name), rtol=1e-12, atol=1e-15)
    assert chunked.entries.max_abs.tolist() == whole.entries.max_abs.tolist()
    assert chunked.entries.zero_fraction.tolist() == whole.entries.zero_fraction.tolist()


@pytest.mark.parametrize("rows_at_once", [1, 7, 1000])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("by_columns", [False, True])
def test_chunks_are_all_rows_in_order_contiguous_and_float64(monkeypatch, rows_at_once, dtype, by_columns):
    stack = gaussian((2, 5, 30), seed=3, dtype=dtype).mT
    stack = stack if by_columns else stack.contiguous()
    monkeypatch.setattr(gram, "ROWS", 1)
    monkeypatch.setattr(gram, "CHUNK_BYTES", rows_at_once * 8 * 2 * 5)
    chunks = [chunk.clone() for chunk in gram.float64_row_chunks(stack, "cpu")]
    assert len(chunks) == -(-30 // min(rows_at_once, 30))
    assert all((chunk.mT if by_columns else chunk).is_contiguous() for chunk in chunks)
    assert {chunk.dtype for chunk in chunks} == {torch.float64}
    assert torch.equal(torch.cat(chunks, dim=1), stack.to(torch.float64))


def test_parameters_are_decomposed_as_their_values():
    weight = torch.nn.Parameter(gaussian((600, 400), seed=3, dtype=torch.float32))
    found, expected = decompose(weight[None]), decompose(weight.detach()[None])
    assert np.array_equal(found.evals, expected.evals)
    assert found.entries.frobenius_sq == expected.entries.frobenius_sq


@pytest.mark.parametrize("cached_entries", [1, 64, 2**16])
@pytest.mark.parametrize("by_columns", [False, True])
def test_all_entries_of_a_chunk_are_visited_before_it_is_yielded(monkeypatch, cached_entries, by_columns):
    stack = gaussian((2, 5, 30), seed=3, dtype=torch.float32).mT
    stack = stack if by_columns else stack.contiguous()
    monkeypatch.setattr(gram, "CACHED_ENTRIES", cached_entries)
    monkeypatch.setattr(gram, "ROWS", 1)
    monkeypatch.setattr(gram, "CHUNK_BYTES", 7 * 8 * 2 * 5)
    visited: list[torch.Tensor] = []
    start = 0
    for chunk in gram.float64_row_chunks(stack, "cpu", lambda piece: visited.append(piece.clone())):
        seen = torch.cat([piece.mT if by_columns else piece for piece in visited], dim=2 if by_columns else 1)
        assert torch.equal(seen, stack[:, start : start + chunk.shape[1]].double())
        assert max(piece.numel() for piece in visited) <= max(cached_entries, 2 * 7)
        start += chunk.shape[1]
        visited.clear()
    assert start == 30


@pytest.mark.parametrize(("out", "into"), [(24, 10), (10, 24)])
def test_taps_of_a_kernel_are_taken_through_strides(out, into):
    kernel = gaussian((out, into, 3, 2), seed=4, dtype=torch.float32)
    taps = kernel.permute(2, 3, 0, 1).flatten(0, 1)
    strided = kernel.flatten(2).permute(2, 0, 1)
    assert not strided.is_contiguous()
    assert_squared_singular_values(decompose(strided), taps)
    every_other = gaussian((2, 60, 30), seed=5)[:, ::2, ::3]
    assert_squared_singular_values(decompose(every_other), every_other)


def test_slices_of_a_stack_do_not_mix():
    factors = torch.tensor([1e-6, 1.0, 1e6, 0.0, 1.0], dtype=torch.float64)
    matrices = gaussian((5, 40, 30), seed=6) * factors[:, None, None]
    stack = decompose(matrices)
    for index, matrix in enumerate(matrices):
        alone = decompose(matrix[None])
        np.testing.assert_allclose(stack.evals[index], alone.evals[0], rtol=0, atol=1e-14 * alone.evals[0, -1])
        assert stack.rank[index] == alone.rank[0]
    assert stack.rank.tolist() == [30, 30, 30, 0, 30]


@pytest.mark.parametrize(("shape", "rank"), [((400, 300), 100), ((300, 400), 100), ((500, 64), 1), ((90, 90), 89)])
def test_rank_deficient(shape, rank):
    matrices = (gaussian((shape[0], rank), seed=7) @ gaussian((rank, shape[1]), seed=8))[None]
    decomposition = decompose(matrices)
    assert decomposition.rank.tolist() == [rank]
    assert np.count_nonzero(decomposition.evals) == rank  # the rest are exact zeros, not rounding
    assert_squared_singular_values(decomposition, matrices)


def test_zero_matrix():
    decomposition = decompose(torch.zeros(2, 30, 20))
    assert not decomposition.evals.any()
    assert decomposition.rank.tolist() == [0, 0]
    entries = decomposition.entries
    assert entries.frobenius_sq.tolist() == entries.max_abs.tolist() == entries.variance.tolist() == [0.0, 0.0]
    assert entries.zero_fraction.tolist() == [1.0, 1.0]
    assert np.isnan(entries.kurtosis).all()


@pytest.mark.parametrize("shape", [(300, 100), (300, 300), (100, 300)])
def test_orthogonal_matrix_has_only_ones(shape):
    Q = torch.linalg.qr(gaussian((max(shape), min(shape)), seed=9)).Q
    decomposition = decompose((Q if shape[0] >= shape[1] else Q.T)[None])
    np.testing.assert_allclose(decomposition.evals, 1.0, rtol=1e-13)
    assert decomposition.rank.tolist() == [min(shape)]


def test_diagonal_matrix_gives_its_squares_in_order():
    decomposition = decompose(torch.diag(torch.tensor([3.0, 0.0, -4.0, 1.0]))[None])
    np.testing.assert_allclose(decomposition.evals[0], [0, 1, 9, 16], rtol=1e-14)
    assert decomposition.evals[0, 0] == 0.0
    assert decomposition.rank.tolist() == [3]


def test_gaussian_matrix_follows_marchenko_pastur():
    """N = 2M: edges (1 +- sqrt q)^2, free moments, and mean ln lambda of the law, q = 1/2, in the 1/N scale."""
    n_rows, n_cols, q = 2000, 1000, 0.5
    evals = decompose(gaussian((1, n_rows, n_cols), seed=10)).evals[0] / n_rows
    low, high = (1 - np.sqrt(q)) ** 2, (1 + np.sqrt(q)) ** 2
    # Tracy-Widom: the extremes sit -1.21 +- 1.27 scales inside or outside the edges; 5 deviations are 7.6.
    upper_scale = np.sqrt(q) * high ** (2 / 3) * n_cols ** (-2 / 3)
    lower_scale = np.sqrt(q) * low ** (2 / 3) * n_cols ** (-2 / 3)
    assert abs(evals[-1] - high + 1.21 * upper_scale) < 5 * 1.27 * upper_scale
    assert abs(evals[0] - low - 1.21 * lower_scale) < 5 * 1.27 * lower_scale
    # Relative standard deviations 1.5, 3.1, 5.0, 1.7 over sqrt(NM), from 2,000 draws at N = 200; times 5.
    unit = 5 / np.sqrt(n_rows * n_cols)
    assert evals.mean() == pytest.approx(1.0, rel=1.5 * unit)
    assert (evals**2).mean() == pytest.approx(1 + q, rel=3.1 * unit)
    assert (evals**3).mean() == pytest.approx(1 + 3 * q + q**2, rel=5.0 * unit)
    assert np.log(evals).mean() == pytest.approx((1 - q) / q * np.log(1 / (1 - q)) - 1, abs=1.7 * unit)

    def density(x):
        return np.sqrt((high - x) * (x - low)) / (2 * np.pi * q * x)

    for rank in (100, 500, 900):  # rigid eigenvalues: the counts below a point are right to a few of 1,000
        below = scipy.integrate.quad(density, low, evals[rank])[0]
        assert below == pytest.approx(rank / n_cols, abs=5e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e155, -1e200])
@pytest.mark.parametrize("place", [(0, 0, 0), (1, 25, 13), (2, 49, 19)])
def test_entries_without_a_finite_square_are_a_reason(value, place):
    matrices = gaussian((3, 50, 20), seed=11)
    matrices[place] = value
    assert decompose(matrices) is Reason.NON_FINITE


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_infinity_in_a_narrow_float_is_a_reason(dtype):
    matrices = gaussian((1, 30, 20), seed=12, dtype=dtype)
    matrices[0, 29, 19] = float("inf")
    assert decompose(matrices) is Reason.NON_FINITE


@pytest.mark.parametrize("scale", [1e-120, 1e-30, 1e38, 1e150])
def test_entries_far_from_1_keep_their_digits(scale):
    matrices = gaussian((1, 60, 40), seed=13) * scale
    assert_squared_singular_values(decompose(matrices), matrices)


def test_largest_float32_is_no_trouble():
    matrices = torch.full((1, 20, 10), torch.finfo(torch.float32).max)
    decomposition = decompose(matrices)
    assert decomposition.evals[0, -1] == pytest.approx(200 * torch.finfo(torch.float32).max ** 2, rel=1e-14)
    assert decomposition.rank.tolist() == [1]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(3, 200, 130), (1, 130, 1200)], ids=str)
def test_entry_statistics_agree_with_scipy(shape, dtype):
    matrices = (gaussian(shape, seed=14) ** 3 + 0.3).to(dtype)  # heavy-tailed, off centre
    matrices[:, ::5, ::3] = 0.0
    entries = decompose(matrices).entries
    exact = matrices.to(torch.float64).numpy().reshape(shape[0], -1)
    # Sums of 10^5 float64 numbers of both signs: 1e-11 leaves room for the order of summation.
    np.testing.assert_allclose(entries.mean, exact.mean(axis=1), rtol=1e-11)
    np.testing.assert_allclose(entries.variance, exact.var(axis=1), rtol=1e-11)
    np.testing.assert_allclose(entries.kurtosis, scipy.stats.kurtosis(exact, axis=1, fisher=False), rtol=1e-11)
    np.testing.assert_allclose(entries.frobenius_sq, (exact**2).sum(axis=1), rtol=1e-12)
    assert entries.max_abs.tolist() == np.abs(exact).max(axis=1).tolist()
    np.testing.assert_allclose(entries.zero_fraction, (exact == 0).mean(axis=1), rtol=0, atol=1e-15)
    assert entries.zero_fraction.min() > 0.05


def test_kurtosis_of_signs_is_1_and_of_gaussians_3():
    assert decompose(torch.sign(gaussian((1, 400, 100), seed=15))).entries.kurtosis == pytest.approx(1.0, abs=1e-3)
    # Standard error sqrt(24/n) of a Gaussian sample of n = 40,000.
    kurtosis = decompose(gaussian((1, 400, 100), seed=16)).entries.kurtosis
    assert abs(kurtosis - 3.0) < 5 * np.sqrt(24 / 40_000)


@pytest.mark.parametrize("value", [0.1, 0.3, 1 / 3, 7.1])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_equal_entries_have_no_kurtosis(value, dtype):
    decomposition = decompose(torch.full((1, 300, 257), value, dtype=dtype))
    assert np.isnan(decomposition.entries.kurtosis).all()
    assert decomposition.rank.tolist() == [1]


@pytest.mark.parametrize(("offset", "tolerance"), [(10, 1e-10), (100, 1e-6), (900, 1e-2)])
def test_kurtosis_beside_a_large_mean(offset, tolerance):
    """Power sums lose (mean/spread)^4 2^-52 and a little more; below a thousandth they say so."""
    matrices = gaussian((1, 500, 100), seed=17) + offset
    exact = scipy.stats.kurtosis(matrices.numpy().ravel(), fisher=False)
    assert decompose(matrices).entries.kurtosis == pytest.approx(exact, abs=tolerance)
    assert np.isnan(decompose(matrices + 2000).entries.kurtosis).all()


def test_input_is_left_as_it_was():
    matrices = gaussian((2, 40, 30), seed=18)
    before = matrices.clone()
    decompose(matrices)
    assert torch.equal(matrices, before)


def test_device_is_taken_as_name_or_object():
    matrices = gaussian((1, 40, 30), seed=19)
    by_name, by_object = decompose(matrices, device="cpu"), decompose(matrices, device=torch.device("cpu"))
    assert np.array_equal(by_name.evals, by_object.evals)


@pytest.mark.parametrize(("stack", "message"), WRONG_STACKS)
def test_refuses_what_is_no_stack_of_real_matrices(stack, message):
    with pytest.raises(SetolError, match=f"need matrices.*{message}"):
        decompose(stack)


def test_a_part_has_the_matrices_asked_for():
    matrices = gaussian((5, 40, 30), seed=20)
    part = decompose(matrices).part(slice(1, 3))
    alone = decompose(matrices[1:3])
    np.testing.assert_allclose(part.evals, alone.evals, rtol=1e-12)
    assert part.rank.tolist() == [30, 30]
    assert (part.n_rows, part.n_cols) == (40, 30)
    for name in ("frobenius_sq", "mean", "variance", "kurtosis", "max_abs", "zero_fraction"):
        np.testing.assert_allclose(getattr(part.entries, name), getattr(alone.entries, name), rtol=1e-12)


def small_stacks() -> list[torch.Tensor]:
    """Kernels, matrices standing and lying, of several number formats, some of a shape, one not finite."""
    shapes = [(16, 16, 3, 3), (16, 8, 3, 3), (40, 40, 1, 1), (16, 16, 3, 3), (64, 10, 1, 1), (10, 64, 1, 1)]
    kernels = [gaussian(shape, seed, torch.float32) for seed, shape in enumerate(6 * shapes)]
    kernels += [gaussian((180, 181, 1, 1), seed, dtype) for seed in (1, 2) for dtype in (torch.float32, torch.bfloat16)]
    kernels += [gaussian((16, 16, 3, 3), 7, torch.bfloat16), torch.full((16, 8, 3, 3), torch.nan)]
    stacks = [kernel.movedim((0, 1), (-2, -1)).flatten(0, 1) for kernel in kernels]
    return [*stacks, *(stack.mT for stack in stacks[:12]), *(stack.contiguous() for stack in stacks[:12])]


def test_several_at_once_have_the_bits_of_each_alone():
    stacks = small_stacks()
    together, alone = decompose_each(stacks), [decompose(stack) for stack in stacks]
    assert sum(found is Reason.NON_FINITE for found in together) == 1
    for found, expected in zip(together, alone, strict=True):
        if isinstance(expected, Reason):
            assert found is expected
            continue
        assert (found.n_rows, found.n_cols) == (expected.n_rows, expected.n_cols)
        np.testing.assert_array_equal(found.evals, expected.evals)
        np.testing.assert_array_equal(found.rank, expected.rank)
        for name in ("frobenius_sq", "mean", "variance", "kurtosis", "max_abs", "zero_fraction"):
            np.testing.assert_array_equal(getattr(found.entries, name), getattr(expected.entries, name))
