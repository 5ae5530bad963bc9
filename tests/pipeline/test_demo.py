"""The ten real models against numbers known from elsewhere."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from analysis.opening.results import open_results
from analysis.samples.samples_from_results import samples_from_results
from analysis.studies.correlate import METRICS, correlate
from catalogs import load_catalog
from pipeline.options import Options, preset

pytestmark = pytest.mark.weights

# Layer means over matrices of at least 50 eigenvalues, taps pooled, factor 1/2: measured by an independent
# prototype (full Gram matrix, full scan, absolute threshold of 1e-5) to three decimals.
CIFAR = {
    "resnet20": (18, 4.171, 0.662, 1.696, 0.160),
    "resnet32": (30, 4.865, -0.391, 1.516, -0.056),
    "resnet44": (42, 4.601, -1.014, 1.379, -0.186),
    "resnet56": (54, 4.612, -1.175, 1.280, -0.247),
    "resnet110": (108, 4.971, -2.632, 1.021, -0.505),
    "resnet1202": (1200, 3.089, -4.265, -0.059, -1.386),
}

# Parameters in the files, buffers included: what `sum(t.numel())` over all tensors of each file gives.
PARAMETERS = {
    "resnet20": 271_098,
    "resnet56": 857_082,
    "efficientnet_lite0": 4_694_073,
    "all-MiniLM-L6-v2": 22_713_728,
}

REFERENCE = Path(__file__).parents[1] / "reference"
OURS_TO_THEIRS = {
    "alpha": "alpha",
    "alpha_sigma": "sigma",
    "lambda_min": "xmin",
    "d_ww": "D",
    "n_tail": "num_pl_spikes",
    "lambda_max": "lambda_max",
    "log_norm": "log_norm",
    "log_spectral_norm": "log_spectral_norm",
    "alpha_hat": "alpha_weighted",
    "log_alpha_norm": "log_alpha_norm",
    "stable_rank": "stable_rank",
    "matrix_rank": "matrix_rank",
    "erg_n": "detX_num",
    "erg_lambda_min": "detX_val_unrescaled",
    "erg_gap": "ERG_gap",
}


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_means_equal_the_prototype(demo_results, name):
    row = open_results([demo_results]).sql(f"""
        SELECT n_layers, alpha_mean, alpha_hat_mean, log_norm_mean, log_spectral_norm_mean
        FROM model_metrics JOIN models USING (model) WHERE models.name = '{name}'
    """)
    (found,) = row.to_pylist()
    assert found["n_layers"] == CIFAR[name][0]
    assert [round(value, 3) for value in list(found.values())[1:]] == list(CIFAR[name][1:])


def test_alpha_hat_orders_the_cifar_series_and_so_does_its_depth(demo_results):
    options = {"dataset": "cifar-10", "family": "resnet-cifar", "metrics": METRICS}
    (sample,) = samples_from_results(open_results([demo_results]), **options)
    (group,) = correlate(sample, METRICS).groups
    rows = {row.metric: row for row in group.correlations}
    assert rows["alpha_hat_mean"].n == 6
    assert rows["alpha_hat_mean"].kendall_tau == pytest.approx(1.0)
    assert rows["log_norm_mean"].kendall_tau == pytest.approx(1.0)
    assert rows["alpha_mean"].kendall_tau == pytest.approx(-0.0667, abs=1e-4)
    # Exactly what makes the six a weak proof: the number of layers alone orders them as well.
    assert abs(rows["depth"].kendall_tau) == pytest.approx(1.0)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_ledger_sums_to_the_file(demo_results, name):
    table = open_results([demo_results]).sql(f"SELECT sum(n_params) AS n FROM spectra WHERE name = '{name}'")
    assert table["n"][0].as_py() == PARAMETERS[name]


def test_coverage_of_every_model_is_known(demo_results):
    rows = open_results([demo_results]).sql("SELECT name, coverage, status FROM models").to_pylist()
    assert len(rows) == 10
    assert all(row["status"] == "done" for row in rows)
    coverage = {row["name"]: row["coverage"] for row in rows}
    assert coverage["resnet20"] == 1.0
    # Depthwise kernels have no matrix: they are what an EfficientNet lacks.
    assert 0.93 < coverage["efficientnet_lite0"] < 1.0


@pytest.mark.parametrize("name", ["resnet20", "resnet56", "efficientnet_lite0", "all-MiniLM-L6-v2"])
def test_metrics_equal_weightwatcher(demo_results, name):
    """Its numbers, made by tests/reference/make.py, on the same tensors, under the preset of its name.

    1e-6 is asked; the two ways to the eigenvalues (its float64 SVD, our float64 Gram matrix) differ by 1e-12.
    """
    ours = _layers(demo_results, name)
    theirs = _reference(name)
    only_ours, only_theirs = set(ours) - set(theirs), set(theirs) - set(ours)
    assert only_ours <= {"embeddings.token_type_embeddings.weight"}  # 2 eigenvalues: listed by us, left out there
    assert all("depthwise" in tensor for tensor in only_theirs)  # vectors for taps: left out by us, fitted there
    common = set(ours) & set(theirs)
    assert len(common) >= 20
    for tensor in common:
        for column, their_column in OURS_TO_THEIRS.items():
            if column == "erg_lambda_min" and ours[tensor]["erg_n"] == ours[tensor]["n_evals"]:
                continue  # its loop ends before the smallest eigenvalue: it counts it, and gives the next larger one
            assert ours[tensor][column] == pytest.approx(float(theirs[tensor][their_column]), rel=1e-6, abs=1e-9), (
                tensor,
                column,
            )


def _layers(folder: Path, name: str) -> dict[str, dict]:
    (model,) = [file for file in load_catalog("demo").files if file.name == name]
    config = Options(metrics=preset("weightwatcher")).config
    table = open_results([folder], config).sql(f"SELECT * FROM layers WHERE model = '{model.model}'")
    return {row["tensor"]: row for row in table.to_pylist()}


def _reference(name: str) -> dict[str, dict]:
    with (REFERENCE / f"{name}.csv").open() as file:
        return {row["tensor"]: row for row in csv.DictReader(file)}


def test_spectra_columns_are_float64_in_byte_streams(demo_results):
    """6.4 bytes a value instead of the 10.2 of the writer's default."""
    path = max((demo_results / "spectra" / "v1").glob("*.parquet"), key=lambda file: file.stat().st_size)
    column = next(
        chunk
        for chunk in (pq.ParquetFile(path).metadata.row_group(0).column(i) for i in range(30))
        if chunk.path_in_schema.startswith("evals")
    )
    assert column.physical_type == "DOUBLE"
    assert "BYTE_STREAM_SPLIT" in column.encodings
    assert not any("DICTIONARY" in encoding for encoding in column.encodings)
    values = sum(len(evals) for evals in pq.read_table(path)["evals"].to_pylist() if evals is not None)
    assert column.total_compressed_size / values < 7.5
    assert np.isfinite(values)
