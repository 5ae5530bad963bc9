"""Matrices at the ends of what there is: each gets a row that says what it lacks, without an error or a warning.

The matrices go the whole way, from tensors with everything stored beside the spectra to metrics in full detail. Then
come spectra that no float32 weight has, as they are.
"""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from catalogs import WeightFile
from checkpoints.open import StateDict
from pipeline.decomposition.spectra import spectra_table
from pipeline.measurement.layer import Layer
from pipeline.measurement.layer_metrics import layer_metrics
from pipeline.measurement.metrics import layers_table
from pipeline.options import DETAILS, FINGERS, MetricOptions, SpectrumOptions, preset
from pipeline.store.records import LAYERS_SCHEMA, LayerRow
from setol.errors import SetolError

EVERYTHING = MetricOptions(detail="full", bootstrap=20, min_evals=2)
STORED = SpectrumOptions(permutations=2, vectors=True, windows=True)
N_COLS = 60


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def rows_of(tensor: torch.Tensor, options: MetricOptions = EVERYTHING) -> tuple[dict, list[dict]]:
    """Row of the ledger and rows of metrics of a file with one tensor."""
    checkpoint = StateDict({"fc.weight": tensor})
    file = WeightFile(model="path:m", name="m", file="m", weights_sha256="0" * 64)
    spectra = spectra_table(file, checkpoint, "cpu", options=STORED)
    (ledger,) = spectra.to_pylist()
    return ledger, layers_table(spectra, options, "c").to_pylist()


def gaussian(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


ORTHOGONAL = torch.linalg.qr(gaussian(90, N_COLS))[0]
ONE_ENTRY = torch.zeros(90, N_COLS)
ONE_ENTRY[3, 4] = 5.0
FAR_APART = torch.tensor([1e-150, 1.0], dtype=torch.float64)
ANALYZED = {
    "two columns": (gaussian(90, 2), "ok", None),
    "equal entries": (torch.full((90, N_COLS), 0.5), "no_tail", "too_few_eigenvalues"),
    "rank 1": (gaussian(90, 1) @ gaussian(1, N_COLS), "no_tail", "too_few_eigenvalues"),
    "rank 2": (gaussian(90, 2) @ gaussian(2, N_COLS), "ok", None),
    "identity": (torch.eye(N_COLS), "no_tail", "equal_eigenvalues"),
    "orthogonal columns": (ORTHOGONAL, "no_tail", "equal_eigenvalues"),  # but for rounding
    "orthogonal rows": (ORTHOGONAL.T.contiguous(), "no_tail", "equal_eigenvalues"),
    "zeros": (torch.zeros(90, N_COLS), "failed", "zero_matrix"),
    "one entry not zero": (ONE_ENTRY, "no_tail", "too_few_eigenvalues"),
    "denormal eigenvalues": (gaussian(90, N_COLS) * 1e-159, "ok", None),
    "denormal entries, eigenvalues 0": (gaussian(90, N_COLS) * 1e-310, "failed", "zero_matrix"),
    "the smallest entries of float32": (torch.full((90, N_COLS), 1e-45), "no_tail", "too_few_eigenvalues"),
    "eigenvalues of 1e300": (gaussian(90, N_COLS) * 1e149, "ok", None),
    "the largest entries of float32": (torch.sign(gaussian(90, N_COLS)).float() * 3.4e38, "ok", None),
    "wide": (gaussian(N_COLS, 90), "ok", None),
    "square": (gaussian(N_COLS, N_COLS), "ok", None),
    "one wide tap among zeros": (torch.cat([torch.zeros(90, N_COLS, 1, 1), gaussian(90, N_COLS, 1, 1)], 2), "ok", None),
    "taps of far apart sizes": (gaussian(90, N_COLS, 1, 2) * FAR_APART, "ok", None),
}


@pytest.mark.parametrize("name", ANALYZED)
@pytest.mark.parametrize(
    "options",
    [EVERYTHING, preset("weightwatcher"), preset("natcomm2021")],
    ids=["full", "weightwatcher", "slices"],
)
def test_every_analyzed_matrix_has_its_row(name, options):
    tensor, status, reason = ANALYZED[name]
    ledger, rows = rows_of(tensor, options)
    assert (ledger["role"], ledger["reason"]) == ("analyzed", None)
    assert rows
    for row in rows:
        check_row(row)
    if options is EVERYTHING:
        assert [(row["status"], row["reason"]) for row in rows] == [(status, reason)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e200])
def test_entries_without_a_finite_square_are_left_out_with_a_reason(value):
    tensor = gaussian(90, N_COLS)
    tensor[7, 7] = value
    ledger, rows = rows_of(tensor)
    assert (ledger["role"], ledger["reason"], rows) == ("skipped", "non_finite", [])


def test_squares_without_a_finite_sum_are_left_out_with_a_reason():
    ledger, rows = rows_of(gaussian(90, N_COLS) * 9e152)
    assert (ledger["role"], ledger["reason"], rows) == ("skipped", "non_finite", [])


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((0, 5), "empty"), ((5, 0), "empty"), ((0, 0), "empty"), ((1, 1), "vector"), ((1, 9), "vector")],
)
def test_what_is_no_matrix_is_left_out_with_a_reason(shape, reason):
    ledger, rows = rows_of(torch.ones(shape))
    assert (ledger["role"], ledger["reason"], rows) == ("skipped", reason, [])


SMALLEST = 5e-324
PARETO = np.sort((1 - np.random.default_rng(2).random(N_COLS)) ** (-2 / 3))
SPECTRA = {
    "one": np.array([2.0]),
    "one zero": np.zeros(1),
    "one denormal": np.array([SMALLEST]),
    "two": np.array([1.0, 2.0]),
    "zeros": np.zeros(N_COLS),
    "equal": np.full(N_COLS, 0.1),
    "equal denormals": np.full(N_COLS, SMALLEST),
    "equal and the largest": np.full(N_COLS, 1.7e308),
    "equal but for rounding": 1.0 + 2.0**-52 * np.arange(N_COLS),
    "two values": np.repeat([1.0, 2.0], N_COLS // 2),
    "rank 1": np.r_[np.zeros(N_COLS - 1), 3.0],
    "rank 2": np.r_[np.zeros(N_COLS - 2), 1.0, 3.0],
    "denormal": PARETO * 100 * SMALLEST,
    "half of it denormal": np.sort(np.r_[PARETO[::2] * 1e-320, PARETO[1::2]]),
    "around 1e300": PARETO * 1e300,
    "up to the largest": PARETO / PARETO[-1] * 1.7e308,
    "one outlier": np.r_[np.ones(N_COLS - 1), 1e10],
    "from 1e-150 to 1e150 evenly": np.geomspace(1e-150, 1e150, N_COLS),
    "integers": np.arange(1.0, N_COLS + 1),
}


def layer_of(evals: np.ndarray, aspect_ratio: int = 2) -> Layer:
    """A matrix of the spectrum with noise of its own size, and everything stored beside it."""
    n = len(evals)
    return Layer(
        evals=evals,
        factor=1.0,
        n_rows=aspect_ratio * n,
        n_cols=n,
        entry_mean=np.zeros(1),
        entry_variance=np.array([float((evals / n**2).sum() / aspect_ratio)]),
        permuted=np.stack([evals, evals])[:, None],
        windows=evals,
        vectors={"long_entropy": np.full(n, np.nan)},
        tap_evals=evals,
        seed=(1, 2),
    )


def metrics_of(layer: Layer, options: MetricOptions) -> dict:
    (columns,) = layer_metrics([layer], options)
    return columns


@pytest.mark.parametrize("name", SPECTRA)
def test_every_spectrum_has_its_row(name):
    for detail in DETAILS:
        for fingers in FINGERS:
            options = MetricOptions(min_evals=2, detail=detail, bootstrap=20, fingers=fingers)
            for aspect_ratio in (1, 3):
                check_columns(metrics_of(layer_of(SPECTRA[name], aspect_ratio), options))


@pytest.mark.parametrize("bulk", ["iteration", "quantile"])
@pytest.mark.parametrize("least_eigenvalue", [0.0, 1e-5])
def test_every_spectrum_has_its_row_however_the_bulk_is_had(bulk, least_eigenvalue):
    for evals in SPECTRA.values():
        for min_evals in (2, 50):
            options = MetricOptions(
                min_evals=min_evals, detail="full", bulk=bulk, least_eigenvalue=least_eigenvalue, small_sample=True
            )
            check_columns(metrics_of(layer_of(evals), options))


def test_a_power_law_far_from_1_has_the_metrics_of_one_near_it():
    near, tiny, huge = (metrics_of(layer_of(PARETO * factor), EVERYTHING) for factor in (1.0, 2.0**-900, 2.0**900))
    for name in ("alpha", "d_ww", "n_tail", "hill_alpha", "bounded_alpha", "stable_rank", "erg_n", "bootstrap_p"):
        assert near[name] == pytest.approx(tiny[name], rel=1e-12)
        assert near[name] == pytest.approx(huge[name], rel=1e-12)
    assert near["n_spikes"] == huge["n_spikes"]
    assert "n_spikes" not in metrics_of(layer_of(PARETO * 1e-300), EVERYTHING)  # its variance leaves float64


def check_columns(columns: dict) -> None:
    """The columns make a row, and it is a row that says what it lacks."""
    placed = dict.fromkeys(("model", "file", "weights_sha256", "config", "tensor", "layer", "part", "kind"), "x")
    sizes = dict.fromkeys(("row", "n_params", "n_rows", "n_cols", "n_slices", "n_evals", "aspect_ratio"), 1)
    row = LayerRow(**placed, **sizes, evals_factor=1.0, **columns)
    check_row({name: getattr(row, name) for name in LAYERS_SCHEMA.names})


def check_row(row: dict) -> None:
    """Its status says what is there: an exponent, or why there is none; and no number is other than finite."""
    assert row["status"] in ("ok", "no_tail", "failed")
    assert (row["reason"] is None) == (row["status"] == "ok") == (row["alpha"] is not None)
    assert (row["log_norm"] is None) == (row["status"] == "failed")
    assert [name for name, value in row.items() if isinstance(value, float) and not np.isfinite(value)] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"evals": np.r_[-1.0, PARETO]}, r"need finite eigenvalues of at least 0; got 1 others, the first -1.0"),
        ({"evals": np.r_[PARETO, np.nan]}, r"need finite eigenvalues of at least 0; got 1 others, the first nan"),
        ({"evals": np.r_[PARETO, np.inf]}, r"need finite eigenvalues of at least 0; got 1 others, the first inf"),
        ({"evals": np.zeros(0)}, r"need at least one eigenvalue, shape \(n,\); got shape \(0,\)"),
        ({"n_rows": N_COLS - 1}, r"need 1 <= M <= N for a matrix of N = 59 rows and M = 60 columns"),
        ({"entry_mean": np.array([np.nan])}, r"need a finite mean and a finite standard deviation"),
    ],
)
def test_what_no_decomposition_gives_is_refused(change, message):
    with pytest.raises(SetolError, match=message):
        metrics_of(replace(layer_of(PARETO), **change), EVERYTHING)
