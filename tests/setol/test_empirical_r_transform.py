"""R of the eigenvalues themselves: by hand, by 40 digits, against the laws, and what it is the exponent of."""

import mpmath
import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st

from setol.errors import SetolError
from setol.r_transforms import empirical
from setol.r_transforms.empirical import EmpiricalRTransform
from setol.r_transforms.inverse_marchenko_pastur import InverseMarchenkoPasturRTransform
from setol.r_transforms.marchenko_pastur import MarchenkoPasturRTransform

KINDS = ("pareto", "lognormal", "marchenko_pastur", "uniform", "mixture", "two_point", "powers_of_two")
SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


def r_by_mpmath(evals, z):
    """R(z) and its integral from 0 with 40 digits: bisection between the bounds of x, then quadrature-free."""
    with mpmath.workdps(40):
        exact = [mpmath.mpf(float(value)) for value in evals]
        z = mpmath.mpf(z)
        low, high = max(exact), max(exact) + 1 / z  # C(high) <= z <= C(low)
        for _ in range(140):
            middle = (low + high) / 2
            if mpmath.fsum(1 / (middle - value) for value in exact) / len(exact) > z:
                low = middle
            else:
                high = middle
        x = (low + high) / 2
        logs = mpmath.fsum(mpmath.log(x - value) for value in exact) / len(exact)
        return float(x - 1 / z), float(z * x - 1 - mpmath.log(z) - logs)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_40_digits(draw_spectrum, kind):
    evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), 21]), 40)
    model, largest = EmpiricalRTransform(evals), evals.max()
    for relative in (1e-9, 1e-4, 0.1, 1.0, 7.0, 100.0, 1e5):
        z = relative / largest
        value, integral = r_by_mpmath(evals, z)
        assert float(model.value(z).real) == pytest.approx(value, rel=1e-13)
        assert float(model.value(z).imag) == 0.0
        assert float(model.integral(0.0, z)) == pytest.approx(integral, rel=1e-12)


def test_two_eigenvalues_by_hand():
    # C(x) = x/(x^2 - 1) - 1 shifted by 1: R = 1 + (sqrt(1 + 4 z^2) - 1)/(2z) for eigenvalues 0 and 2.
    z = np.array([0.1, 1.0, 20.0])
    expected = 1 + (np.sqrt(1 + 4 * z**2) - 1) / (2 * z)
    np.testing.assert_allclose(EmpiricalRTransform(np.array([0.0, 2.0])).value(z).real, expected, rtol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 300, 3000])
def test_stieltjes_transform_of_r_plus_1_over_z_is_z(draw_spectrum, kind, n):
    evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), n]), n)
    z = np.geomspace(1e-3, 3.0, 30) / evals.max()  # where x is apart from the largest, so that x - lambda has digits
    x = EmpiricalRTransform(evals).value(z).real + 1 / z
    np.testing.assert_allclose((1 / (x[:, None] - evals)).mean(axis=1), z, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_mean_variance_and_limit(draw_spectrum, kind):
    evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), 5]), 500)
    model, largest = EmpiricalRTransform(evals), evals.max()
    assert float(model.value(0.0).real) == pytest.approx(evals.mean(), rel=1e-13)
    step = 1e-5 * evals.mean() / largest**2  # the next term, of the third cumulant, is 1e-5 of the slope then
    slope = (float(model.value(step).real) - evals.mean()) / step
    assert slope == pytest.approx(evals.var(), rel=1e-4, abs=1e-9 * evals.mean() / step)
    rising = model.value(np.geomspace(1e-6, 1e9, 300) / largest).real
    assert np.all(np.diff(rising) >= -1e-15 * largest)
    assert rising[-1] == pytest.approx(largest, rel=1e-8)
    assert rising[-1] <= largest


@pytest.mark.parametrize("kind", KINDS)
def test_integral_is_the_quadrature_of_r(draw_spectrum, kind):
    evals = draw_spectrum(kind, np.random.default_rng([KINDS.index(kind), 9]), 60)
    model, unit = EmpiricalRTransform(evals), 1 / evals.mean()
    for lower, upper in [(0.0, 0.7), (0.3, 5.0), (4.0, 0.1)]:
        expected, _ = scipy.integrate.quad(
            lambda z: float(model.value(z).real), lower * unit, upper * unit, epsabs=0, epsrel=1e-11, limit=200
        )
        assert float(model.integral(lower * unit, upper * unit)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("aspect_ratio", [1.0, 2.0, 10.0])
@pytest.mark.parametrize("n", [8192, 20_000])
def test_marchenko_pastur_quantiles(marchenko_pastur_quantiles, aspect_ratio, n):
    """Below C at the upper edge, 1/(sqrt(q) (1 + sqrt(q))), it is the R of the law; beyond, edge - 1/z."""
    root_q = 1 / np.sqrt(aspect_ratio)
    edge = 1 / (root_q * (1 + root_q))
    model, law = (
        EmpiricalRTransform(marchenko_pastur_quantiles(n, aspect_ratio)),
        MarchenkoPasturRTransform(aspect_ratio),
    )
    z = np.linspace(0.01, 0.8, 40) * edge
    np.testing.assert_allclose(model.value(z).real, law.value(z).real, rtol=2e-4)
    np.testing.assert_allclose(model.integral(0.0, z), law.integral(0.0, z), rtol=1e-4)
    z = np.array([1.5, 3.0, 20.0]) * edge
    # The largest quantile lies of order n^(-2/3) below the edge, and R has that limit instead.
    np.testing.assert_allclose(model.value(z).real, (1 + root_q) ** 2 - 1 / z, atol=5 * n ** (-2 / 3))


def test_inverse_marchenko_pastur_quantiles(marchenko_pastur_quantiles):
    evals = 0.75 / marchenko_pastur_quantiles(20_000, 4.0)
    z = np.linspace(0.01, 0.35, 30)  # C at the upper edge, 3, is near 0.44
    law = InverseMarchenkoPasturRTransform(1.5)
    np.testing.assert_allclose(EmpiricalRTransform(evals).value(z).real, law.value(z).real, rtol=2e-4)


@SETTINGS
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(1e-6, 1e6), st.floats(0.0, 10.0))
def test_scale_shift_and_order(seed, n, factor, shift):
    rng = np.random.default_rng(seed)
    evals = rng.lognormal(sigma=rng.uniform(0.01, 2.5), size=n)
    z = np.geomspace(1e-3, 1e3, 7) / evals.max()
    value, integral = EmpiricalRTransform(evals).value(z).real, EmpiricalRTransform(evals).integral(0.0, z)
    scaled = EmpiricalRTransform(rng.permutation(evals) * factor)
    np.testing.assert_allclose(scaled.value(z / factor).real, factor * value, rtol=1e-12)
    np.testing.assert_allclose(scaled.integral(0.0, z / factor), integral, rtol=1e-12)
    moved = EmpiricalRTransform(evals + shift)
    np.testing.assert_allclose(moved.value(z).real, value + shift, rtol=1e-12)
    np.testing.assert_allclose(moved.integral(0.0, z), integral + shift * z, rtol=1e-12)


def test_adds_up_for_free_matrices():
    """R of A + U B U^T, U a random rotation, is the sum of both up to terms of order 1/n.

    Up to C at the upper edge of the sum, here near 1: beyond, every R rises to the largest eigenvalue, and
    largest eigenvalues do not add up.
    """
    rng, n = np.random.default_rng(8), 600
    first, second = rng.uniform(0.0, 2.0, n), rng.uniform(0.0, 3.0, n)
    U, _ = np.linalg.qr(rng.standard_normal((n, n)))
    total = np.linalg.eigvalsh(np.diag(first) + (U * second) @ U.T)
    z = np.linspace(0.01, 0.5, 10)
    both = EmpiricalRTransform(first).value(z).real + EmpiricalRTransform(second).value(z).real
    # Fluctuations of linear statistics of the sum are of order 1/n.
    np.testing.assert_allclose(EmpiricalRTransform(total).value(z).real, both, rtol=3 / n)


def test_half_the_integral_is_the_exponent_of_the_rank_1_spherical_integral():
    """(1/n) ln E exp((n theta/2) u^T A u), u uniform on the sphere, by Monte Carlo at n = 30.

    To second order in theta it is theta mean/2 + theta^2 variance/4 n/(n+2), half the integral of R but for
    the last factor, so that the difference is below 2 % where the second term is small.
    """
    rng, n = np.random.default_rng(30), 30
    evals = rng.uniform(0.5, 2.0, n)
    model = EmpiricalRTransform(evals)
    squares = rng.standard_normal((200_000, n)) ** 2
    forms = (squares @ evals) / squares.sum(axis=1)
    for theta in (0.1, 0.3, 0.6):
        exponents = n * theta / 2 * forms
        estimate = (np.log(np.exp(exponents - exponents.max()).mean()) + exponents.max()) / n
        half = float(model.integral(0.0, theta)) / 2
        assert estimate == pytest.approx(half, rel=0.02)
        # The second term alone, to which the mean does not contribute: its standard error is below 1 %.
        curved, predicted = estimate - theta / 2 * evals.mean(), half - theta / 2 * evals.mean()
        assert curved == pytest.approx(predicted * n / (n + 2), rel=0.05)


def test_20_000_eigenvalues_at_as_many_points_in_blocks(draw_pareto):
    evals = draw_pareto(np.random.default_rng(3), 20_000, 2.5)
    model = EmpiricalRTransform(evals)
    z = np.geomspace(0.01, 100.0, 50)
    together = model.integral(0.01, z.reshape(5, 10))
    assert together.shape == (5, 10)
    np.testing.assert_allclose(
        together.ravel(), [float(model.integral(0.01, one)) for one in z], rtol=1e-12, atol=1e-12
    )
    assert np.all(np.diff(together.ravel()) > 0)


def test_equal_eigenvalues_and_one():
    for evals in (np.full(50, 0.7), np.array([0.7])):
        model = EmpiricalRTransform(evals)
        z = np.array([0.0, 0.3, 1e9])
        np.testing.assert_allclose(model.value(z).real, 0.7, rtol=1e-15)
        np.testing.assert_allclose(model.integral(0.0, z), 0.7 * z, rtol=1e-14)


@pytest.mark.parametrize("n", [10, 100_000])
def test_rank_1(n):
    """One of n: ((n-1)/x + 1/(x - 1))/n = z, a quadratic in x. The small R at small z keeps its digits."""
    model = EmpiricalRTransform(np.r_[np.zeros(n - 1), 1.0])
    for z in (1e-8, 0.01, 1.0, 50.0):
        with mpmath.workdps(40):
            b = 1 + 1 / mpmath.mpf(z)
            expected = (b + mpmath.sqrt(b**2 - 4 * mpmath.mpf(n - 1) / n / mpmath.mpf(z))) / 2 - 1 / mpmath.mpf(z)
        # Sums of 10^5 terms carry 10^-14; at z = 1, where R begins to rise, R is 300 times more sensitive.
        tolerance = 2e-11 if z == 1.0 else 1e-13
        assert float(model.value(z).real) == pytest.approx(float(expected), rel=tolerance, abs=0)


@pytest.mark.parametrize("factor", [5e-324 * 2**52, 1e-300, 1e300])
def test_extreme_scales(factor):
    evals = np.array([1.0, 2.0, 5.0, 0.0])
    plain, scaled = EmpiricalRTransform(evals), EmpiricalRTransform(evals * factor)
    z = np.array([0.1, 0.4])
    with np.errstate(over="raise"):
        # 1/factor leaves float64 at the smallest: z then stays at what fits, where R is the mean.
        fitting = z / factor if factor > 1e-300 else np.zeros(2)
        expected = plain.value(z if factor > 1e-300 else fitting).real * factor
    np.testing.assert_allclose(scaled.value(fitting).real, expected, rtol=1e-13)


def test_cumulants_are_those_of_the_spectrum():
    evals = np.array([1.0, 2.0, 5.0, 0.0])
    cumulants = EmpiricalRTransform(evals).free_cumulants(3)
    assert cumulants[0] == pytest.approx(2.0, rel=1e-14)
    assert cumulants[1] == pytest.approx(evals.var(), rel=1e-14)
    assert cumulants[2] == pytest.approx(((evals - 2) ** 3).mean(), rel=1e-13)
    with pytest.raises(SetolError, match=r"for which EmpiricalRTransform\.free_cumulants fits float64; got inf"):
        EmpiricalRTransform(evals * 1e300).free_cumulants(4)


@pytest.mark.parametrize("z", [-1.0, -1e-300, np.nan, np.inf])
def test_z_outside_the_domain(z):
    model = EmpiricalRTransform(np.array([1.0, 2.0]))
    with pytest.raises(SetolError, match=r"need real z in the domain \[0, inf\), or z off the real axis; got"):
        model.value(z)
    with pytest.raises(SetolError, match=r"need limits in the domain \[0, inf\); got"):
        model.integral(0.0, z)


def test_z_off_the_real_axis():
    with pytest.raises(SetolError, match=r"need z in the domain \[0, inf\) of the real axis; got 1\+2j"):
        EmpiricalRTransform(np.array([1.0, 2.0])).value(np.array([1.0, 1 + 2j]))


def test_z_too_large_for_the_spectrum():
    with pytest.raises(SetolError, match=r"need z whose product with the largest eigenvalue, 1e\+300, fits float64"):
        EmpiricalRTransform(np.array([1.0, 1e300])).value(1e10)


@pytest.mark.parametrize("order", [0, 33, 1.5])
def test_orders_out_of_range(order):
    with pytest.raises(SetolError, match=r"need (a whole order of at least 1|an order of at most 32); got"):
        EmpiricalRTransform(np.array([1.0, 2.0])).free_cumulants(order)


def test_newton_that_does_not_converge_says_so(monkeypatch):
    monkeypatch.setattr(empirical, "STEPS", 1)
    with pytest.raises(SetolError, match="did not converge in 1 steps"):
        EmpiricalRTransform(np.array([1.0, 2.0, 9.0])).value(3.0)


@pytest.mark.parametrize(
    ("evals", "message"),
    [
        (np.array([]), "need at least one eigenvalue"),
        (np.zeros(3), "need at least one positive eigenvalue for an R-transform; got only zeros"),
        (np.array([1.0, -2.0]), r"got 1 others, the first -2\.0"),
        (np.array([1.0, np.nan]), "got 1 others, the first nan"),
        (np.array([np.inf, 1.0]), "got 1 others, the first inf"),
    ],
)
def test_refuses_what_is_no_spectrum(evals, message):
    with pytest.raises(SetolError, match=message):
        EmpiricalRTransform(evals)
