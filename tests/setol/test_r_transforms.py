"""The models' R-transforms: integral against quadrature, cumulants against derivatives, the laws behind them."""

import contextlib

import mpmath
import numpy as np
import pytest
import scipy.integrate

from setol.errors import SetolError
from setol.r_transforms.discrete import DiscreteRTransform
from setol.r_transforms.empirical import EmpiricalRTransform
from setol.r_transforms.free_cauchy import FreeCauchyRTransform
from setol.r_transforms.inverse_marchenko_pastur import InverseMarchenkoPasturRTransform, kappa_of_random_matrix
from setol.r_transforms.levy_wigner import LevyWignerRTransform
from setol.r_transforms.marchenko_pastur import MarchenkoPasturRTransform
from setol.r_transforms.protocol import OutsideFloat64, RealInterval
from setol.r_transforms.wigner import WignerRTransform
from setol.reasons import Reason

MODELS = {
    "discrete": DiscreteRTransform(1.7),
    "free_cauchy": FreeCauchyRTransform(0.8, 0.3),
    "inverse_marchenko_pastur": InverseMarchenkoPasturRTransform(1.3),
    "levy_wigner_below_2": LevyWignerRTransform(1.4),
    "levy_wigner_above_2": LevyWignerRTransform(2.7, shift=0.2, strength=1.9),
    "marchenko_pastur": MarchenkoPasturRTransform(2.5, variance=0.6),
    "wigner": WignerRTransform(2.3),
}
WITH_MOMENTS = ("discrete", "inverse_marchenko_pastur", "marchenko_pastur", "wigner")


@pytest.fixture(params=MODELS, ids=str)
def model(request):
    return MODELS[request.param]


def test_integral_is_the_quadrature_of_the_real_part(model):
    """Across the branch point of the inverse Marchenko-Pastur law, at 0.65, too."""
    for lower, upper in [(0.1, 0.5), (0.3, 3.0), (2.0, 0.2), (1.0, 4.1)]:
        cut = model.branch_cut
        inner = [cut.lower] if cut is not None and min(lower, upper) < cut.lower < max(lower, upper) else None
        expected, _ = scipy.integrate.quad(
            lambda z: float(model.value(z).real), lower, upper, points=inner, epsabs=1e-12, epsrel=1e-12
        )
        assert float(model.integral(lower, upper)) == pytest.approx(expected, rel=1e-9, abs=1e-10)


def test_integral_adds_up(model):
    upper = np.array([[0.3, 1.1], [2.2, 3.9]])
    whole = model.integral(0.2, upper)
    assert whole.shape == upper.shape
    np.testing.assert_allclose(model.integral(0.2, 0.7) + model.integral(0.7, upper), whole, rtol=1e-12, atol=1e-13)
    assert float(model.integral(1.3, 1.3)) == 0.0


def test_value_takes_the_shape_of_z_and_its_conjugate_mirror(model):
    z = np.array([[0.2 + 0.3j, -1.0 + 0.01j], [3.0 - 2.0j, 0.4 - 1.0j]])
    assert model.value(z).shape == (2, 2)
    if not isinstance(model, FreeCauchyRTransform):  # i gamma is the one of the lower half-plane on both
        np.testing.assert_allclose(model.value(z.conj()), model.value(z).conj(), rtol=1e-14)
    assert model.value(0.5).shape == ()


@pytest.mark.parametrize("name", WITH_MOMENTS)
def test_cumulants_are_taylor_coefficients(name):
    """By Cauchy's integral over a circle inside the nearest singularity (0.65 and 4.2 here): exact to rounding."""
    model, n_points, radius = MODELS[name], 256, 0.3
    circle = radius * np.exp(2j * np.pi * (np.arange(n_points) + 0.5) / n_points)
    values = model.value(circle)
    cumulants = model.free_cumulants(8)
    for n in range(8):
        coefficient = (values * circle**-n).mean()
        # Rounding of the values is divided by radius^n.
        assert coefficient.real == pytest.approx(cumulants[n], rel=1e-12, abs=1e-14 / radius**n)
        assert abs(coefficient.imag) < 1e-14 / radius**n
    assert float(model.value(0.0).real) == pytest.approx(cumulants[0], rel=1e-15)
    np.testing.assert_array_equal(model.free_cumulants(3), cumulants[:3])


def test_laws_without_moments_have_a_reason():
    for name in ("free_cauchy", "levy_wigner_below_2", "levy_wigner_above_2"):
        assert MODELS[name].free_cumulants(2) is Reason.NO_MOMENTS


def test_inverse_marchenko_pastur_cumulants():
    kappa = 0.7
    expected = [1, 1 / (2 * kappa), 1 / (2 * kappa**2), 5 / (8 * kappa**3)]
    np.testing.assert_allclose(InverseMarchenkoPasturRTransform(kappa).free_cumulants(4), expected, rtol=1e-15)


def test_inverse_marchenko_pastur_against_50_digits():
    """The form in the paper and its integral from 0, on either side of the cut, and near z = 0 where it cancels."""
    kappa = 1.3
    model = InverseMarchenkoPasturRTransform(kappa)
    with mpmath.workdps(50):
        k = mpmath.mpf(kappa)

        def value(z):
            z = mpmath.mpf(z)
            return (k - mpmath.sqrt(k * (k - 2 * z))) / z

        def integral(z):  # of value, by substitution of s
            s = mpmath.sqrt(1 - 2 * mpmath.mpf(z) / k)
            return 2 * k * (1 - s - mpmath.log(2 / (1 + s)))

        for z in [1e-12, 1e-6, 1e-3, 0.2, 0.64, 0.649999, -0.5, -100.0, 0.66, 1.0, 7.0, 1e6]:
            if z < kappa / 2:
                assert float(model.value(z).real) == pytest.approx(float(value(z)), rel=1e-13)
                assert float(model.value(z).imag) == 0.0
            assert float(model.value(z).real) == pytest.approx(float(mpmath.re(value(z))), rel=1e-13)
            assert abs(float(model.value(z).imag)) == pytest.approx(abs(float(mpmath.im(value(z)))), rel=1e-12)
            assert float(model.integral(0.0, z)) == pytest.approx(float(mpmath.re(integral(z))), rel=1e-13)


def test_inverse_marchenko_pastur_beyond_the_cut_is_kappa_over_z():
    model = InverseMarchenkoPasturRTransform(1.3)
    z = np.array([0.65, 0.7, 2.0, 50.0])
    np.testing.assert_allclose(model.value(z).real, 1.3 / z, rtol=1e-13)
    np.testing.assert_allclose(model.integral(0.65, z), 1.3 * np.log(z / 0.65), rtol=1e-13, atol=1e-15)
    u = np.sqrt(2 * z / 1.3 - 1)
    imaginary = [
        scipy.integrate.quad(lambda x: float(model.value(x).imag), 0.65, end, epsabs=1e-11, limit=200)[0] for end in z
    ]
    np.testing.assert_allclose(imaginary, 2 * 1.3 * (u - np.arctan(u)), atol=1e-9)


def test_value_on_the_cut_is_the_limit_from_above():
    model = InverseMarchenkoPasturRTransform(1.3)
    assert float(model.value(2.0).imag) > 0
    assert complex(model.value(complex(2.0, -0.0))) == complex(model.value(2.0))
    np.testing.assert_allclose(model.value(2.0 + 1e-12j), model.value(2.0), rtol=1e-10)
    np.testing.assert_allclose(model.value(2.0 - 1e-12j), model.value(2.0).conj(), rtol=1e-10)


def test_levy_wigner_by_hand():
    model = LevyWignerRTransform(2.5)  # R = 1.5 sqrt(z), its integral z^1.5
    assert float(model.value(4.0).real) == pytest.approx(3.0, rel=1e-15)
    assert float(model.integral(1.0, 4.0)) == pytest.approx(7.0, rel=1e-15)
    # At alpha = 3 the semicircle, at 2 a constant.
    z = np.array([0.3, 2.0])
    np.testing.assert_allclose(LevyWignerRTransform(3.0).value(z), WignerRTransform(2.0).value(z), rtol=1e-15)
    np.testing.assert_allclose(LevyWignerRTransform(2.0, strength=1.7).value(z), 1.7, rtol=1e-15)


def test_levy_wigner_integral_has_the_derivative_r():
    """The paper prints exponent and divisor alpha - 2 for its integral: with those this fails."""
    for alpha in (1.3, 2.5, 3.4):
        model = LevyWignerRTransform(alpha, shift=0.4, strength=2.0)
        z, step = np.array([0.2, 1.0, 6.0]), 1e-5
        slope = (model.integral(0.1, z + step) - model.integral(0.1, z - step)) / (2 * step)
        np.testing.assert_allclose(slope, model.value(z).real, rtol=1e-7)


def test_free_cauchy_is_linear():
    model = FreeCauchyRTransform(0.8, 3.0)
    np.testing.assert_allclose(model.integral(0.5, np.array([1.0, 2.5])), [0.4, 1.6], rtol=1e-15)
    assert complex(model.value(1.0)) == 0.8 + 3.0j


def test_marchenko_pastur_satisfies_its_stieltjes_transform():
    """C(R(z) + 1/z) = z with the closed form of C above the upper edge."""
    ratio, variance = 2.5, 0.6
    q, model = 1 / ratio, MarchenkoPasturRTransform(ratio, variance)
    low, high = variance * (1 - np.sqrt(q)) ** 2, variance * (1 + np.sqrt(q)) ** 2

    def stieltjes(x):
        return (x + variance * (q - 1) - np.sqrt((x - low) * (x - high))) / (2 * q * variance * x)

    z = np.linspace(0.05, 0.99, 20) * stieltjes(high)
    np.testing.assert_allclose(stieltjes(model.value(z).real + 1 / z), z, rtol=1e-12)


def test_wigner_satisfies_its_stieltjes_transform():
    model = WignerRTransform(2.3)
    z = np.linspace(0.05, 0.99, 20) / np.sqrt(2.3)
    x = model.value(z).real + 1 / z
    np.testing.assert_allclose((x - np.sqrt(x**2 - 4 * 2.3)) / (2 * 2.3), z, rtol=1e-12)


def test_inverse_marchenko_pastur_is_the_law_of_the_inverse(marchenko_pastur_quantiles):
    """Mean 1/(x - (1-q)/y) over y of Marchenko-Pastur, at x = R(z) + 1/z above the upper edge, is z."""
    ratio = 4.0
    model = InverseMarchenkoPasturRTransform(kappa_of_random_matrix(ratio))
    evals = (1 - 1 / ratio) / marchenko_pastur_quantiles(200_000, ratio)
    edge = (1 - 1 / ratio) / (1 - np.sqrt(1 / ratio)) ** 2
    for z in (0.05, 0.2, 0.35):
        x = float(model.value(z).real) + 1 / z
        assert x > edge
        assert (1 / (x - evals)).mean() == pytest.approx(z, rel=1e-6)
    assert kappa_of_random_matrix(2.0) == 0.5


@pytest.mark.parametrize(
    ("name", "z", "domain"),
    [
        ("marchenko_pastur", 2.5 / 0.6, r"\(-inf, 4\.16667\)"),
        ("marchenko_pastur", 100.0, r"\(-inf, 4\.16667\)"),
        ("levy_wigner_below_2", 0.0, r"\(0, inf\)"),
        ("levy_wigner_above_2", -1.0, r"\(0, inf\)"),
        ("inverse_marchenko_pastur", np.nan, r"\(-inf, inf\)"),
        ("discrete", np.inf, r"\(-inf, inf\)"),
        ("free_cauchy", -np.inf, r"\(-inf, inf\)"),
        ("wigner", np.nan, r"\(-inf, inf\)"),
    ],
)
def test_z_outside_the_domain_is_refused_by_its_name(name, z, domain):
    model = MODELS[name]
    with pytest.raises(SetolError, match=f"need real z in the domain {domain}, or z off the real axis; got"):
        model.value(np.array([0.1, z]))
    with pytest.raises(SetolError, match=f"need limits in the domain {domain}; got"):
        model.integral(0.1, np.array([0.2, z]))
    with pytest.raises(SetolError, match=f"need limits in the domain {domain}; got"):
        model.integral(z, 0.2)


def test_an_array_of_lower_limits_is_refused(model):
    with pytest.raises(SetolError, match=r"need one lower limit; got an array of shape \(2,\)"):
        model.integral(np.array([0.1, 0.2]), 1.0)


@pytest.mark.parametrize("order", [0, -1, 2.5, True])
def test_orders_that_are_none(model, order):
    with pytest.raises(SetolError, match="need a whole order of at least 1; got"):
        model.free_cumulants(order)


@pytest.mark.parametrize("number", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize(
    ("build", "name"),
    [
        (DiscreteRTransform, "mean"),
        (FreeCauchyRTransform, "location"),
        (InverseMarchenkoPasturRTransform, "kappa"),
        (WignerRTransform, "variance"),
        (lambda number: MarchenkoPasturRTransform(2.0, number), "variance"),
        (lambda number: MarchenkoPasturRTransform(number), "aspect_ratio"),
        (lambda number: LevyWignerRTransform(2.5, strength=number), "strength"),
    ],
)
def test_parameters_that_are_not_positive(build, name, number):
    with pytest.raises(SetolError, match=f"need a finite {name} above 0; got"):
        build(number)


def test_parameters_out_of_their_own_range():
    with pytest.raises(SetolError, match=r"need an aspect ratio Q = N/M of at least 1; got 0\.5\. Swap N and M"):
        MarchenkoPasturRTransform(0.5)
    for alpha in (1.0, -2.0, np.nan, np.inf):
        with pytest.raises(SetolError, match="need a finite alpha above 1, the exponent of the tail density; got"):
            LevyWignerRTransform(alpha)
    for number in (-0.1, np.nan, np.inf):
        with pytest.raises(SetolError, match="need a finite shift of at least 0; got"):
            LevyWignerRTransform(2.5, shift=number)
        with pytest.raises(SetolError, match="need a finite width of at least 0; got"):
            FreeCauchyRTransform(1.0, number)
    for ratio in (1.0, 0.5, np.nan, np.inf):
        with pytest.raises(SetolError, match="need a finite aspect ratio Q = N/M above 1; got"):
            kappa_of_random_matrix(ratio)


def test_branch_cuts():
    assert InverseMarchenkoPasturRTransform(1.3).branch_cut == RealInterval(lower=0.65, closed_below=True)
    assert str(LevyWignerRTransform(2.5).branch_cut) == "(-inf, 0]"
    assert LevyWignerRTransform(3.0).branch_cut is None
    # R jumps across the cut, and only there.
    for model, on_cut, off_cut in [
        (InverseMarchenkoPasturRTransform(1.3), 0.7, 0.6),
        (LevyWignerRTransform(2.5), -1.0, 1.0),
    ]:
        jump = np.abs(model.value(on_cut + 1e-9j) - model.value(on_cut - 1e-9j))
        assert jump > 0.1
        assert np.abs(model.value(off_cut + 1e-9j) - model.value(off_cut - 1e-9j)) < 1e-7


def test_results_that_float64_does_not_hold():
    for call, name in [
        (lambda: DiscreteRTransform(1e300).integral(0.0, 1e300), "DiscreteRTransform.integral"),
        (lambda: FreeCauchyRTransform(1e300).integral(0.0, 1e300), "FreeCauchyRTransform.integral"),
        (lambda: InverseMarchenkoPasturRTransform(5e-324).value(1.0), "InverseMarchenkoPasturRTransform.value"),
        (lambda: InverseMarchenkoPasturRTransform(1e-300).free_cumulants(3), "InverseMarchenko.*free_cumulants"),
        (lambda: LevyWignerRTransform(3.5).integral(1.0, 1e300), "LevyWignerRTransform.integral"),
        (lambda: LevyWignerRTransform(1e3).value(20.0), "LevyWignerRTransform.value"),
        (lambda: MarchenkoPasturRTransform(1.0, 1e300).free_cumulants(2), "MarchenkoPasturRTransform.free_cumulants"),
        (lambda: WignerRTransform(1e300).value(1e300), "WignerRTransform.value"),
    ]:
        with pytest.raises(OutsideFloat64, match=f"need arguments and parameters for which {name} fits float64; got"):
            call()


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-300, 1.0, 1e300, 1.7e308])
@pytest.mark.parametrize("z", [5e-324, 1e-310, 1e-300, 1.0, 1e300, 1.7e308])
def test_extremes_are_finite_or_refused(size, z):
    """No combination of parameter and point gives an infinity, a NaN or a warning."""
    for build in (
        DiscreteRTransform,
        FreeCauchyRTransform,
        InverseMarchenkoPasturRTransform,
        WignerRTransform,
        lambda number: LevyWignerRTransform(1.5, strength=number),
        lambda number: LevyWignerRTransform(2.5, shift=number),
        lambda number: MarchenkoPasturRTransform(2.0, number),
        lambda number: EmpiricalRTransform(np.array([number, 0.0])),
    ):
        model = build(size)
        for call in (lambda m: m.value(z), lambda m: m.integral(z / 2 or z, z), lambda m: m.free_cumulants(4)):
            with contextlib.suppress(SetolError):
                result = call(model)
                assert isinstance(result, Reason) or np.isfinite(result).all()
