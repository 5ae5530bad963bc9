"""What the theory is for: choosing a network, choosing a ridge, real features, power laws."""

import itertools

import numpy as np
import pytest

from setol import SetolError
from setol.field_theory import Architecture, Spectrum, learning_curve, sphere_spectrum
from setol.field_theory.features import empirical_modes
from setol.field_theory.power_laws import curve_exponents, rank_exponent
from setol.field_theory.selection import best_ridge, rank
from tests.setol.field_theory.networks import DEEP


def test_candidates_come_in_the_order_of_their_curves():
    networks = [
        Architecture(hidden_layers=1, activation=activation, weight_variance=weight, bias_variance=0.1)
        for activation, weight in itertools.product(("relu", "erf"), (0.5, 2))
    ]
    ranked = rank(networks, [1e-3, 0.1], dimension=15, n_examples=300, target_power=[0, 0.6, 0.4], label_noise=0.1)
    assert len(ranked) == 8
    assert [each.error for each in ranked] == sorted(each.error for each in ranked)
    best = ranked[0]
    spectrum = sphere_spectrum(best.architecture, 15)
    again = learning_curve(spectrum, [0, 0.6, 0.4], [300], ridge=best.ridge, label_noise=0.1)
    assert best.error == again.error[0]
    with pytest.raises(SetolError, match="at least one architecture"):
        rank([], [0.1], dimension=15, n_examples=300, target_power=[0, 1])


def test_the_best_ridge_is_no_worse_than_any_of_a_fine_grid():
    spectrum = sphere_spectrum(DEEP, 15)
    for count, noise in itertools.product((5, 15, 60, 1000), (0.0, 0.5)):

        def error(ridge, count=count, noise=noise):
            return learning_curve(spectrum, [0, 1, 0.5], [count], ridge=ridge, label_noise=noise).error[0]

        found = error(best_ridge(spectrum, [0, 1, 0.5], count, label_noise=noise))
        grid = min(error(ridge) for ridge in [0, *spectrum.total * np.logspace(-7, 3.9, 401)])
        assert found <= grid * (1 + 1e-5)


def test_with_the_best_ridge_more_examples_are_never_worse():
    spectrum = sphere_spectrum(DEEP, 15)
    for noise in (0.0, 0.5):
        errors = [
            learning_curve(
                spectrum,
                [0, 0.5, 0.5],
                [count],
                ridge=best_ridge(spectrum, [0, 0.5, 0.5], count, label_noise=noise),
                label_noise=noise,
            ).error[0]
            for count in np.geomspace(2, 3000, 16)
        ]
        assert (np.diff(errors) < 0).all()


def test_features_of_known_spectrum_are_taken_apart():
    generator = np.random.default_rng(0)
    pool, eigenvalues = 1500, np.arange(1, 61) ** -1.5
    features = generator.standard_normal((pool, 60))
    weights = generator.standard_normal(60)
    modes = empirical_modes((features * eigenvalues) @ features.T, features @ weights)
    assert len(modes.spectrum.eigenvalues) == 60
    assert modes.spectrum.eigenvalues[:10] == pytest.approx(eigenvalues[:10], rel=0.15)
    assert modes.target_power.sum() + modes.power_beyond == pytest.approx(np.mean((features @ weights) ** 2), rel=1e-9)
    assert modes.power_beyond == pytest.approx(0, abs=1e-6)
    short = empirical_modes((features * eigenvalues) @ features.T, features @ weights, rank=10)
    assert short.spectrum.total == pytest.approx(modes.spectrum.total, rel=1e-9)
    assert short.power_beyond == pytest.approx(modes.target_power[10:].sum(), rel=1e-6)


def test_a_curve_from_features_is_the_measured_one():
    generator = np.random.default_rng(1)
    pool, width, ridge = 1500, 100, 0.5
    eigenvalues = np.arange(1, width + 1) ** -1.5
    features = generator.standard_normal((pool, width)) * np.sqrt(eigenvalues)
    target = features @ generator.standard_normal(width)
    modes = empirical_modes(features @ features.T, target)
    counts = [30, 120]
    predicted = learning_curve(modes.spectrum, modes.target_power, counts, ridge=ridge, power_beyond=modes.power_beyond)
    for index, count in enumerate(counts):
        errors = []
        for _ in range(40):
            chosen = generator.permutation(pool)
            train, test = chosen[:count], chosen[count:]
            gram = features[train] @ features[train].T + ridge * np.eye(count)
            fitted = features[test] @ (features[train].T @ np.linalg.solve(gram, target[train]))
            errors.append(np.mean((fitted - target[test]) ** 2))
        error = np.std(errors, ddof=1) / np.sqrt(len(errors))
        assert abs(np.mean(errors) - predicted.error[index]) < max(0.05 * predicted.error[index], 3 * error)


@pytest.mark.parametrize(("a", "b", "ridge"), [(1.5, 1.5, 0), (2, 2.5, 0), (2, 2, 1), (2, 3, 0.3)])
def test_power_laws_have_the_predicted_exponents(a, b, ridge):
    k = np.arange(1, 300_001, dtype=float)
    tail, beyond = (len(k) ** (1 - exponent) / (exponent - 1) for exponent in (a, b))  # of all that follow
    spectrum = Spectrum(eigenvalues=k**-a, degeneracies=np.ones(len(k)), tail=tail)
    errors = learning_curve(spectrum, k**-b, [1000, 4000], ridge=ridge, power_beyond=beyond).error
    expected = curve_exponents(a, b, with_ridge=ridge > 0).bias
    assert -np.log(errors[1] / errors[0]) / np.log(4) == pytest.approx(expected, rel=0.05)
    assert rank_exponent(spectrum.eigenvalues, 10, 1000) == pytest.approx(a, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: curve_exponents(0.9, 2, with_ridge=False), "exponents above 1"),
        (lambda: rank_exponent(np.ones(5), 3, 9), "1 <= first < last <= 5"),
        (lambda: rank_exponent(np.zeros(5), 1, 5), "values above 0"),
        (lambda: empirical_modes(np.ones((3, 2)), np.ones(3)), "square kernel"),
        (lambda: empirical_modes(np.eye(3), np.ones(2)), "square kernel and as many targets"),
        (lambda: empirical_modes(np.diag([1.0, -1.0]), np.ones(2)), "positive kernel"),
        (lambda: empirical_modes(np.full((2, 2), np.nan), np.ones(2)), "finite kernel"),
        (lambda: empirical_modes(np.eye(2), np.ones(2), rank=0), "rank of at least 1"),
    ],
)
def test_wrong_calls_are_refused(call, told):
    with pytest.raises(SetolError, match=told):
        call()
