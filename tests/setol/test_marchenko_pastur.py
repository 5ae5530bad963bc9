"""The Marchenko-Pastur law: quadrature of its density, then a Gaussian matrix, then what scaling must do."""

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st

from setol import SetolError, effective_correlation_space
from setol.random_matrix.layer_spectrum import LayerSpectrum
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.random_matrix.spikes import count_spikes
from setol.random_matrix.variance import bulk_by_iteration

ASPECT_RATIOS = (1.0, 1.0001, 1.5, 2.0, 10.0, 1000.0)
ASPECTS = pytest.mark.parametrize("aspect_ratio", ASPECT_RATIOS)


def mean_under(law, function, start=0.0, end=1.0):
    """Integral of a function times the density between two shares of the angle, by quadrature."""
    low, width = law.lambda_minus, law.lambda_plus - law.lambda_minus

    def integrand(t):  # lambda = low + width sin^2 t smooths both edges
        x = low + width * np.sin(t) ** 2
        return function(x) * float(law.density(x)) * 2 * width * np.sin(t) * np.cos(t)

    half_pi = np.pi / 2
    return scipy.integrate.quad(integrand, start * half_pi, end * half_pi, epsabs=1e-13, epsrel=1e-11, limit=400)[0]


@ASPECTS
@pytest.mark.parametrize("variance", [1.0, 0.03, 1e6])
def test_edges_and_mass(aspect_ratio, variance):
    law = MarchenkoPastur(aspect_ratio, variance)
    root = np.sqrt(1 / aspect_ratio)
    assert law.lambda_plus == pytest.approx(variance * (1 + root) ** 2, rel=1e-14)
    assert law.lambda_minus == pytest.approx(variance * (1 - root) ** 2, rel=1e-9, abs=1e-300)
    assert mean_under(law, lambda x: 1.0) == pytest.approx(1, abs=1e-9)
    assert list(law.cdf([law.lambda_minus, law.lambda_plus, -1.0, np.inf])) == pytest.approx([0, 1, 0, 1], abs=1e-13)
    assert not np.any(law.density([-1.0, law.lambda_plus * 1.001, np.inf]))


@ASPECTS
def test_cdf_is_the_integral_of_the_density(aspect_ratio):
    law = MarchenkoPastur(aspect_ratio, 2.5)
    for end in (1e-3, 0.1, 0.5, 0.9, 0.999):
        x = law.lambda_minus + (law.lambda_plus - law.lambda_minus) * np.sin(end * np.pi / 2) ** 2
        # The closed form loses a factor sqrt(Q) of 1e-16; quadrature is good to 1e-12.
        assert float(law.cdf(x)) == pytest.approx(mean_under(law, lambda x: 1.0, end=end), abs=2e-12)


@ASPECTS
def test_quantile_inverts_the_cdf(aspect_ratio):
    law = MarchenkoPastur(aspect_ratio, 0.7)
    shares = np.r_[0.0, 1e-6, np.linspace(0.01, 0.99, 99), 1 - 1e-6, 1.0]
    points = law.quantile(shares)
    assert np.all(np.diff(points) > 0)
    assert law.cdf(points) == pytest.approx(shares, abs=1e-13)
    # The mass next to an edge is its distance to the power 3/2, so rounding 1 moves the point by 1e-16^(2/3).
    assert (points[0], points[-1]) == (
        pytest.approx(law.lambda_minus, abs=1e-10),
        pytest.approx(law.lambda_plus, abs=1e-9),
    )
    assert law.median == points[np.searchsorted(shares, 0.5)]


def test_quarter_circle_of_a_square_matrix():
    sigma = 0.6
    law = MarchenkoPastur(1.0, sigma**2)
    nu = np.linspace(0, 2 * sigma, 50)
    assert law.singular_value_density(nu) == pytest.approx(np.sqrt(4 * sigma**2 - nu**2) / (np.pi * sigma**2), abs=1e-7)
    assert law.density(0.0) == np.inf


@ASPECTS
def test_singular_values_have_the_density_of_their_squares(aspect_ratio):
    law = MarchenkoPastur(aspect_ratio, 3.0)
    nu = np.sqrt(law.quantile(np.linspace(0.05, 0.95, 19)))
    assert law.singular_value_density(nu) == pytest.approx(law.density(nu**2) * 2 * nu, rel=1e-12)


@ASPECTS
@pytest.mark.parametrize("order", [1, 2, 3, 4, 7])
def test_moments_by_quadrature(aspect_ratio, order):
    law = MarchenkoPastur(aspect_ratio, 1.3)
    assert law.moment(order) == pytest.approx(mean_under(law, lambda x: x**order), rel=1e-9)


def test_first_moments_by_hand():
    law = MarchenkoPastur(4.0, 2.0)
    q = 0.25
    assert law.moment(1) == 2.0
    assert law.moment(2) == 4 * (1 + q)
    assert law.moment(3) == 8 * (1 + 3 * q + q**2)


@ASPECTS
def test_free_cumulants_follow_from_the_moments(aspect_ratio):
    """The four closed forms of cumulants in moments."""
    law = MarchenkoPastur(aspect_ratio, 1.7)
    m1, m2, m3, m4 = (law.moment(k) for k in (1, 2, 3, 4))
    expected = (m1, m2 - m1**2, m3 - 3 * m2 * m1 + 2 * m1**3)
    assert [law.free_cumulant(k) for k in (1, 2, 3)] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    fourth = m4 - 4 * m3 * m1 - 2 * m2**2 + 10 * m2 * m1**2 - 5 * m1**4
    assert law.free_cumulant(4) == pytest.approx(fourth, rel=1e-4, abs=1e-12)  # the moments cancel for large Q


@ASPECTS
def test_mean_log_by_quadrature(aspect_ratio):
    law = MarchenkoPastur(aspect_ratio, 0.4)
    assert law.mean_log == pytest.approx(mean_under(law, np.log), abs=1e-8)


@ASPECTS
def test_stieltjes_transform_by_quadrature(aspect_ratio):
    law = MarchenkoPastur(aspect_ratio, 2.0)
    reals = [law.lambda_plus * 1.1, law.lambda_plus * 50, -0.5]
    if law.lambda_minus > 1e-3:
        reals.append(law.lambda_minus / 2)
    for z in reals:
        assert float(law.stieltjes(z)) == pytest.approx(mean_under(law, lambda x, z=z: 1 / (z - x)), rel=1e-9)
    for z in (1 + 1j, 1 - 0.3j, -2 + 0.01j):
        value = complex(law.stieltjes(z))
        assert value.real == pytest.approx(mean_under(law, lambda x, z=z: (1 / (z - x)).real), rel=1e-8)
        assert value.imag == pytest.approx(mean_under(law, lambda x, z=z: (1 / (z - x)).imag), rel=1e-8)


def test_stieltjes_transform_solves_its_equation_far_out():
    """z = 1/G + R(G) with R(g) = v/(1 - q v g), without cancellation up to 1e15."""
    law = MarchenkoPastur(3.0, 1.5)
    z = np.geomspace(law.lambda_plus * 1.01, 1e15, 30)
    g = law.stieltjes(z)
    assert 1 / g + 1.5 / (1 - law.q * 1.5 * g) == pytest.approx(z, rel=1e-13)


@pytest.fixture(scope="module")
def gaussian_spectrum():
    W = np.random.default_rng(4).standard_normal((4000, 2000))
    return LayerSpectrum(np.linalg.eigvalsh(W.T @ W), 4000, 2000)


def test_a_gaussian_matrix_has_this_law(gaussian_spectrum):
    law = MarchenkoPastur(2.0)
    evals = gaussian_spectrum.over_n
    # Linear statistics of eigenvalues fluctuate like 1/n, not 1/sqrt(n).
    assert law.ks_distance(evals) < 0.005
    for order in (1, 2, 3, 4):
        assert np.mean(evals**order) == pytest.approx(law.moment(order), rel=0.01)
    m = [np.mean(evals**k) for k in range(5)]
    cumulants = [
        m[1],
        m[2] - m[1] ** 2,
        m[3] - 3 * m[2] * m[1] + 2 * m[1] ** 3,
        m[4] - 4 * m[3] * m[1] - 2 * m[2] ** 2 + 10 * m[2] * m[1] ** 2 - 5 * m[1] ** 4,
    ]
    for order, cumulant in enumerate(cumulants, start=1):
        assert cumulant == pytest.approx(0.5 ** (order - 1), rel=0.03)
    assert np.mean(np.log(evals)) == pytest.approx(law.mean_log, abs=0.005)


def test_a_gaussian_matrix_has_neither_spikes_nor_a_soft_rank(gaussian_spectrum):
    bulk = bulk_by_iteration(gaussian_spectrum)
    spikes = count_spikes(gaussian_spectrum, bulk.law.variance)
    assert spikes.n_spikes == 0
    assert spikes.mp_soft_rank == pytest.approx(1, abs=0.02)
    ecs = effective_correlation_space(gaussian_spectrum.evals)
    assert ecs.n / 2000 == pytest.approx(0.8145, abs=0.005)
    assert ecs.lambda_min == pytest.approx(0.3117, abs=0.005)


def test_ks_distance_is_two_sided():
    law = MarchenkoPastur(2.0)
    low = law.quantile((np.arange(10) + 0.5) / 10)
    assert law.ks_distance(low) == pytest.approx(0.05, abs=1e-12)  # mid-quantiles are half a step off
    assert law.ks_distance(np.full(4, law.lambda_plus)) == pytest.approx(1)
    assert law.ks_distance(np.zeros(3)) == pytest.approx(1)


def test_ks_distance_equals_scipy(gaussian_spectrum):
    from scipy.stats import kstest

    evals = gaussian_spectrum.over_n[::50]
    law = MarchenkoPastur(2.0, 1.1)
    assert law.ks_distance(evals[::-1]) == pytest.approx(kstest(evals, law.cdf).statistic, rel=1e-12)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(1, 1e4), st.floats(1e-280, 1e280), st.floats(0.001, 0.999))
def test_variance_is_a_scale(aspect_ratio, variance, share):
    unit, law = MarchenkoPastur(aspect_ratio), MarchenkoPastur(aspect_ratio, variance)
    point = unit.quantile(share)
    assert float(law.quantile(share)) == pytest.approx(float(point) * variance, rel=1e-12)
    assert float(law.density(point * variance)) * variance == pytest.approx(float(unit.density(point)), rel=1e-6)
    assert float(law.cdf(point * variance)) == pytest.approx(share, abs=1e-11)
    assert law.mean_log - np.log(variance) == pytest.approx(unit.mean_log, abs=1e-11)


@pytest.mark.parametrize("aspect_ratio", [0.5, 0.0, -1.0, np.nan, np.inf])
def test_refuses_an_aspect_ratio_below_1(aspect_ratio):
    with pytest.raises(SetolError, match="need a finite aspect ratio Q = N/M of at least 1"):
        MarchenkoPastur(aspect_ratio)


@pytest.mark.parametrize("variance", [0.0, -1.0, 5e-324, 1e307, np.nan, np.inf])
def test_refuses_what_is_no_variance(variance):
    with pytest.raises(SetolError, match="need a variance above 0"):
        MarchenkoPastur(2.0, variance)


def test_refuses_bad_points():
    law = MarchenkoPastur(2.0)
    for function in (law.density, law.singular_value_density, law.cdf, law.ks_distance):
        with pytest.raises(SetolError, match="need points that are numbers; got 1 NaN"):
            function(np.array([1.0, np.nan]))
    with pytest.raises(SetolError, match="need at least one eigenvalue"):
        law.ks_distance(np.array([]))
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(SetolError, match=r"need shares inside \[0, 1\]"):
            law.quantile(share)
    for order in (0, -1):
        with pytest.raises(SetolError, match="need an order of at least 1"):
            law.moment(order)
        with pytest.raises(SetolError, match="need an order of at least 1"):
            law.free_cumulant(order)
    with pytest.raises(SetolError, match="need a moment that fits float64; got one of order 2"):
        MarchenkoPastur(2.0, 1e300).moment(2)
    with pytest.raises(SetolError, match="need a moment that fits float64; got one of order 2000"):
        MarchenkoPastur(1.0).moment(2000)
    with pytest.raises(SetolError, match="need a free cumulant that fits float64; got one of order 3"):
        MarchenkoPastur(2.0, 1e300).free_cumulant(3)
    with pytest.raises(SetolError, match="need real points outside"):
        law.stieltjes(1.0)
    with pytest.raises(SetolError, match="need finite points"):
        law.stieltjes([np.inf])
    assert law.density([]).shape == (0,)
    assert law.cdf([]).shape == (0,)
