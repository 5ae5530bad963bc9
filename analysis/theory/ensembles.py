"""Synthetic layers whose phase is known by how they are made, and what the rule says of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol import PowerLawFit, Reason, fit_power_law
from setol.random_matrix.layer_spectrum import LayerSpectrum
from setol.random_matrix.phases import PhaseVerdict, classify_phase
from setol.random_matrix.variance import Bulk, bulk_by_iteration, bulk_by_quantile
from setol.tails.exponential import fit_exponential
from setol.tails.likelihood_ratio import likelihood_ratio
from setol.tails.power_law import fit_power_law_above

N_ROWS, N_COLS = 800, 400

RESOLVED = 2.0**-52
"""Eigenvalues below N times this share of the largest are rounding, and set to 0."""


@dataclass(frozen=True, slots=True)
class SyntheticLayer:
    """One drawn layer with everything the rule of the phases looked at; lambdas in the raw scale.

    Attributes:
        name: Which ensemble it is drawn from.
        recipe: How it is made, in a few words.
        spectrum: Its eigenvalues.
        bulk: The Marchenko-Pastur law, or why there is none.
        tail: The power-law fit of the positive eigenvalues, or why there is none.
        verdict: The phase and what decided it, or why there is none.
    """

    name: str
    recipe: str
    spectrum: LayerSpectrum
    bulk: Bulk | Reason
    tail: PowerLawFit | Reason
    verdict: PhaseVerdict | Reason


def synthetic_layers(seed: int = 0) -> tuple[SyntheticLayer, ...]:
    """A layer of each of the 5+1 phases, 800 x 400.

    Args:
        seed: Of the draws; every ensemble has a generator of its own.
    """
    draws = [np.random.default_rng((seed, index)) for index in range(6)]
    weights = {
        ("random-like", "independent normal entries"): noise(draws[0]),
        ("bleeding-out", "noise + 3 signals just above the transition"): noise(draws[1])
        + signals(draws[1], [1.1, 1.08, 1.05]),
        ("bulk + spikes", "noise + 3 strong signals"): noise(draws[2]) + signals(draws[2], [3.0, 2.5, 2.0]),
        ("bulk-decay", "columns of log-normal size"): noise(draws[3]) * np.exp(0.35 * draws[3].standard_normal(N_COLS)),
        ("heavy-tailed", "columns of Pareto variance, alpha 2.4"): noise(draws[4])
        * (1 - draws[4].random(N_COLS)) ** (-0.5 / 1.4),
        ("rank collapse", "a product of rank 240 of 400"): draws[5].standard_normal((N_ROWS, 240))
        @ draws[5].standard_normal((240, N_COLS)),
    }
    return tuple(_judged(name, recipe, matrix) for (name, recipe), matrix in weights.items())


def noise(rng: np.random.Generator, n_rows: int = N_ROWS, n_cols: int = N_COLS) -> NDArray[np.float64]:
    """A matrix of independent standard normal entries, shape (n_rows, n_cols)."""
    return rng.standard_normal((n_rows, n_cols))


def signals(
    rng: np.random.Generator, strengths: list[float], n_rows: int = N_ROWS, n_cols: int = N_COLS
) -> NDArray[np.float64]:
    """A sum of rank-one matrices in random orthogonal directions, shape (n_rows, n_cols).

    Args:
        rng: Where the directions come from.
        strengths: theta of each, in units of sigma sqrt(N).
        n_rows: N.
        n_cols: M.
    """
    left = np.linalg.qr(rng.standard_normal((n_rows, len(strengths))))[0]
    right = np.linalg.qr(rng.standard_normal((n_cols, len(strengths))))[0]
    return np.sqrt(n_rows) * (left * np.array(strengths)) @ right.T


def spectrum_of(weights: NDArray[np.float64]) -> LayerSpectrum:
    """The spectrum of a matrix with at least as many rows as columns, what rounding left of zeros taken off."""
    n_rows, n_cols = weights.shape
    evals = np.linalg.eigvalsh(weights.T @ weights)
    return LayerSpectrum(np.where(evals > n_rows * RESOLVED * evals[-1], evals, 0.0), n_rows, n_cols)


def _judged(name: str, recipe: str, weights: NDArray[np.float64]) -> SyntheticLayer:
    """The layer as `setol run` judges one."""
    spectrum = spectrum_of(weights)
    bulk = bulk_by_iteration(spectrum)
    if isinstance(bulk, Reason):
        bulk = bulk_by_quantile(spectrum)
    positive = spectrum.evals[spectrum.evals > 0]
    tail = fit_power_law(positive)
    ratio, p_value = _against_exponential(positive, tail)
    verdict = classify_phase(spectrum, bulk, tail, exponential_ratio=ratio, exponential_p=p_value)
    return SyntheticLayer(name, recipe, spectrum, bulk, tail, verdict)


def _against_exponential(
    evals: NDArray[np.float64], tail: PowerLawFit | Reason
) -> tuple[float, float] | tuple[None, None]:
    if isinstance(tail, Reason):
        return None, None
    power_law, exponential = fit_power_law_above(evals, tail.lambda_min), fit_exponential(evals, tail.lambda_min)
    if isinstance(power_law, Reason) or isinstance(exponential, Reason):
        return None, None
    ratio = likelihood_ratio(evals, power_law, exponential)
    return (None, None) if isinstance(ratio, Reason) else (ratio.log_ratio, ratio.p_value)
