"""Matrices of independent heavy-tailed entries: theory has alpha = 1 + mu/2 for entries of index mu below 2."""

import numpy as np
import pytest
import torch

from setol.random_matrix.universality import alpha_of_mu
from setol.tails.power_law import fit_power_law
from setol.weights.decomposition import decompose


def fitted_alpha(rng, n_rows, n_cols, mu):
    """Of entries of random sign with P(|W| > x) = x^-mu from 1 up."""
    W = rng.choice([-1.0, 1.0], (n_rows, n_cols)) * (1.0 - rng.random((n_rows, n_cols))) ** (-1.0 / mu)
    evals = decompose(torch.from_numpy(W)[None]).evals[0]
    return fit_power_law(evals[evals > 0]).alpha


@pytest.mark.parametrize("n_rows", [400, 800, 1600, 4000])
@pytest.mark.parametrize("seed", range(3))
def test_of_every_aspect_ratio(n_rows, seed):
    """Index 1: 1.5 in the limit; 40 draws of each shape have means of 1.46 to 1.50, deviations of 0.06."""
    assert alpha_of_mu(1.0) == 1.5
    assert 1.2 <= fitted_alpha(np.random.default_rng([26, seed, n_rows]), n_rows, 400, 1.0) <= 1.8


def test_heavier_entries_have_heavier_spectra():
    alphas = [
        np.mean([fitted_alpha(np.random.default_rng([27, seed]), 600, 300, mu) for seed in range(5)])
        for mu in (0.5, 1.0, 1.5, 2.0)
    ]
    assert alphas == sorted(alphas)
    assert alphas[0] == pytest.approx(alpha_of_mu(0.5), abs=0.1)
