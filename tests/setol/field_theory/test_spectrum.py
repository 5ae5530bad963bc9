"""Eigenvalues on the sphere: two ways to compute them, sum rules, and the paper's numbers."""

import numpy as np
import pytest
from scipy.special import roots_legendre

from setol import SetolError
from setol.field_theory import Spectrum, sphere_spectrum
from setol.field_theory.kernels import kernel_at_one, kernel_values
from setol.field_theory.renormalization import cut_spectrum, trim_taylor
from setol.field_theory.sphere import degeneracies, gegenbauer_polynomials
from tests.setol.field_theory.networks import ALL, DEEP, ERF, PAPER


def test_degeneracies_in_three_dimensions_are_odd_numbers():
    assert degeneracies(3, 6).tolist() == [1, 3, 5, 7, 9, 11, 13]
    assert degeneracies(4, 4).tolist() == [(degree + 1) ** 2 for degree in range(5)]


@pytest.mark.parametrize("dimension", [3, 5, 15])
def test_polynomials_are_orthogonal_with_the_degeneracies(dimension):
    nodes, weights = roots_legendre(400)
    angle = np.pi / 2 * (nodes + 1)
    weights = weights * np.sin(angle) ** (dimension - 2)
    weights /= weights.sum()
    values = np.array(list(gegenbauer_polynomials(np.cos(angle), dimension, 8)))
    assert values @ np.diag(weights) @ values.T == pytest.approx(np.diag(1 / degeneracies(dimension, 8)), abs=1e-13)


@pytest.mark.parametrize(("dimension", "tolerance"), [(5, 2e-6), (15, 1e-9), (50, 1e-9)])
@pytest.mark.parametrize("architecture", ALL)
def test_series_and_quadrature_agree(architecture, dimension, tolerance):
    # The series is cut after 4,001 terms, which shows in 5 dimensions; quadrature resolves 1e-14 of the diagonal.
    series = sphere_spectrum(architecture, dimension, 6, "series").eigenvalues
    quadrature = sphere_spectrum(architecture, dimension, 6, "quadrature").eigenvalues
    resolved = quadrature > 1e-7 * series[0] * (1e-2 if dimension == 5 else 1)
    assert resolved[:2].any()
    assert series[resolved] == pytest.approx(quadrature[resolved], rel=tolerance)


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("dimension", [5, 15, 50])
def test_sum_rules_and_the_bound(architecture, dimension):
    spectrum = sphere_spectrum(architecture, dimension)
    assert spectrum.total == pytest.approx(kernel_at_one(architecture), rel=1e-10)
    assert (spectrum.eigenvalues <= kernel_at_one(architecture) / spectrum.degeneracies * (1 + 1e-12)).all()
    nodes, weights = roots_legendre(3000)
    angle = np.pi / 2 * (nodes + 1)
    weights = weights * np.sin(angle) ** (dimension - 2)
    square = weights @ kernel_values(architecture, np.cos(angle)) ** 2 / weights.sum()
    assert spectrum.degeneracies @ spectrum.eigenvalues**2 == pytest.approx(square, rel=1e-7)


@pytest.mark.parametrize("architecture", [DEEP, ERF])
def test_the_spectrum_gives_the_kernel_back(architecture):
    t = np.linspace(-0.9, 0.9, 19)
    spectrum = sphere_spectrum(architecture, 15, 200)
    factors = spectrum.eigenvalues * spectrum.degeneracies
    found = sum(factor * value for factor, value in zip(factors, gegenbauer_polynomials(t, 15, 200), strict=True))
    assert found == pytest.approx(kernel_values(architecture, t), rel=1e-10)


def test_the_papers_numbers():
    # Cohen, Malka and Ringel: 3.19, 7.27e-3 (a slip: 7.27e-4), 5.98e-6, 1.62e-7 and 0.018.
    found = trim_taylor(PAPER, 50, 3)
    assert found.spectrum.eigenvalues == pytest.approx([3.194, 7.274e-4, 5.982e-6, 1.620e-7], rel=1e-3)
    assert found.added_ridge == pytest.approx(0.01873, rel=1e-3)
    assert kernel_at_one(PAPER) == pytest.approx(3.26, rel=1e-12)
    assert found.spectrum.total + found.added_ridge == pytest.approx(3.26, rel=1e-12)


def test_a_cut_spectrum_keeps_what_it_keeps():
    whole = sphere_spectrum(DEEP, 15)
    found = cut_spectrum(whole, 3)
    assert found.spectrum.eigenvalues.tolist() == whole.eigenvalues[:4].tolist()
    assert found.spectrum.total + found.added_ridge == pytest.approx(whole.total, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: sphere_spectrum(DEEP, 2), "at least 3 dimensions .* got 2"),
        (lambda: sphere_spectrum(DEEP, 15, -1), "highest degree of 0 or more, got -1"),
        (lambda: sphere_spectrum(DEEP, 15, method="gauss"), "unknown method 'gauss'; known: auto, series, quadrature"),
        (lambda: trim_taylor(DEEP, 15, -1), "order of 0 or more"),
        (lambda: cut_spectrum(sphere_spectrum(DEEP, 15, 4), 5), "from 0 to 4, got 5"),
        (lambda: Spectrum(eigenvalues=np.ones(2), degeneracies=np.ones(3)), "as many degeneracies"),
        (lambda: Spectrum(eigenvalues=-np.ones(2), degeneracies=np.ones(2)), "not positive"),
        (lambda: Spectrum(eigenvalues=np.ones(2), degeneracies=np.ones(2), tail=-1), "tail of 0 or more"),
    ],
)
def test_wrong_calls_are_refused(call, told):
    with pytest.raises(SetolError, match=told):
        call()
