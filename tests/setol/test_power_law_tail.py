"""The bare power-law tail: the closed forms at alpha = 2, 3, 4, then quadrature, then draws."""

import itertools

import numpy as np
import pytest
import scipy.integrate

from setol.errors import SetolError
from setol.r_transforms.cumulants import free_cumulants_from_moments
from setol.r_transforms.power_law_tail import PowerLawTail
from setol.reasons import Reason

A, B = 0.7, 12.0


def test_cumulants_without_an_upper_end():
    assert free_cumulants_from_moments(PowerLawTail(3.0, A).moments(1))[0] == pytest.approx(2 * A, rel=1e-14)
    kappa = free_cumulants_from_moments(PowerLawTail(4.0, A).moments(2))
    np.testing.assert_allclose(kappa, [3 * A / 2, 3 * A**2 / 4], rtol=1e-14)


@pytest.mark.parametrize(
    ("alpha", "first", "square"),
    [
        (2.0, A * B / (B - A) * np.log(B / A), A * B),
        (3.0, 2 * A * B / (A + B), 2 * A**2 * B**2 / (B**2 - A**2) * np.log(B / A)),
        (
            4.0,
            1.5 * A * B * (B**2 - A**2) / (B**3 - A**3),
            3 * A**3 * B**3 / (B**3 - A**3) * (1 / A - 1 / B),
        ),
    ],
)
def test_cumulants_of_the_tail_cut_off(alpha, first, square):
    kappa = free_cumulants_from_moments(PowerLawTail(alpha, A, B).moments(2))
    np.testing.assert_allclose(kappa, [first, square - first**2], rtol=1e-13)


@pytest.mark.parametrize("alpha", [1.01, 1.8, 2.0, 2.0 + 1e-9, 3.7, 60.0])
@pytest.mark.parametrize("lambda_max", [0.7 * (1 + 1e-6), 12.0, 1e6])
def test_moments_are_integrals(alpha, lambda_max):
    """Over the logarithm of lambda, in units that keep the integrand of order 1."""
    moments = PowerLawTail(alpha, A, lambda_max).moments(4)
    length = np.log(lambda_max / A)
    for k, moment in enumerate(moments, start=1):
        power = k - (alpha - 1)

        def integral(p):
            points = sorted({0.0, length, min(length, 1.0), max(0.0, length - 1.0)})
            pieces = [
                scipy.integrate.quad(lambda t: np.exp(p * t - max(p * length, 0.0)), low, high, epsrel=1e-12)[0]
                for low, high in itertools.pairwise(points)
            ]
            return sum(pieces) * np.exp(max(p * length, 0.0))

        assert moment == pytest.approx(A**k * integral(power) / integral(1 - alpha), rel=1e-9)


def test_moments_without_an_upper_end_are_the_limit():
    np.testing.assert_allclose(PowerLawTail(9.0, A, 1e9).moments(3), PowerLawTail(9.0, A).moments(3), rtol=1e-12)


def test_moments_of_draws(draw_pareto):
    draws = draw_pareto(np.random.default_rng(2), 400_000, 12.0, A)
    expected = PowerLawTail(12.0, A).moments(2)
    # Relative standard errors below 0.1/sqrt(n) and 0.25/sqrt(n).
    np.testing.assert_allclose([draws.mean(), (draws**2).mean()], expected, rtol=5 * 0.25 / np.sqrt(400_000))


@pytest.mark.parametrize(("alpha", "order"), [(2.0, 1), (3.0, 2), (2.5, 2), (1.5, 1)])
def test_moments_that_do_not_exist_have_a_reason(alpha, order):
    assert PowerLawTail(alpha, A).moments(order) is Reason.NO_MOMENTS


@pytest.mark.parametrize("z", [-3.0, -0.1, 0.2, 0.65])
def test_stieltjes_closed_forms(z):
    log = np.log(1 - z / A)
    for alpha, expected in [
        (2.0, 1 / z + A * log / z**2),
        (3.0, 1 / z + 2 * A / z**2 + 2 * A**2 * log / z**3),
        (4.0, 1 / z + 3 * A / (2 * z**2) + 3 * A**2 / z**3 + 3 * A**3 * log / z**4),
    ]:
        # At z = -0.1 the closed forms subtract terms of size A^3/z^4 from each other.
        assert float(PowerLawTail(alpha, A).stieltjes(z)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("lambda_max", [12.0, np.inf])
@pytest.mark.parametrize("alpha", [1.5, 2.0, 3.3])
def test_stieltjes_is_the_mean_of_1_over_z_minus_lambda(alpha, lambda_max):
    tail = PowerLawTail(alpha, A, lambda_max)
    mass = (A ** (1 - alpha) - (0.0 if np.isinf(lambda_max) else lambda_max ** (1 - alpha))) / (alpha - 1)
    z = np.array([[-5.0, 0.0], [0.3, 0.69]])
    expected = [
        scipy.integrate.quad(
            lambda x, point: x**-alpha / mass / (point - x), A, lambda_max, (point,), epsabs=0, epsrel=1e-11, limit=500
        )[0]
        for point in z.ravel()
    ]
    np.testing.assert_allclose(tail.stieltjes(z), np.reshape(expected, z.shape), rtol=1e-8)


def test_scale():
    np.testing.assert_allclose(
        PowerLawTail(2.5, 3 * A, 3 * B).moments(3),
        3.0 ** np.arange(1, 4) * PowerLawTail(2.5, A, B).moments(3),
        rtol=1e-13,
    )
    assert float(PowerLawTail(2.5, 3 * A, 3 * B).stieltjes(0.9)) == pytest.approx(
        float(PowerLawTail(2.5, A, B).stieltjes(0.3)) / 3, rel=1e-13
    )


@pytest.mark.parametrize("alpha", [1.0, 0.5, np.nan, np.inf])
def test_refuses_an_exponent_without_a_law(alpha):
    with pytest.raises(SetolError, match="need a finite alpha above 1, the exponent of the density; got"):
        PowerLawTail(alpha, A)


def test_refuses_ends_that_are_none():
    for lambda_min in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(SetolError, match="need a finite lambda_min above 0; got"):
            PowerLawTail(2.0, lambda_min)
    for lambda_max in (A, 0.1, np.nan):
        with pytest.raises(SetolError, match=r"need lambda_max above lambda_min = 0\.7; got"):
            PowerLawTail(2.0, A, lambda_max)


@pytest.mark.parametrize("z", [0.7, 3.0, np.nan, -np.inf])
def test_refuses_z_outside_the_domain(z):
    with pytest.raises(SetolError, match=r"need z in the domain \(-inf, 0\.7\), below the tail; got"):
        PowerLawTail(2.0, A).stieltjes(z)


def test_refuses_orders_and_moments_that_are_none():
    with pytest.raises(SetolError, match="need a whole order of at least 1; got 0"):
        PowerLawTail(2.0, A).moments(0)
    with pytest.raises(SetolError, match="need moments that fit float64; got infinite ones up to order 3"):
        PowerLawTail(2.0, 1.0, 1e300).moments(3)
    with pytest.raises(SetolError, match="need moments that fit float64; got infinite ones up to order 2"):
        PowerLawTail(9.0, 1e200).moments(2)
