"""Identities that learning curves fulfil exactly, their limits, and what is refused."""

import numpy as np
import pytest

from setol import SetolError
from setol.field_theory import Architecture, LearningCurve, Spectrum, learning_curve, sphere_spectrum
from setol.field_theory.one_example import error_after_one_example
from setol.field_theory.renormalization import trim_taylor
from tests.setol.field_theory.networks import DEEP, ERF, PAPER

COUNTS = np.array([1e-6, 0.5, 3, 20, 200, 5000, 1e6])
SPECTRA = [sphere_spectrum(DEEP, 15), sphere_spectrum(ERF, 6)]


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("ridge", [0.0, 0.1, 10.0])
def test_learned_modes_and_what_acts_as_ridge_sum_to_the_examples(spectrum, ridge):
    curve = learning_curve(spectrum, [1], COUNTS, ridge=ridge)
    total = curve.learnability @ spectrum.degeneracies + (ridge + spectrum.tail) / curve.kappa
    assert total == pytest.approx(COUNTS, rel=1e-12)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_a_matched_prior_errs_by_its_own_variance(spectrum):
    ridge = 0.1
    power = spectrum.degeneracies * spectrum.eigenvalues
    curve = learning_curve(spectrum, power, COUNTS, ridge=ridge, label_noise=ridge, power_beyond=spectrum.tail)
    assert curve.error == pytest.approx(curve.posterior_variance, rel=1e-9)


def test_a_scaled_problem_has_the_same_error():
    whole = SPECTRA[0]
    scaled = Spectrum(eigenvalues=7 * whole.eigenvalues, degeneracies=whole.degeneracies, tail=7 * whole.tail)
    one = learning_curve(whole, [0, 1, 1], COUNTS, ridge=0.2)
    other = learning_curve(scaled, [0, 1, 1], COUNTS, ridge=1.4)
    assert other.error == pytest.approx(one.error, rel=1e-12)
    assert other.kappa == pytest.approx(7 * one.kappa, rel=1e-12)


def test_limits_of_few_examples_and_of_much_ridge():
    whole = SPECTRA[0]
    few = learning_curve(whole, [0, 1], [1e-6], ridge=0.5)
    assert few.kappa[0] * 1e-6 == pytest.approx(whole.total + 0.5, rel=1e-5)
    assert learning_curve(whole, [0, 0.4, 0.6], [100], ridge=1e12).error[0] == pytest.approx(1, rel=1e-7)


def test_noise_peaks_where_the_examples_determine_degrees_zero_and_one():
    shallow = Architecture(
        hidden_layers=1, activation="erf", weight_variance=1, bias_variance=0.1, kernel="nngp", input_scale=0.2
    )
    counts = np.arange(4, 60)
    noisy, clean = (
        learning_curve(sphere_spectrum(shallow, 15), [0, 1], counts, ridge=1e-10, label_noise=noise).error
        for noise in (0.5, 0.0)
    )
    assert 14 <= counts[noisy.argmax()] <= 18
    assert (np.diff(clean) < 0).all()


def test_without_ridge_a_high_degree_is_worse_than_nothing_at_first():
    errors = learning_curve(SPECTRA[0], [0, 0, 1], [10, 30, 100]).error
    assert errors[0] == pytest.approx(1.22, abs=0.03)
    assert errors[2] < 1


def test_theories_meet_where_examples_are_many():
    trimmed = trim_taylor(DEEP, 15, 3)
    counts = np.array([1e5, 1e6, 1e7])
    curves = {
        method: learning_curve(trimmed.spectrum, [0, 0.5, 0.5], counts, ridge=trimmed.added_ridge, method=method).error
        for method in ("self_consistent", "equivalent_kernel", "paper", "next_order")
    }
    excess = curves["self_consistent"] / curves["equivalent_kernel"] - 1
    assert excess == pytest.approx([0.0236, 0.00240, 0.00024], rel=0.03)
    assert curves["next_order"] == pytest.approx(curves["self_consistent"], rel=2e-3)
    assert (curves["paper"] < curves["next_order"]).all()


def test_the_order_of_the_corrections():
    # N (error/equivalent kernel - 1) tends to 2 L T + T2 for a fixed degree, and the paper's to 2 L T alone.
    trimmed = trim_taylor(DEEP, 8, 2)
    count = 1e9
    learned = trimmed.spectrum.eigenvalues / (trimmed.spectrum.eigenvalues + 0.05 / count)
    first = learned @ trimmed.spectrum.degeneracies
    second = learned**2 @ trimmed.spectrum.degeneracies
    curves = {
        method: learning_curve(trimmed.spectrum, [0, 0, 1], [count], ridge=0.05, method=method, ensemble="poisson")
        for method in ("equivalent_kernel", "paper", "next_order")
    }

    def coefficient(method: str) -> float:
        return count * float(curves[method].error[0] / curves["equivalent_kernel"].error[0] - 1)

    assert coefficient("next_order") == pytest.approx(2 * learned[2] * first + second, rel=1e-4)
    assert coefficient("paper") == pytest.approx(2 * learned[2] * first, rel=1e-4)


def test_noise_makes_a_peak_where_the_linear_modes_are_just_determined():
    architecture = type(ERF)(
        hidden_layers=1, activation="erf", weight_variance=1, bias_variance=0.1, kernel="nngp", input_scale=0.2
    )
    counts = np.arange(8, 40)
    curve = learning_curve(sphere_spectrum(architecture, 15), [0, 1], counts, ridge=1e-10, label_noise=0.5)
    assert 14 <= counts[np.argmax(curve.error)] <= 18


def test_one_example_beats_no_theory():
    spectrum = SPECTRA[0]
    exact = error_after_one_example(spectrum)
    assert exact[:2] == pytest.approx([0.034, 1.654], abs=1e-3)
    curve = learning_curve(spectrum, [1], [1])
    assert curve.error[0] > 5 * exact[0]
    assert "mostly constant" in curve.warnings[0]


def test_the_fit_to_the_training_set():
    curve = learning_curve(SPECTRA[0], [0, 1], [10, 100], ridge=0.0, label_noise=0.3)
    assert curve.training_error.tolist() == [0, 0]
    heavy = learning_curve(SPECTRA[0], [0, 1], [10], ridge=1e9, label_noise=0.3)
    assert heavy.training_error[0] == pytest.approx(1.3, rel=1e-6)


def test_target_power_beyond_the_spectrum_is_not_learned():
    curve: LearningCurve = learning_curve(SPECTRA[0], [0, 0.5], [1e-6, 50], power_beyond=0.5)
    assert curve.error[0] == pytest.approx(1, rel=1e-5)
    assert curve.beyond[1] > 0.5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"n_examples": [0]}, "finite and above 0"),
        ({"n_examples": [-5]}, "finite and above 0"),
        ({"n_examples": []}, "finite and above 0"),
        ({"target_power": [-1]}, "target power of 0 or more"),
        ({"target_power": [float("inf")]}, "finite target power"),
        ({"target_power": np.ones(60)}, "at most 41 degrees"),
        ({"ridge": -1}, "ridge of 0 or more, got -1"),
        ({"label_noise": float("nan")}, "label_noise of 0 or more"),
        ({"power_beyond": -1}, "power_beyond of 0 or more"),
        ({"method": "sc"}, "unknown method 'sc'; known: self_consistent, equivalent_kernel, paper, next_order"),
        ({"ensemble": "canonical"}, "unknown ensemble 'canonical'; known: fixed, poisson"),
        ({"method": "paper"}, "needs a ridge above 0: trim the kernel"),
    ],
)
def test_wrong_calls_are_refused(words, told):
    usual = {"target_power": [0, 1], "n_examples": [10]}
    with pytest.raises(SetolError, match=told):
        learning_curve(SPECTRA[0], **(usual | words))


def test_a_finite_spectrum_that_is_determined_is_refused():
    finite = trim_taylor(DEEP, 8, 2).spectrum
    with pytest.raises(SetolError, match="44 modes of a finite spectrum without ridge: need a ridge"):
        learning_curve(finite, [0, 1], [44])
    assert learning_curve(finite, [0, 1], [43]).error[0] > 0


def test_an_expansion_says_where_it_cannot_be_trusted():
    trimmed = trim_taylor(PAPER, 50, 3)
    curve = learning_curve(trimmed.spectrum, [0, 1], [100, 3500], ridge=trimmed.added_ridge, method="paper")
    assert "reaches 0.99" in curve.warnings[0]
    assert curve.expansion == pytest.approx([0.99, 0.39], abs=0.005)
