"""What may happen to a weight matrix without changing its row of metrics, and how the row changes with its scale.

From the tensor to the row, everything stored and everything computed. A column that is not named here must not change:
a new one is tested from the day that it is there.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogs import WeightFile
from checkpoints.open import StateDict
from pipeline.decomposition.spectra import spectra_table
from pipeline.measurement.metrics import layers_table
from pipeline.measurement.vector_columns import SPREADS
from pipeline.options import MetricOptions, SpectrumOptions
from pipeline.store.records import SPECTRA_SCHEMA, table_of
from tests.pipeline.test_metrics import spectrum

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
EVERYTHING = MetricOptions(detail="full", bootstrap=3, min_evals=5, fingers="clip")
STORED = SpectrumOptions(permutations=1, vectors=True, windows=True)

TIMES_FACTOR = {"lambda_min", "lambda_max", "mp_lambda_plus", "rand_lambda_max", "erg_delta_raw", "truncated_cutoff"}
OF_PLACES = {"farms_alpha", "trap_theta"} | {f"{part}_{spread}" for part in ("tail", "bulk") for spread in SPREADS}
OF_PERMUTATIONS = {"n_traps", "rand_lambda_max", "rand_soft_rank", "rand_distance"}
seeds = st.integers(0, 2**32 - 1)


@st.composite
def matrices(draw):
    """Heavy-tailed, both orientations, never square: their smallest eigenvalues are far from rounding."""
    rng = np.random.default_rng(draw(seeds))
    n_cols = draw(st.integers(10, 40))
    n_rows = draw(st.integers(int(1.5 * n_cols) + 1, 3 * n_cols))
    W = rng.standard_normal((n_rows, n_cols)) * np.exp(draw(st.floats(0.0, 1.0)) * rng.standard_normal(n_cols))
    return W if draw(st.booleans()) else W.T


def row_of(W: np.ndarray) -> dict:
    """The row of a file with this one linear layer."""
    checkpoint = StateDict({"fc.weight": torch.from_numpy(np.ascontiguousarray(W))})
    file = WeightFile(model="path:m", name="m", file="m", weights_sha256="0" * 64)
    (row,) = layers_table(spectra_table(file, checkpoint, "cpu", options=STORED), EVERYTHING, "c").to_pylist()
    assert row["status"] == "ok"
    return row


def assert_equal(found: dict, expected: dict, *, but: set[str] = frozenset()) -> None:
    """Rounding in the eigenvalues is amplified most by the laws whose parameters are searched for."""
    differing = {
        name: (found[name], value)
        for name, value in expected.items()
        if name not in but
        and found[name] != (pytest.approx(value, rel=1e-6, abs=1e-7) if isinstance(value, float) else value)
    }
    assert differing == {}


@SETTINGS
@given(matrices(), st.floats(1e-3, 1e3))
def test_scale(W, factor):
    """Lambdas go with the square of the factor; nothing but what is of them changes."""
    expected, shift = row_of(W), 2 * np.log10(factor)
    for name in TIMES_FACTOR:
        expected[name] = expected[name] and expected[name] * factor**2
    for name in ("log_norm", "log_spectral_norm"):
        expected[name] += shift
    for name in ("alpha_hat", "alpha_hat_clipped", "log_alpha_norm"):
        expected[name] += expected["alpha"] * shift
    assert_equal(row_of(factor * W), expected)


@SETTINGS
@given(matrices())
def test_transposition(W):
    assert_equal(row_of(W.T), row_of(W), but=OF_PERMUTATIONS)


@SETTINGS
@given(matrices(), seeds)
def test_order_of_rows_and_columns(W, seed):
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(rng.permutation(W, axis=0), axis=1)
    assert_equal(row_of(shuffled), row_of(W), but=OF_PERMUTATIONS | {"farms_alpha"})


@SETTINGS
@given(matrices(), seeds)
def test_orthogonal_factors(W, seed):
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.standard_normal((W.shape[0], W.shape[0])))
    right, _ = np.linalg.qr(rng.standard_normal((W.shape[1], W.shape[1])))
    assert_equal(row_of(left @ W @ right), row_of(W), but=OF_PERMUTATIONS | OF_PLACES)


@SETTINGS
@given(seeds, st.integers(10, 80))
def test_order_of_the_eigenvalues(seed, n):
    rng = np.random.default_rng(seed)
    evals = np.exp(rng.standard_normal(n))
    rows = [
        layers_table(table_of([spectrum("linear", each)], SPECTRA_SCHEMA), EVERYTHING, "c").to_pylist()
        for each in (np.sort(evals), evals)
    ]
    assert rows[0] == rows[1]
