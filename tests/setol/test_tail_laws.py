"""Laws of a tail: closed forms, quadrature, SciPy's truncated distributions, samples whose law is known."""

import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from setol import Reason, SetolError
from setol.tails.bounded_power_law import fit_bounded_power_law
from setol.tails.exponential import Exponential, fit_exponential
from setol.tails.law import log_ratios, tail_above
from setol.tails.log_normal import LogNormal, _relative_variance, fit_log_normal
from setol.tails.power_law import PowerLaw, fit_power_law, fit_power_law_above
from setol.tails.stretched_exponential import StretchedExponential, fit_stretched_exponential
from setol.tails.truncated_power_law import TruncatedPowerLaw, _integrate, fit_truncated_power_law

FITS = {
    "power_law": fit_power_law_above,
    "bounded_power_law": fit_bounded_power_law,
    "truncated_power_law": fit_truncated_power_law,
    "log_normal": fit_log_normal,
    "exponential": fit_exponential,
    "stretched_exponential": fit_stretched_exponential,
}
EDGE = 2.0


def draw_truncated_power_law(rng, n, alpha, rate, lambda_min=1.0):
    """A power law thinned by exp(-rate (lambda - lambda_min)), that is, sampled by rejection."""
    kept = np.empty(0)
    while len(kept) < n:
        proposed = lambda_min * (1 - rng.random(n)) ** (-1 / (alpha - 1))
        kept = np.concatenate([kept, proposed[rng.random(n) < np.exp(-rate * (proposed - lambda_min))]])
    return kept[:n]


def draw_above(law, rng, n):
    """A frozen SciPy distribution conditional on lambda >= EDGE, by inversion of its survival function."""
    return law.isf(rng.random(n) * law.sf(EDGE))


SAMPLES = {
    "power_law": lambda rng, n: EDGE * (1 - rng.random(n)) ** (-1 / 1.7),
    "bounded_power_law": lambda rng, n: EDGE * scipy.stats.truncpareto.rvs(1.2, 10.0, size=n, random_state=rng),
    "truncated_power_law": lambda rng, n: draw_truncated_power_law(rng, n, 1.9, 0.1, EDGE),
    "log_normal": lambda rng, n: draw_above(scipy.stats.lognorm(0.7, scale=math.e), rng, n),
    "exponential": lambda rng, n: EDGE + rng.exponential(3.0, n),
    "stretched_exponential": lambda rng, n: draw_above(scipy.stats.weibull_min(0.6, scale=1.5), rng, n),
}
"""Tails from EDGE up, of the law each fit is for."""


def sample(kind, n=4000, seed=0):
    return SAMPLES[kind](np.random.default_rng([sorted(SAMPLES).index(kind), seed]), n)


@pytest.mark.parametrize("kind", FITS)
def test_density_integrates_to_the_distribution_function(kind):
    """From lambda_min to each decile of the sample, by adaptive quadrature of the density."""
    evals = sample(kind)
    law = FITS[kind](evals, EDGE)
    for point in np.quantile(evals, [0.1, 0.5, 0.9, 0.99]):
        mass, _ = scipy.integrate.quad(
            lambda v: math.exp(law.log_density(np.array([v]))[0]), EDGE, point, epsabs=1e-12, epsrel=1e-12, limit=200
        )
        assert law.cdf(np.array([point]))[0] == pytest.approx(mass, abs=1e-10)


@pytest.mark.parametrize("kind", FITS)
def test_law_of_a_sample_of_its_own_is_not_refused(kind):
    """Kolmogorov-Smirnov p-values are too large where parameters were fitted: below 1e-3 something is wrong."""
    evals = sample(kind, seed=1)
    law = FITS[kind](evals, EDGE)
    assert scipy.stats.kstest(evals, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("data", SAMPLES)
def test_no_nearby_parameters_are_likelier(kind, data):
    """Of every law on every kind of data, wherever the fit has a maximum inside its domain."""
    evals = sample(data, 500)
    law = FITS[kind](evals, EDGE)
    if isinstance(law, Reason):
        assert law is Reason.POWER_LAW_LIMIT
        return
    best = law.log_density(evals).sum()
    for name in ("alpha", "log_cutoff", "mu", "sigma", "log_scale", "beta"):
        value = getattr(law, name, None)
        if value is None or math.isinf(value):
            continue
        for change in (-1e-4, 1e-4):
            fields = {field: getattr(law, field) for field in law.__dataclass_fields__}
            neighbour = type(law)(**fields | {name: value + change})
            assert neighbour.log_density(evals).sum() <= best + 1e-9


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("factor", [1e-300, 1e-9, 1e6, 1e300])
def test_scale(kind, factor):
    """Densities are divided by the factor, shapes and shares stay; 1e-11 for the logarithms of the factor."""
    evals = sample(kind, 300)
    law, scaled = FITS[kind](evals, EDGE), FITS[kind](evals * factor, EDGE * factor)
    np.testing.assert_allclose(scaled.cdf(evals * factor), law.cdf(evals), atol=1e-11)
    np.testing.assert_allclose(
        scaled.log_density(evals * factor), law.log_density(evals) - math.log(factor), rtol=0, atol=1e-9
    )
    for name in ("alpha", "alpha_sigma", "sigma", "beta"):
        if hasattr(law, name):
            assert getattr(scaled, name) == pytest.approx(getattr(law, name), rel=1e-10)
    for name in ("log_cutoff", "mu", "log_scale"):
        if hasattr(law, name):
            assert getattr(scaled, name) == pytest.approx(getattr(law, name) + math.log(factor), rel=1e-9)


@pytest.mark.parametrize("kind", FITS)
def test_order_and_the_bulk_do_not_matter(kind):
    evals = sample(kind, 200)
    shuffled = np.random.default_rng(3).permutation(np.concatenate([evals, [0.1, 1.0, 1.999]]))
    assert FITS[kind](shuffled, EDGE) == FITS[kind](evals, EDGE)


@pytest.mark.parametrize("kind", FITS)
def test_outside_the_tail(kind):
    law = FITS[kind](sample(kind), EDGE)
    below = np.array([1e-300, 1.0, 1.9999])
    assert np.all(law.log_density(below) == -np.inf)
    assert np.all(law.cdf(below) == 0.0)
    assert law.cdf(np.array([EDGE]))[0] == pytest.approx(0.0, abs=1e-14)
    # A power law from 2 to 1e300 leaves 1e-209 above, the others nothing.
    assert law.cdf(np.array([1e300]))[0] == pytest.approx(1.0, abs=1e-14)
    steps = law.cdf(np.geomspace(EDGE, 1e4, 1000))
    assert np.all(np.diff(steps) >= -1e-14)


# ---- single laws


def test_power_law_agrees_with_the_scan():
    evals = sample("power_law")
    fit = fit_power_law(evals)
    law = fit_power_law_above(evals, fit.lambda_min)
    assert law.alpha == pytest.approx(fit.alpha, rel=1e-12)
    reference = scipy.stats.pareto(law.alpha - 1, scale=law.lambda_min)
    tail = evals[evals >= law.lambda_min]
    np.testing.assert_allclose(law.log_density(tail), reference.logpdf(tail), atol=1e-12)
    np.testing.assert_allclose(law.cdf(tail), reference.cdf(tail), atol=1e-13)


def test_exponential_closed_form():
    law = fit_exponential(np.array([1.0, 2.0, 6.0]), 1.0)
    assert law.scale == pytest.approx(2.0, rel=1e-15)
    points = np.array([1.0, 1.5, 4.0])
    np.testing.assert_allclose(law.log_density(points), -math.log(2.0) - (points - 1.0) / 2.0, rtol=1e-14)
    np.testing.assert_allclose(law.cdf(points), 1 - np.exp(-(points - 1.0) / 2.0), atol=1e-15)


def test_stretch_of_one_is_the_exponential():
    evals = sample("exponential")
    np.testing.assert_allclose(
        StretchedExponential(EDGE, 1.0, math.log(3.0)).log_density(evals),
        Exponential(EDGE, math.log(3.0)).log_density(evals),
        rtol=1e-13,
    )


def test_stretched_exponential_agrees_with_scipy():
    evals = sample("stretched_exponential")
    law = fit_stretched_exponential(evals, EDGE)
    assert abs(law.beta - 0.6) < 0.1
    reference = scipy.stats.weibull_min(law.beta, scale=law.scale)
    np.testing.assert_allclose(law.log_density(evals), reference.logpdf(evals) - reference.logsf(EDGE), rtol=1e-11)


def test_log_normal_agrees_with_scipy():
    evals = sample("log_normal", 20_000)
    law = fit_log_normal(evals, EDGE)
    # Within five standard errors, as seen from the curvature of the likelihood.
    assert abs(law.mu - 1.0) < 0.2
    assert abs(law.sigma - 0.7) < 0.06
    cut = (math.log(EDGE) - law.mu) / law.sigma
    reference = scipy.stats.truncnorm(cut, np.inf, loc=law.mu, scale=law.sigma)
    logs = np.log(evals)
    np.testing.assert_allclose(law.log_density(evals), reference.logpdf(logs) - logs, atol=1e-10)
    np.testing.assert_allclose(law.cdf(evals), reference.cdf(logs), atol=1e-12)

    def minus_log_likelihood(parameters):
        mu, sigma = parameters
        return -scipy.stats.truncnorm.logpdf(logs, (math.log(EDGE) - mu) / sigma, np.inf, loc=mu, scale=sigma).sum()

    found = scipy.optimize.minimize(minus_log_likelihood, [0.5, 1.0], method="Nelder-Mead", options={"fatol": 1e-8})
    assert found.x == pytest.approx([law.mu, law.sigma], rel=1e-3)


@pytest.mark.parametrize("cut", [-40.0, -3.0, 0.0, 3.0, 4.9999999, 5.0, 30.0, 3000.0])
def test_relative_variance_of_a_cut_normal(cut):
    """Against 60 digits: hazard H = density/survival, (1 + h H - H^2)/(H - h)^2."""
    with mpmath.workdps(60):
        h = mpmath.mpf(cut)
        hazard = mpmath.npdf(h) / (mpmath.erfc(h / mpmath.sqrt(2)) / 2)
        expected = (1 + h * hazard - hazard**2) / (hazard - h) ** 2
    # Just below 5 the direct form has lost h^4 of 2^-52 to cancellation, and squares that in its quotient.
    assert _relative_variance(cut) == pytest.approx(float(expected), rel=1e-11)


@pytest.mark.parametrize("alpha", [-30.0, -0.5, 0.3, 1.0, 1.00001, 2.0, 2.5, 7.0, 60.0])
@pytest.mark.parametrize("rate", [1e-12, 1e-3, 0.1, 1.0, 30.0, 1e4])
def test_normalization_of_the_truncated_power_law(alpha, rate):
    """It is the generalized exponential integral E_alpha(rate), the incomplete gamma function of 1 - alpha."""
    expected = float(mpmath.log(mpmath.expint(alpha, rate)) + rate)
    assert _integrate(alpha - 1.0, math.log(rate)).log_integral == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_truncated_power_law_recovers_its_cutoff():
    """Rate 0.05 and alpha 2, sampled by rejection: rate within 30 %, alpha within five of its 0.05."""
    evals = draw_truncated_power_law(np.random.default_rng(7), 5000, 2.0, 0.05)
    law = fit_truncated_power_law(evals, 1.0)
    assert 1 / law.cutoff == pytest.approx(0.05, rel=0.3)
    assert abs(law.alpha - 2.0) < 0.25


@pytest.mark.parametrize("alpha", [-1.0, 0.5])
def test_truncated_power_law_below_alpha_one(alpha):
    """Then it is a gamma law cut off at lambda_min, of shape 1 - alpha, which SciPy has."""
    law = TruncatedPowerLaw(1.0, alpha, math.log(4.0))
    reference = scipy.stats.gamma(1 - alpha, scale=4.0)
    points = np.geomspace(1.0, 50.0, 40)
    np.testing.assert_allclose(law.log_density(points), reference.logpdf(points) - reference.logsf(1.0), rtol=1e-11)
    np.testing.assert_allclose(law.cdf(points), 1 - reference.sf(points) / reference.sf(1.0), atol=1e-13)
    evals = reference.isf(np.random.default_rng(8).random(20_000) * reference.sf(1.0))
    fitted = fit_truncated_power_law(evals, 1.0)
    assert abs(fitted.alpha - alpha) < 0.3
    assert fitted.cutoff == pytest.approx(4.0, rel=0.15)


def test_no_cutoff_where_the_mean_is_that_of_the_power_law_or_more():
    """The slope of the likelihood at rate 0 is (mean of the power law) - (mean of the data)."""
    evals = np.array([1.0, 1.1, 1.2, 1.3, 30.0])
    power_law = fit_power_law_above(evals, 1.0)
    assert evals.mean() > (power_law.alpha - 1) / (power_law.alpha - 2) or power_law.alpha <= 2
    spread = np.concatenate([np.full(40, 1.05), [1.0, 40.0]])
    law, power_law = fit_truncated_power_law(spread, 1.0), fit_power_law_above(spread, 1.0)
    assert spread.mean() > (power_law.alpha - 1) / (power_law.alpha - 2) > 0
    assert (law.cutoff, law.alpha) == (math.inf, pytest.approx(power_law.alpha, rel=1e-15))
    np.testing.assert_allclose(law.log_density(spread), power_law.log_density(spread), rtol=1e-14)
    np.testing.assert_allclose(law.cdf(spread), power_law.cdf(spread), atol=1e-15)


@pytest.mark.parametrize("alpha", [-2.0, 1.0, 1.5, 2.5, 6.0])
def test_bounded_power_law_recovers_its_exponent(alpha):
    """Any exponent, those that need the upper bound included; within five standard errors."""
    shares = np.random.default_rng(9).random(4000)
    slope, span = 1.0 - alpha, math.log(15.0)
    logs = span * shares if slope == 0 else np.log1p(shares * math.expm1(slope * span)) / slope
    law = fit_bounded_power_law(3.0 * np.exp(logs), 3.0, 45.0)
    assert abs(law.alpha - alpha) < 5 * law.alpha_sigma
    np.testing.assert_allclose(law.cdf(3.0 * np.exp(logs)), shares, atol=5 / math.sqrt(4000))


def test_bounded_power_law_agrees_with_scipy_and_its_score():
    evals = sample("bounded_power_law")
    law = fit_bounded_power_law(evals, EDGE, 20.0)
    reference = scipy.stats.truncpareto(law.alpha - 1, 10.0, scale=EDGE)
    np.testing.assert_allclose(law.log_density(evals), reference.logpdf(evals), atol=1e-12)
    np.testing.assert_allclose(law.cdf(evals), reference.cdf(evals), atol=1e-13)
    a, b, slope = EDGE, 20.0, law.alpha - 1
    lost = (a**-slope * math.log(a) - b**-slope * math.log(b)) / (a**-slope - b**-slope)
    assert 1 / slope + lost == pytest.approx(np.log(evals).mean(), rel=1e-12)


def test_standard_error_of_the_bounded_exponent():
    """Over 2,000 samples of 100; the scatter of a standard deviation is 1.6 %, five of those 8 %."""
    rng = np.random.default_rng(10)
    fits = [
        fit_bounded_power_law(scipy.stats.truncpareto.rvs(1.5, 10.0, size=100, random_state=rng), 1.0, 10.0)
        for _ in range(2000)
    ]
    alphas = np.array([fit.alpha for fit in fits])
    assert alphas.std() == pytest.approx(np.mean([fit.alpha_sigma for fit in fits]), rel=0.08)


def test_bounded_power_law_becomes_uniform_in_the_logarithm():
    """At alpha = 1 the series takes over; both sides of its ends agree with it."""
    evals = np.exp(np.linspace(0.0, 2.0, 101))
    law = fit_bounded_power_law(evals, 1.0)
    assert law.alpha == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(law.cdf(evals), np.linspace(0.0, 1.0, 101), atol=1e-12)
    np.testing.assert_allclose(law.log_density(evals), -math.log(2.0) - np.log(evals), atol=1e-12)
    assert np.all(law.log_density(np.array([8.0])) == -np.inf)


@pytest.mark.parametrize("fit", [fit_log_normal, fit_stretched_exponential])
def test_beyond_the_relative_variance_of_a_power_law_there_is_no_maximum(fit):
    """Both laws have one as long as mean(x^2) < 2 mean(x)^2 of the logarithms x, and none from there on."""
    inside = np.exp(np.array([0.0, 1.0, 2.0, 3.0, 4.0]))  # mean 2, mean square 6
    outside = np.exp(np.array([0.0, 0.1, 0.1, 0.1, 4.0]))
    assert not isinstance(fit(inside, 1.0), Reason)
    assert fit(outside, 1.0) is Reason.POWER_LAW_LIMIT


def test_log_normal_near_its_limit_is_the_power_law():
    """mu far below, sigma large: the density tends to the power law of exponent 1 - mu/sigma^2."""
    evals = sample("power_law", 200)
    law = LogNormal(EDGE, math.log(EDGE) - 1.7e8, 1e4)
    np.testing.assert_allclose(law.log_density(evals), PowerLaw(EDGE, 2.7).log_density(evals), atol=1e-4)


SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


@SETTINGS
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.floats(1e-3, 5.0))
def test_every_fit_is_finite_or_has_a_reason(seed, n, spread):
    evals = np.exp(spread * np.random.default_rng(seed).standard_normal(n))
    for fit in FITS.values():
        law = fit(evals, float(evals.min()))
        if isinstance(law, Reason):
            assert law is Reason.POWER_LAW_LIMIT  # never that a search gave up
        else:
            assert np.all(np.isfinite(law.log_density(evals)))
            assert np.all((law.cdf(evals) >= 0) & (law.cdf(evals) <= 1))


def test_log_ratios_keep_their_digits():
    assert log_ratios(np.array([1e300]), 5e-324)[0] == pytest.approx(math.log(1e300) - math.log(5e-324), rel=1e-15)
    close = 1e300 * (1 + 2.0**-40)
    assert log_ratios(np.array([close]), 1e300)[0] == pytest.approx(2.0**-40, rel=1e-11)


# ---- input that has no tail, or none that float64 can hold


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_has_no_logarithm(kind, bad):
    with pytest.raises(SetolError, match=r"need positive finite eigenvalues.*with 1 that are not.*Drop zeros"):
        FITS[kind](np.array([1.0, bad, 2.0]), 1.0)
    with pytest.raises(SetolError, match=r"need a positive finite lambda_min; got"):
        FITS[kind](np.array([1.0, 2.0]), bad)
    law = FITS[kind](np.array([1.0, 1.5, 2.0, 3.0]), 1.0)
    for method in (law.log_density, law.cdf):
        with pytest.raises(SetolError, match=r"need positive finite eigenvalues"):
            method(np.array([2.0, bad]))


@pytest.mark.parametrize("kind", FITS)
def test_too_few_or_equal_eigenvalues(kind):
    for evals in ([], [3.0], [1.0, 3.0]):
        assert FITS[kind](np.array(evals), 2.0) is Reason.TOO_FEW_EIGENVALUES
    for lambda_min in (1.0, 2.0):
        assert FITS[kind](np.full(9, 2.0), lambda_min) is Reason.EQUAL_EIGENVALUES
    with pytest.raises(SetolError, match=r"shape \(n,\); got shape \(3, 3\)"):
        FITS[kind](np.ones((3, 3)), 1.0)


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize(
    "evals",
    [
        [5e-324, 1e-323, 1.5e-323, 5e-323],
        [1e300, 2e300, 3e300, 1e301],
        [5e-324, 1e-300, 1.0, 1e300],
        [1.0, 1.0 + 2.0**-52, 1.0 + 2.0**-51],
        [1.0, 1.0, 1.0, 1e308],
    ],
)
def test_the_ends_of_float64(kind, evals):
    law = FITS[kind](np.array(evals), evals[0])
    if isinstance(law, Reason):
        assert law in (Reason.POWER_LAW_LIMIT, Reason.NO_MAXIMUM)
        return
    assert not np.isnan(law.log_density(np.array(evals))).any()
    shares = law.cdf(np.array(evals))
    assert np.all((shares >= 0) & (shares <= 1) & (np.diff(shares, prepend=0.0) >= -1e-12))


@pytest.mark.parametrize("upper", [1.0, 0.5, np.inf, np.nan])
def test_bounded_power_law_needs_room(upper):
    with pytest.raises(SetolError, match=r"need a finite lambda_max above lambda_min = 1.0; got"):
        fit_bounded_power_law(np.array([1.0, 2.0]), 1.0, upper)


def test_bounded_power_law_leaves_out_what_lies_above():
    evals = np.array([1.0, 2.0, 3.0, 100.0])
    assert fit_bounded_power_law(evals, 1.0, 4.0) == fit_bounded_power_law(evals[:3], 1.0, 4.0)


def test_tail_above_takes_ties_with_its_edge():
    tail = tail_above(np.array([3.0, 1.0, 2.0, 2.0, 0.5]), 2.0)
    assert tail.evals.tolist() == [2.0, 2.0, 3.0]
    np.testing.assert_allclose(tail.log_ratios, [0.0, 0.0, math.log(1.5)], rtol=1e-15)


def test_laws_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign to field 'alpha'"):
        PowerLaw(1.0, 2.0).alpha = 3.0
