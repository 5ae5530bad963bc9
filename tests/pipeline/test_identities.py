"""Columns that say the same twice: closed forms that every row must satisfy, ours and WeightWatcher's alike.

That WeightWatcher's own rows satisfy them says that the formulas are those of the published columns.
"""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from analysis.opening.results import open_results
from pipeline.measurement.metrics import layers_table
from pipeline.options import MetricOptions, Options, preset
from pipeline.store.records import SPECTRA_SCHEMA, table_of
from tests.pipeline.test_metrics import spectrum

REFERENCE = Path(__file__).parents[1] / "reference"
FRAMES = sorted(path.stem for path in REFERENCE.glob("*.csv") if not path.stem.endswith("_missing"))


def check(row: dict) -> None:
    """What follows from a row's own columns by the formulas of docs/metrics.md."""
    trace_scale = row["n_evals"] / 10 ** row["log_norm"]
    excess = row["alpha"] - 1
    expected = {
        "alpha_sigma": excess / math.sqrt(row["n_tail"]),
        "alpha_hat": row["alpha"] * math.log10(row["lambda_max"]),
        "log_spectral_norm": math.log10(row["lambda_max"]),
        "stable_rank": 10 ** (row["log_norm"] - row["log_spectral_norm"]),
        "erg_delta": row["lambda_min"] * trace_scale - row["erg_lambda_min"],
        "erg_delta_raw": row["erg_delta"] / trace_scale,
        "erg_gap": row["erg_n"] - row["n_tail"],
        "erg_share": row["erg_n"] / row["n_evals"],
        "alpha_unbiased": 1 + excess * (row["n_tail"] - 2) / row["n_tail"] if row["n_tail"] > 2 else None,
        "tail_trace_log_per_eval": row["tail_trace_log"] / row["n_tail"],
        "aspect_ratio": row["n_rows"] / row["n_cols"],
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert np.sign(row["erg_gap"]) == np.sign(row["erg_delta"])
    assert row["d_ww"] <= row["d_ks"] <= row["d_ww"] + 1 / row["n_tail"] + 1e-15


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("kind", "n_slices"), [("linear", 1), ("conv2d", 4)])
def test_of_drawn_spectra(kind, n_slices, seed):
    rng = np.random.default_rng([3, seed, n_slices])
    evals = np.sort(np.exp(rng.uniform(0.3, 2.0) * rng.standard_normal((n_slices, 60))), axis=1).ravel()
    table = table_of([spectrum(kind, evals * 10.0 ** rng.integers(-6, 7), n_slices)], SPECTRA_SCHEMA)
    (row,) = layers_table(table, MetricOptions(), "c").to_pylist()
    check(row)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["default", "weightwatcher"])
def test_of_the_demo(demo_results, name):
    config = Options(metrics=preset(name)).config
    rows = open_results([demo_results], config).sql("FROM layers WHERE alpha IS NOT NULL").to_pylist()
    assert len(rows) > 1000
    for row in rows:
        if name == "default" or row["n_evals"] >= 20:  # shorter ones have another exponent there, n - 1 for n
            check(row)


@pytest.mark.parametrize("name", FRAMES)
def test_of_weightwatcher(name):
    with (REFERENCE / f"{name}.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["status"] == "success"]
    assert len(rows) >= 20
    for text in rows:
        row = {key: float(value) for key, value in text.items() if key not in _WORDS and value}
        scale = row["num_evals"] / row["norm"]
        expected = {
            "sigma": (row["alpha"] - 1) / math.sqrt(row["num_pl_spikes"]),
            "alpha_weighted": row["alpha"] * math.log10(row["lambda_max"]),
            "stable_rank": row["norm"] / row["spectral_norm"],
            "log_norm": math.log10(row["norm"]),
            "detX_val_unrescaled": row["detX_val"] * scale,
            "ERG_gap": row["detX_num"] - row["num_pl_spikes"],
        }
        assert {key: row[key] for key in expected} == pytest.approx(expected, rel=1e-6), text["tensor"]
        delta = row["xmin"] * scale - row["detX_val_unrescaled"]
        if row["detX_num"] < row["num_evals"]:  # else its loop ends early: it counts the last and gives the one before
            assert np.sign(round(delta, 12)) == np.sign(row["ERG_gap"]), text["tensor"]  # its edges differ by rounding


_WORDS = {"tensor", "layer_type", "status", "warning"}
