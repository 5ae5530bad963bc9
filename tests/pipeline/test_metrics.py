"""Metrics of pooled spectra under options."""

from typing import Any

import numpy as np
import pytest

from pipeline.measurement.metrics import layers_table
from pipeline.options import MetricOptions, preset
from pipeline.store.records import LAYERS_SCHEMA, SPECTRA_SCHEMA, SpectrumRow, table_of
from setol import fit_power_law


def spectrum(kind: str, evals: np.ndarray, n_slices: int = 1, role: str = "analyzed") -> SpectrumRow:
    n_cols = len(evals) // n_slices
    return SpectrumRow(
        model="path:m",
        file="m",
        weights_sha256="s",
        tensor=f"{kind}.weight",
        dtype="float32",
        shape=[2 * n_cols, n_cols],
        n_params=len(evals),
        role=role,
        layer=kind,
        kind=kind,
        n_rows=2 * n_cols,
        n_cols=n_cols,
        n_slices=n_slices,
        evals=evals if role == "analyzed" else None,
        entry_mean=[0.0] * n_slices if role == "analyzed" else None,
        entry_var=[1.0] * n_slices if role == "analyzed" else None,
    )


def pareto(n: int, seed: int) -> np.ndarray:
    return np.sort((1 - np.random.default_rng(seed).random(n)) ** -0.5)


def metrics_of(evals: np.ndarray, options: MetricOptions) -> dict[str, Any]:
    """The row of one square linear layer, NULL columns left out."""
    table = layers_table(table_of([spectrum("linear", evals)], SPECTRA_SCHEMA), options, "c")
    return {name: value for name, value in table.to_pylist()[0].items() if value is not None}


def test_taps_are_pooled_and_halved():
    taps = np.concatenate([pareto(60, 1), pareto(60, 2)])
    (row,) = layers_table(
        table_of([spectrum("conv2d", taps, n_slices=2)], SPECTRA_SCHEMA), MetricOptions(), "c"
    ).to_pylist()
    expected = fit_power_law(np.sort(taps) / 2)
    assert row["alpha"] == expected.alpha
    assert row["lambda_min"] == expected.lambda_min
    assert row["evals_factor"] == 0.5
    assert row["n_evals"] == 120
    assert row["aspect_ratio"] == 2.0


def test_linear_layers_keep_their_scale():
    evals = pareto(80, 3)
    (row,) = layers_table(table_of([spectrum("linear", evals)], SPECTRA_SCHEMA), MetricOptions(), "c").to_pylist()
    assert row["evals_factor"] == 1.0
    assert row["lambda_max"] == evals[-1]
    assert row["alpha_hat"] == pytest.approx(row["alpha"] * np.log10(evals[-1]), rel=1e-15)


def test_only_analyzed_rows_have_metrics():
    rows = [spectrum("linear", pareto(60, 4)), spectrum("embedding", pareto(60, 4), role="tied")]
    table = layers_table(table_of(rows, SPECTRA_SCHEMA), MetricOptions(), "c")
    assert table.schema == LAYERS_SCHEMA
    assert [(row["tensor"], row["row"]) for row in table.to_pylist()] == [("linear.weight", 0)]


def test_nothing_analyzed_is_an_empty_table():
    table = layers_table(table_of([], SPECTRA_SCHEMA), MetricOptions(), "c")
    assert table.schema == LAYERS_SCHEMA
    assert len(table) == 0


def test_too_few_eigenvalues_keep_their_norms():
    found = metrics_of(np.array([1.0, 2.0, 4.0]), MetricOptions())
    assert found["status"] == "no_tail"
    assert found["reason"] == "too_few_eigenvalues"
    assert found["log_norm"] == pytest.approx(np.log10(7))
    assert "alpha" not in found


def test_a_zero_matrix_has_nothing():
    found = metrics_of(np.zeros(60), MetricOptions())
    assert (found["status"], found["reason"]) == ("failed", "zero_matrix")
    assert "log_norm" not in found


def test_equal_eigenvalues_have_no_tail():
    found = metrics_of(np.ones(60), MetricOptions())
    assert (found["status"], found["reason"]) == ("no_tail", "equal_eigenvalues")
    assert found["erg_n"] == 60


def test_the_absolute_threshold_is_weightwatchers():
    evals = np.concatenate([np.full(30, 1e-6), pareto(60, 5)])
    relative, absolute = (metrics_of(evals, options) for options in (MetricOptions(), preset("weightwatcher")))
    assert absolute["alpha"] == fit_power_law(evals[30:]).alpha
    assert relative["alpha"] == fit_power_law(evals).alpha
    assert relative["log_norm"] == absolute["log_norm"]  # norms see all eigenvalues


def test_short_spectra_are_fitted_as_weightwatcher_does():
    evals = pareto(12, 6)
    assert metrics_of(evals, MetricOptions())["status"] == "no_tail"
    found = metrics_of(evals, preset("weightwatcher"))
    assert found["status"] == "ok"
    assert found["n_tail"] >= 8
