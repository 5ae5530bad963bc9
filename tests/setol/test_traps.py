"""Correlation traps: the closed form of the mean against matrices that are permuted here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setol import Reason, SetolError
from setol.random_matrix.edge import noise_edge
from setol.random_matrix.traps import count_traps, mean_trap, mean_trap_strengths


def evals_of(W):
    return np.maximum(np.linalg.eigvalsh(W.T @ W), 0)


def permuted(rng, W):
    return rng.permutation(W.ravel()).reshape(W.shape)


def traps_of(W):
    return count_traps(evals_of(W)[None], np.array([W.var()]), len(W))


def test_values_by_hand():
    """784 x 300: the critical mean is Q^(-1/4)/sqrt(M) = 0.0454 standard deviations."""
    critical = (784 / 300) ** -0.25 / np.sqrt(300)
    assert critical == pytest.approx(0.0454, abs=5e-5)
    below, above = mean_trap(critical * 0.999, 1.0, 784, 300), mean_trap(-critical * 1.001, 1.0, 784, 300)
    assert (below.lambda_trap, below.trap_theta) == (None, pytest.approx(0.999))
    assert above.trap_theta == pytest.approx(1.001)
    assert above.lambda_trap / 784 == pytest.approx((1 + np.sqrt(300 / 784)) ** 2, rel=1e-5)
    for mean, expected in ((0.08, 3.502), (0.12, 5.791)):
        trap = mean_trap(mean, 1.0, 784, 300)
        assert trap.theta == pytest.approx(mean * np.sqrt(300))
        assert trap.lambda_trap / 784 == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("mean", "s"), [(0.3, 0.5), (0.5, 0.3), (-7.0, 60.0)])
def test_lambda_trap_is_the_formula_in_raw_scale(mean, s):
    theta, q = abs(mean) * np.sqrt(100) / s, 0.25
    expected = 400 * s**2 * (1 + theta**2) * (q + theta**2) / theta**2
    assert mean_trap(mean, s, 400, 100).lambda_trap == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("ratio", [0.5, 1.3, 2.0, 4.0])
def test_the_mean_alone_makes_a_trap_that_a_permutation_leaves(ratio):
    rng = np.random.default_rng(51)
    n_rows, n_cols, s = 900, 400, 0.03
    mean = ratio * s * (n_rows / n_cols) ** -0.25 / np.sqrt(n_cols)
    W = s * rng.standard_normal((n_rows, n_cols)) + mean
    trap = mean_trap(W.mean(), W.std(), n_rows, n_cols)
    assert trap.trap_theta == pytest.approx(ratio, rel=0.1)
    for matrix in (W, permuted(rng, W)):
        found = traps_of(matrix)
        if ratio < 1:
            assert (found.n_traps, trap.lambda_trap) == (0, None)
        else:
            assert evals_of(matrix)[-1] == pytest.approx(trap.lambda_trap, rel=0.05)
        if ratio >= 2:
            assert found.n_traps == 1
            assert found.largest_excess > 10
    assert traps_of(W - W.mean()).n_traps == 0


def test_the_second_largest_stays_in_the_bulk():
    rng = np.random.default_rng(52)
    W = rng.standard_normal((600, 300)) + 0.5
    edge = noise_edge(600, 300, W.var())
    assert evals_of(permuted(rng, W))[-2] / 600 < edge.threshold()


def test_a_huge_entry_is_a_trap_too():
    """The other cause: an entry w adds about w^2 to the spectrum wherever it is put."""
    rng = np.random.default_rng(53)
    W = rng.standard_normal((300, 150))
    W[7, 7] = 60.0
    found = traps_of(permuted(rng, W))
    assert found.n_traps == 1
    assert mean_trap(W.mean(), W.std(), 300, 150).lambda_trap is None
    assert evals_of(W)[-1] == pytest.approx(3600, rel=0.15)


def test_correlations_do_not_survive_a_permutation():
    rng = np.random.default_rng(54)
    W = rng.standard_normal((400, 200)) + 0.5 * np.outer(rng.standard_normal(400), rng.standard_normal(200))
    assert traps_of(W).n_traps == 1
    assert traps_of(permuted(rng, W)).n_traps == 0


def test_false_traps_are_rare():
    rng = np.random.default_rng(55)
    found = [traps_of(rng.standard_normal((100, 50))).n_traps for _ in range(400)]
    assert np.mean(found) < 0.04


def test_strengths_of_many_have_the_bits_of_each():
    rng = np.random.default_rng(3)
    shapes = [(9, 64, 16), (1, 784, 300), (9, 16, 3), (1, 5, 5)]
    means, sds = rng.normal(size=20), rng.uniform(0, 3, size=20)
    each = [shape[1:] for shape in shapes for _ in range(shape[0])]
    alone = [mean_trap(mean, sd, *shape).trap_theta for mean, sd, shape in zip(means, sds, each, strict=True)]
    assert mean_trap_strengths(means, sds, shapes).tolist() == alone


def test_slices_are_measured_by_their_own_variance():
    """A slice ten times larger in its entries is no trap; a mean in one slice is one."""
    rng = np.random.default_rng(56)
    slices = rng.standard_normal((4, 120, 60)) * np.array([1, 10, 0.1, 1])[:, None, None]
    slices[3] += 1.0
    evals = np.stack([evals_of(W) for W in slices])
    found = count_traps(evals, slices.var(axis=(1, 2)), 120)
    assert list(found.per_slice) == [0, 0, 0, 1]
    assert found.n_traps == 1
    edge = noise_edge(120, 60, slices[3].var())
    assert found.largest_excess == pytest.approx((evals[3, -1] / 120 - edge.centre) / edge.scale)


def test_slices_share_the_level():
    edge = noise_edge(120, 60, 1.0)
    between = (edge.threshold() + edge.threshold(n_slices=4)) / 2
    evals = np.ones((4, 60))
    evals[2, -1] = between * 120
    assert count_traps(evals, np.ones(4), 120).n_traps == 0
    assert count_traps(evals[2:3], np.ones(1), 120).n_traps == 1


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.floats(-1, 1), st.floats(0, 1), st.floats(-100, 100))
def test_units_do_not_matter(mean, sd, exponent):
    one, other = mean_trap(mean, sd, 50, 20), mean_trap(mean * 10.0**exponent, sd * 10.0**exponent, 50, 20)
    if isinstance(one, Reason):
        assert other is one
        return
    if not max(abs(mean), sd) > 1e-200 or 0 < min(abs(mean), sd) < 1e-200:
        return  # products with the factor would be denormal
    assert (other.theta, other.trap_theta) == pytest.approx((one.theta, one.trap_theta))
    assert (one.lambda_trap is None) == (other.lambda_trap is None) or one.trap_theta == pytest.approx(1)
    if one.lambda_trap and other.lambda_trap:
        assert other.lambda_trap == pytest.approx(one.lambda_trap * 10.0 ** (2 * exponent))


def test_entries_at_the_ends_of_float64():
    assert mean_trap(0.0, 1.0, 5, 4).theta == 0
    constant = mean_trap(2.0, 0.0, 5, 4)
    assert (constant.theta, constant.trap_theta) == (np.inf, np.inf)
    assert constant.lambda_trap == pytest.approx(2.0**2 * 20)  # the one eigenvalue of a constant matrix
    assert mean_trap(0.0, 0.0, 5, 4) is Reason.ZERO_MATRIX
    assert mean_trap(5e-324, 1e-300, 5, 4).lambda_trap is None
    assert mean_trap(1e-300, 5e-324, 5, 4).trap_theta > 1
    assert mean_trap(1.0, 1e300, 5, 4).lambda_trap is None
    with pytest.raises(SetolError, match="need entries whose squares fit float64"):
        mean_trap(1e300, 1.0, 5, 4)
    scaled = count_traps(np.array([[1e-310, 4e-310]]), np.array([1e-311]), 10)
    assert scaled.largest_excess == pytest.approx(
        count_traps(np.array([[1.0, 4.0]]), np.array([0.1]), 10).largest_excess, rel=1e-9
    )
    assert count_traps(np.array([[1e300, 4e300]]), np.array([1e299]), 10).n_traps == 1


def test_constant_slices():
    found = count_traps(np.array([[0.0, 20.0], [0.0, 0.0]]), np.zeros(2), 5)
    assert (list(found.per_slice), found.largest_excess) == ([1, 0], np.inf)


@pytest.mark.parametrize(
    ("mean", "sd", "n_rows", "n_cols", "message"),
    [
        (np.nan, 1.0, 5, 4, "need a finite mean"),
        (np.inf, 1.0, 5, 4, "need a finite mean"),
        (0.0, -1.0, 5, 4, "standard deviation of at least 0"),
        (0.0, np.nan, 5, 4, "standard deviation of at least 0"),
        (0.0, np.inf, 5, 4, "standard deviation of at least 0"),
        (0.0, 1.0, 4, 5, "need 1 <= M <= N"),
        (0.0, 1.0, 0, 0, "need 1 <= M <= N"),
    ],
)
def test_mean_trap_refuses(mean, sd, n_rows, n_cols, message):
    with pytest.raises(SetolError, match=message):
        mean_trap(mean, sd, n_rows, n_cols)


@pytest.mark.parametrize(
    ("evals", "variance", "options", "message"),
    [
        ([1.0, 2.0], [1.0], {}, "need eigenvalues of shape"),
        ([[1.0, 2.0]], [1.0, 1.0], {}, "need eigenvalues of shape"),
        ([[]], [1.0], {}, "need at least one eigenvalue"),
        ([[1.0, -2.0]], [1.0], {}, "need finite eigenvalues of at least 0"),
        ([[1.0, np.nan]], [1.0], {}, "need finite eigenvalues of at least 0"),
        ([[1.0, np.inf]], [1.0], {}, "need finite eigenvalues of at least 0"),
        ([[1.0, 2.0]], [-1.0], {}, "need finite variances of at least 0"),
        ([[1.0, 2.0]], [np.nan], {}, "need finite variances of at least 0"),
        ([[1.0] * 6], [1.0], {}, "need 1 <= M <= N"),
        ([[1.0, 2.0]], [1.0], {"level": 1.0}, r"need a level inside \(0, 1\)"),
        ([[1.0, 2.0]], [1.0], {"level": 0.0}, r"need a level inside \(0, 1\)"),
    ],
)
def test_count_traps_refuses(evals, variance, options, message):
    with pytest.raises(SetolError, match=message):
        count_traps(np.array(evals), np.array(variance), 5, **options)
