"""Layer quality: by hand under every R-transform, then what it must not depend on, then its formal limits."""

import numpy as np
import pytest
import scipy.integrate

from setol.erg import effective_correlation_space, to_trace_scale
from setol.errors import SetolError
from setol.r_transforms.discrete import DiscreteRTransform
from setol.r_transforms.empirical import EmpiricalRTransform
from setol.r_transforms.free_cauchy import FreeCauchyRTransform
from setol.r_transforms.inverse_marchenko_pastur import InverseMarchenkoPasturRTransform
from setol.r_transforms.layer_models import ExperimentalQualities, formal_limits, layer_qualities
from setol.r_transforms.levy_wigner import LevyWignerRTransform
from setol.r_transforms.marchenko_pastur import MarchenkoPasturRTransform
from setol.r_transforms.quality import (
    ExperimentalQuality,
    correlation_eigenvalues,
    cumulant_quality,
    layer_quality,
)
from setol.r_transforms.wigner import WignerRTransform
from setol.reasons import Reason

ECS = np.array([9.0, 4.0, 1.5, 0.5])
MODELS = {
    "discrete": DiscreteRTransform(1.2),
    "free_cauchy": FreeCauchyRTransform(0.8, 0.3),
    "inverse_marchenko_pastur": InverseMarchenkoPasturRTransform(1.3),  # its cut, from 0.65, begins inside the ECS
    "levy_wigner": LevyWignerRTransform(2.4),
    "marchenko_pastur": MarchenkoPasturRTransform(10.0),
    "wigner": WignerRTransform(1.5),
    "empirical": EmpiricalRTransform(ECS),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("beta_eff", [1.0, 0.4])
def test_is_the_sum_of_quadratures(name, beta_eff):
    model = MODELS[name]
    expected = sum(
        scipy.integrate.quad(
            lambda z: float(model.value(z).real), 0.5 * beta_eff, value * beta_eff, epsrel=1e-11, epsabs=1e-11
        )[0]
        for value in ECS
    )
    quality = layer_quality(np.random.default_rng(1).permutation(ECS), model, beta_eff=beta_eff)
    assert isinstance(quality, ExperimentalQuality)
    assert quality.q_squared == pytest.approx(expected, rel=1e-8)
    assert quality.q_squared_log10 == pytest.approx(np.log10(expected), abs=1e-8)


def test_closed_forms():
    total, n, lowest = ECS.sum(), len(ECS), ECS.min()
    # With the sum for kappa_1, (sum)^2 - n a0 sum: the paper keeps the first term alone, a third too much here.
    exact = layer_quality(ECS, DiscreteRTransform(total)).q_squared
    assert exact == pytest.approx(total**2 - n * lowest * total, rel=1e-14)
    assert total**2 / exact == pytest.approx(15 / 13, rel=1e-14)
    assert layer_quality(ECS, FreeCauchyRTransform(0.7)).q_squared == pytest.approx(0.7 * (total - n * lowest))
    schatten = (ECS**1.4 - lowest**1.4).sum()
    assert layer_quality(ECS, LevyWignerRTransform(2.4)).q_squared == pytest.approx(schatten, rel=1e-14)
    beyond_the_cut = 0.9 * np.log(ECS / lowest).sum()
    assert layer_quality(ECS, InverseMarchenkoPasturRTransform(0.9)).q_squared == pytest.approx(
        beyond_the_cut, rel=1e-14
    )


def test_beta_eff_is_a_factor_on_the_matrix_and_not_on_g():
    """R of c A integrated to lambda is R of A integrated to c lambda; c G(lambda) is another number."""
    factor = 3.0
    scaled = layer_quality(ECS, EmpiricalRTransform(factor * ECS)).q_squared
    model = EmpiricalRTransform(ECS)
    assert layer_quality(ECS, model, beta_eff=factor).q_squared == pytest.approx(scaled, rel=1e-12)
    assert factor * layer_quality(ECS, model).q_squared != pytest.approx(scaled, rel=0.01)
    constant = DiscreteRTransform(2.0)
    linear = factor * layer_quality(ECS, constant).q_squared
    assert layer_quality(ECS, constant, beta_eff=factor).q_squared == pytest.approx(linear, rel=1e-14)


def test_beyond_the_pole_there_is_a_reason():
    assert layer_quality(ECS, MarchenkoPasturRTransform(8.9)) is Reason.R_TRANSFORM_DOMAIN
    assert isinstance(layer_quality(ECS, MarchenkoPasturRTransform(9.1)), ExperimentalQuality)


def test_sums_that_leave_float64_have_a_reason():
    assert layer_quality(np.array([1.0, 1e200]), LevyWignerRTransform(3.0)) is Reason.OVERFLOW


def test_correlation_eigenvalues_are_the_ecs(draw_spectrum):
    evals = draw_spectrum("lognormal", np.random.default_rng(4), 100)
    space, ecs_evals = effective_correlation_space(evals), correlation_eigenvalues(evals)
    assert len(ecs_evals) == space.n
    assert ecs_evals[-1] == space.lambda_min
    np.testing.assert_array_equal(ecs_evals, to_trace_scale(np.sort(evals)[::-1])[: space.n])
    assert correlation_eigenvalues(np.zeros(3)) is Reason.ZERO_MATRIX


def test_cumulant_quality_by_hand():
    mean, variance = ECS.mean(), ECS.var()
    z = ECS / 4
    for order, expected in [(1, mean * z), (2, mean * z + variance * z**2 / 2)]:
        quality = cumulant_quality(ECS, order)
        assert quality.q_squared == pytest.approx(expected.sum(), rel=1e-13)
        assert quality.q_squared_log10 == pytest.approx(np.log10(expected.sum()), rel=1e-12)
        np.testing.assert_allclose(quality.cumulants, [mean, variance][:order], rtol=1e-13)
    assert len(cumulant_quality(np.array([1.2, 1.0, 0.9, 0.8])).cumulants) == 5


def test_cumulant_quality_is_the_series_of_the_empirical_one():
    """Where z = lambda/n is small the series converges to the integral of R from 0."""
    evals = np.random.default_rng(7).uniform(0.5, 1.5, 200)
    exact = float(EmpiricalRTransform(evals).integral(0.0, evals / 200).sum())
    errors = [abs(cumulant_quality(evals, order).q_squared / exact - 1) for order in (1, 2, 4)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert errors[2] < 1e-9


def test_cumulant_quality_of_one_eigenvalue():
    assert cumulant_quality(np.array([2.0])).q_squared == pytest.approx(4.0, rel=1e-14)


@pytest.mark.parametrize("kind", ["pareto", "lognormal", "marchenko_pastur", "uniform", "mixture"])
def test_every_model_of_a_spectrum(draw_spectrum, kind):
    evals = draw_spectrum(kind, np.random.default_rng([len(kind), 12]), 300)
    ecs_evals, qualities = correlation_eigenvalues(evals), layer_qualities(evals, 2.6, location=0.9)
    lowest = ecs_evals.min()
    assert isinstance(qualities, ExperimentalQualities)
    assert qualities.discrete.q_squared == pytest.approx(ecs_evals.mean() * (ecs_evals - lowest).sum(), rel=1e-12)
    assert qualities.free_cauchy.q_squared == pytest.approx(0.9 * (ecs_evals - lowest).sum(), rel=1e-12)
    assert qualities.levy_wigner.q_squared == pytest.approx((ecs_evals**1.6 - lowest**1.6).sum(), rel=1e-12)
    assert qualities.inverse_marchenko_pastur == layer_quality(ecs_evals, InverseMarchenkoPasturRTransform(1.3))
    assert qualities.empirical == layer_quality(ecs_evals, EmpiricalRTransform(ecs_evals))
    assert qualities.tail_norm == pytest.approx(ecs_evals.sum(), rel=1e-14)
    # R rises from the mean to the largest eigenvalue, which bounds the empirical quality on both sides.
    above = (ecs_evals - lowest).sum()
    assert ecs_evals.mean() * above < qualities.empirical.q_squared < ecs_evals.max() * above


@pytest.mark.parametrize("factor", [2.0**-1000, 1e-7, 1e300])
def test_neither_scale_nor_order_matters(draw_spectrum, factor):
    rng = np.random.default_rng(14)
    evals = draw_spectrum("lognormal", rng, 120)
    plain, scaled = layer_qualities(evals, 2.2), layer_qualities(rng.permutation(evals) * (factor / evals.max()), 2.2)
    for name in ("empirical", "discrete", "free_cauchy", "inverse_marchenko_pastur", "levy_wigner"):
        assert getattr(scaled, name).q_squared == pytest.approx(getattr(plain, name).q_squared, rel=1e-11)
    assert scaled.tail_norm == pytest.approx(plain.tail_norm, rel=1e-12)


def test_a_denormal_spectrum():
    evals = np.array([40.0, 5.0, 2.0, 1.0])
    assert layer_qualities(evals * 5e-324, 2.2) == layer_qualities(evals, 2.2)


@pytest.mark.parametrize("evals", [np.full(20, 0.3), np.array([5.0]), np.r_[np.zeros(9), 5.0]])
def test_one_value_in_the_ecs_leaves_no_quality(evals):
    """Orthogonal columns, a single eigenvalue, rank 1: every G is an integral over nothing."""
    qualities = layer_qualities(evals, 2.2)
    for name in ("empirical", "discrete", "free_cauchy", "inverse_marchenko_pastur", "levy_wigner"):
        assert getattr(qualities, name) is Reason.EQUAL_EIGENVALUES
    assert qualities.tail_norm == pytest.approx(len(evals), rel=1e-14)


def test_a_zero_matrix_has_a_reason():
    assert layer_qualities(np.zeros(4), 2.2) is Reason.ZERO_MATRIX


def test_limits_of_one_dominant_eigenvalue():
    """One eigenvalue over equal ones, so that they alone are missing from the limits."""
    n, alpha = 400, 1.5
    for share in (0.4, 0.5):  # of the trace; the rest lies above the cut at alpha/4
        evals = np.r_[share * n, np.full(n - 1, (1 - share) * n / (n - 1))]
        low, high = evals.min(), evals.max()
        # All of them as the ECS: what ERG itself picks is another matter.
        limits = formal_limits(high, low, alpha, location=0.8)
        cauchy = layer_quality(evals, FreeCauchyRTransform(0.8))
        assert cauchy.q_squared_log10 / 2 == pytest.approx(limits.free_cauchy_q_log10, abs=low / high)
        levy = layer_quality(evals, LevyWignerRTransform(alpha))
        assert levy.q_squared_log10 == pytest.approx(limits.levy_wigner_q_squared_log10, abs=np.sqrt(low / high))
        inverse = layer_quality(evals, InverseMarchenkoPasturRTransform(alpha / 2))
        assert inverse.q_squared == pytest.approx(limits.inverse_marchenko_pastur_q_squared, rel=1e-12)
        assert limits.alpha_hat == pytest.approx(alpha * np.log10(high), rel=1e-15)
        assert limits.alpha_hat - limits.levy_wigner_q_squared_log10 == pytest.approx(np.log10(high), rel=1e-13)


def test_limits_by_hand():
    limits = formal_limits(100.0, 0.1, 3.0, location=10.0)
    assert limits.free_cauchy_q_log10 == pytest.approx(1.5, rel=1e-15)
    assert limits.levy_wigner_q_squared_log10 == pytest.approx(4.0, rel=1e-15)
    assert limits.inverse_marchenko_pastur_q_squared == pytest.approx(1.5 * np.log(1000), rel=1e-14)
    assert limits.alpha_hat == pytest.approx(6.0, rel=1e-15)


def test_8192_eigenvalues(marchenko_pastur_quantiles, draw_pareto):
    """The sum over every tenth of the ECS, its lowest among them, against the integral at each of them."""
    for evals in (marchenko_pastur_quantiles(8192, 2.0), draw_pareto(np.random.default_rng(6), 8192, 2.5)):
        ecs_evals = correlation_eigenvalues(evals)
        chosen = ecs_evals[::-1][::10]
        model = EmpiricalRTransform(ecs_evals)
        quality = layer_quality(chosen, model)
        inside = model.value(chosen).real
        assert np.all((ecs_evals.mean() < inside) & (inside < ecs_evals.max()))
        # The trapezoid rule over the chosen points themselves: R is concave or convex piecewise, and they are dense.
        steps = np.diff(chosen) * (inside[1:] + inside[:-1]) / 2
        assert quality.q_squared == pytest.approx(np.cumsum(steps).sum(), rel=2e-3)


@pytest.mark.parametrize("alpha", [1.0, 0.0, -2.0, np.nan, np.inf])
def test_refuses_what_is_no_exponent(alpha):
    for evals in (np.array([1.0, 9.0]), np.zeros(2)):
        with pytest.raises(SetolError, match="need a finite alpha above 1, the exponent of the tail density; got"):
            layer_qualities(evals, alpha)
    with pytest.raises(SetolError, match="need a finite alpha above 1, the exponent of the tail density; got"):
        formal_limits(3.0, 1.0, alpha)


@pytest.mark.parametrize("number", [0.0, -1.0, np.nan, np.inf])
def test_refuses_parameters_that_are_not_positive(number):
    with pytest.raises(SetolError, match="need a finite location above 0; got"):
        layer_qualities(np.array([1.0, 9.0]), 2.2, location=number)
    with pytest.raises(SetolError, match="need a finite beta_eff above 0; got"):
        layer_qualities(np.array([1.0, 9.0]), 2.2, beta_eff=number)
    with pytest.raises(SetolError, match="need a finite beta_eff above 0; got"):
        layer_quality(ECS, DiscreteRTransform(1.0), beta_eff=number)
    with pytest.raises(SetolError, match="need a finite lambda_max above 0; got"):
        formal_limits(number, 1.0, 2.0)
    with pytest.raises(SetolError, match="need a finite lambda_min above 0; got"):
        formal_limits(3.0, number, 2.0)
    with pytest.raises(SetolError, match="need a finite location above 0; got"):
        formal_limits(3.0, 1.0, 2.0, location=number)


def test_refuses_edges_in_the_wrong_order():
    with pytest.raises(SetolError, match=r"need lambda_max of at least lambda_min = 2\.0; got 1\.0"):
        formal_limits(1.0, 2.0, 2.0)


@pytest.mark.parametrize("order", [0, 33, 1.5])
def test_refuses_what_is_no_order(order):
    with pytest.raises(SetolError, match=r"need (a whole order of at least 1|an order of at most 32); got"):
        cumulant_quality(ECS, order)


def test_a_series_that_ends_below_0_has_a_reason():
    # 30 three times beside 0.01: the third central moment is negative, and z = lambda/4 makes its term the largest.
    assert cumulant_quality(np.array([0.01, 30.0, 30.0, 30.0]), 3) is Reason.SERIES_BELOW_ZERO
    assert cumulant_quality(np.array([1e60, 1e55]), 5) is Reason.OVERFLOW


@pytest.mark.parametrize(
    ("evals", "message"),
    [
        (np.array([]), "need at least one eigenvalue"),
        (np.array([1.0, -2.0]), r"got 1 others, the first -2\.0"),
        (np.array([1.0, np.nan]), "got 1 others, the first nan"),
        (np.array([np.inf, 1.0]), "got 1 others, the first inf"),
    ],
)
@pytest.mark.parametrize(
    "function",
    [
        correlation_eigenvalues,
        cumulant_quality,
        lambda evals: layer_quality(evals, DiscreteRTransform(1.0)),
        lambda evals: layer_qualities(evals, 2.2),
    ],
)
def test_refuses_what_is_no_spectrum(function, evals, message):
    with pytest.raises(SetolError, match=message):
        function(evals)


@pytest.mark.parametrize("function", [cumulant_quality, lambda evals: layer_quality(evals, DiscreteRTransform(1.0))])
def test_refuses_zeros_in_the_ecs(function):
    with pytest.raises(SetolError, match=r"need positive eigenvalues in the ECS; got 1 zeros\. Take them from corr"):
        function(np.array([0.0, 1.0]))
