"""Free cumulants: the five closed forms, laws, exact fractions, and sums of free matrices."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setol.errors import SetolError
from setol.r_transforms.cumulants import (
    free_cumulants_from_moments,
    moments_from_free_cumulants,
    spectrum_free_cumulants,
)
from setol.r_transforms.empirical import EmpiricalRTransform
from setol.r_transforms.marchenko_pastur import MarchenkoPasturRTransform

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


def closed_forms(moments):
    m1, m2, m3, m4, m5 = moments
    return [
        m1,
        m2 - m1**2,
        m3 - 3 * m2 * m1 + 2 * m1**3,
        m4 - 4 * m3 * m1 - 2 * m2**2 + 10 * m2 * m1**2 - 5 * m1**4,
        m5 - 5 * m4 * m1 + 15 * m3 * m1**2 + 15 * m2**2 * m1 - 35 * m2 * m1**3 - 5 * m3 * m2 + 14 * m1**5,
    ]


def exact_cumulants(evals, order):
    """By the same definition in exact fractions, with the powers of M(z) expanded term by term."""
    fractions = [Fraction(float(value)) for value in evals]
    mean = sum(fractions) / len(fractions)
    moments = [Fraction(1)] + [
        sum((value / mean) ** k for value in fractions) / len(fractions) for k in range(1, order + 1)
    ]
    cumulants = []
    for n in range(1, order + 1):
        power, total = [Fraction(1)] + [Fraction(0)] * n, moments[n]
        for s in range(1, n):
            power = [sum(power[i] * moments[k - i] for i in range(k + 1)) for k in range(n + 1)]
            total -= cumulants[s - 1] * power[n - s]
        cumulants.append(total)
    return cumulants


@pytest.mark.parametrize("seed", range(5))
def test_the_five_closed_forms(seed):
    """On random numbers for moments, whether of a law or not: both sides are polynomials."""
    moments = np.random.default_rng(seed).uniform(-2.0, 2.0, 5)
    # Up to seven terms of size 14 x 2^5 each.
    np.testing.assert_allclose(free_cumulants_from_moments(moments), closed_forms(moments), rtol=1e-13, atol=1e-12)


def test_marchenko_pastur_moments():
    """m_k = sum_r q^r C(k, r) C(k-1, r)/(r+1), kappa_k = q^(k-1)."""
    q, order = 0.4, 12
    pascal = np.zeros((order + 1, order + 1))
    for k in range(order + 1):
        pascal[k, 0] = 1
        pascal[k, 1:] = pascal[k - 1, 1:] + pascal[k - 1, :-1] if k else 0
    moments = np.array(
        [sum(q**r * pascal[k, r] * pascal[k - 1, r] / (r + 1) for r in range(k)) for k in range(1, order + 1)]
    )
    cumulants = MarchenkoPasturRTransform(1 / q).free_cumulants(order)
    np.testing.assert_allclose(cumulants, q ** np.arange(order), rtol=1e-13)
    np.testing.assert_allclose(moments_from_free_cumulants(cumulants), moments, rtol=1e-13)
    # Moments of size 10^4 leave cumulants of 10^-4 some 10^-10 of rounding.
    np.testing.assert_allclose(free_cumulants_from_moments(moments), cumulants, atol=1e-9)


def test_semicircle_moments_are_catalan_numbers():
    moments = np.array([0, 1, 0, 2, 0, 5, 0, 14, 0, 42, 0, 132], dtype=float)
    cumulants = free_cumulants_from_moments(moments)
    np.testing.assert_array_equal(cumulants, np.eye(12)[1])  # whole numbers: exact
    np.testing.assert_array_equal(moments_from_free_cumulants(cumulants), moments)


@SETTINGS
@given(st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=9))
def test_there_and_back(numbers):
    numbers = np.array(numbers)
    np.testing.assert_allclose(
        free_cumulants_from_moments(moments_from_free_cumulants(numbers)), numbers, rtol=1e-9, atol=1e-6
    )


@SETTINGS
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10.0), st.floats(-2.0, 2.0))
def test_scale_and_shift(seed, factor, shift):
    values = np.random.default_rng(seed).standard_normal(20)
    n = np.arange(1, 7)

    def cumulants(numbers):
        return free_cumulants_from_moments((numbers ** n[:, None]).mean(axis=1))

    np.testing.assert_allclose(
        cumulants(factor * values), factor**n * cumulants(values), rtol=1e-8, atol=1e-9 * factor**6 + 1e-10
    )
    np.testing.assert_allclose(cumulants(values + shift)[1:], cumulants(values)[1:], atol=1e-7)
    assert cumulants(values + shift)[0] == pytest.approx(values.mean() + shift, abs=1e-14)


@pytest.mark.parametrize("kind", ["pareto", "lognormal", "uniform", "narrow", "two_point", "zeros"])
def test_spectrum_against_exact_fractions(draw_spectrum, kind):
    """The error bound holds, and is of use: it grants heavy tails five digits at order 10."""
    rng = np.random.default_rng(40)
    evals = {
        "narrow": lambda: 1 + 1e-3 * rng.standard_normal(30),
        "zeros": lambda: np.r_[np.zeros(10), rng.lognormal(size=20)],
    }.get(kind, lambda: draw_spectrum(kind, rng, 30))()
    order = 10
    result, exact = spectrum_free_cumulants(evals, order), exact_cumulants(evals, order)
    errors = np.array(
        [abs(float(Fraction(float(value)) - e)) for value, e in zip(result.cumulants, exact, strict=True)]
    )
    assert np.all(errors <= result.errors)
    sizes = np.abs([float(e) for e in exact])
    if kind in ("pareto", "lognormal"):
        assert np.all(result.errors < 1e-5 * sizes)
    if kind == "narrow":
        # About 0 all moments are 1 and kappa_3, some 1e-10, would keep 6 digits, kappa_5 none.
        assert np.all(result.errors[:5] < 1e-7 * sizes[:5])
    assert result.cumulants[0] == 1.0


@pytest.mark.parametrize("aspect_ratio", [1.0, 2.0, 50.0])
@pytest.mark.parametrize("n", [8192, 16_384])
def test_quantiles_of_marchenko_pastur(marchenko_pastur_quantiles, aspect_ratio, n):
    result = spectrum_free_cumulants(marchenko_pastur_quantiles(n, aspect_ratio), 5)
    # Quantiles are a midpoint rule whose error is 1/n at the edges.
    np.testing.assert_allclose(result.cumulants, aspect_ratio ** -np.arange(5.0), rtol=30 / n)
    assert np.all(result.errors < 1e-9 * result.cumulants)


def test_adds_up_for_free_matrices():
    """Semicircle (moved to positive numbers) and Marchenko-Pastur, one turned against the other at random."""
    rng, n = np.random.default_rng(20), 1000
    H = rng.standard_normal((n, n))
    semicircle = (H + H.T) / np.sqrt(2 * n) + 3 * np.eye(n)
    W = rng.standard_normal((2 * n, n))
    wishart = W.T @ W / (2 * n)
    total = EmpiricalRTransform(np.linalg.eigvalsh(semicircle + wishart)).free_cumulants(4)
    # H is invariant under rotations, so that no further one is needed. Sums: 3 + 1, 1 + 1/2, 1/4, 1/8.
    np.testing.assert_allclose(total[:3], [4.0, 1.5, 0.25], rtol=0.03)
    assert total[3] == pytest.approx(0.125, abs=0.02)  # of kappa_2^2 = 2.25 one per cent
    parts = sum(EmpiricalRTransform(np.linalg.eigvalsh(A)).free_cumulants(4) for A in (semicircle, wishart))
    np.testing.assert_allclose(total, parts, atol=0.02)


@pytest.mark.parametrize("factor", [1e-320, 1e-200, 1.0, 1e300])
def test_scale_of_a_spectrum_drops_out(factor):
    evals = np.array([1.0, 4.0, 2.0, 0.0, 8.0])
    result = spectrum_free_cumulants(evals * factor, 6)
    # 1e-320 itself is rounded to a whole number of denormal steps, of which it has 2,024.
    np.testing.assert_allclose(result.cumulants, spectrum_free_cumulants(evals, 6).cumulants, rtol=1e-11)


def test_highest_order_of_a_very_heavy_tail(draw_pareto):
    evals = draw_pareto(np.random.default_rng(1), 20_000, 1.3)
    result = spectrum_free_cumulants(evals, 32)
    moment = (evals / evals.mean()) ** 32
    assert np.isfinite(result.cumulants).all()
    # m_n outweighs all products of lower moments by powers of n.
    assert result.cumulants[-1] == pytest.approx(moment.mean(), rel=0.1)


def test_equal_eigenvalues_and_one():
    for evals in (np.full(9, 0.3), np.array([7.0])):
        np.testing.assert_array_equal(spectrum_free_cumulants(evals, 4).cumulants, [1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("numbers", [np.array([]), np.array([1.0, np.nan]), np.array([np.inf]), np.ones((1, 2))])
def test_refuses_what_are_no_moments(numbers):
    with pytest.raises(SetolError, match=r"need at least one finite number, shape \(order,\), as moments; got"):
        free_cumulants_from_moments(numbers)
    with pytest.raises(SetolError, match=r"need at least one finite number, shape \(order,\), as free cumulants; got"):
        moments_from_free_cumulants(numbers)


def test_results_that_leave_float64():
    with pytest.raises(SetolError, match="need free cumulants that fit float64; that of order 2 does not"):
        free_cumulants_from_moments(np.array([1e200, 1.0]))
    with pytest.raises(SetolError, match="need moments that fit float64; that of order 2 does not"):
        moments_from_free_cumulants(np.array([1e200, 1.0]))


@pytest.mark.parametrize("order", [0, -3, 33, 2.0, False])
def test_refuses_what_is_no_order(order):
    with pytest.raises(SetolError, match=r"need (a whole order of at least 1|an order of at most 32); got"):
        spectrum_free_cumulants(np.array([1.0, 2.0]), order)


@pytest.mark.parametrize(
    ("evals", "message"),
    [
        (np.array([]), "need at least one eigenvalue"),
        (np.zeros(3), "need at least one positive eigenvalue for the trace scale; got only zeros"),
        (np.array([1.0, -2.0]), r"got 1 others, the first -2\.0"),
        (np.array([1.0, np.nan]), "got 1 others, the first nan"),
        (np.array([np.inf, 1.0]), "got 1 others, the first inf"),
    ],
)
def test_refuses_what_is_no_spectrum(evals, message):
    with pytest.raises(SetolError, match=message):
        spectrum_free_cumulants(evals, 3)
