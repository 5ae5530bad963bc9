"""Results in the layout of WeightWatcher 0.7.7, for what was written to read its `details`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.opening.literals import sql_text
from analysis.opening.placing import put_in_place
from analysis.opening.results import Results
from catalogs import unknown_name

_WEAK = 1e-6
"""Eigenvalues below count as a weak loss of rank there."""

_WELL_TRAINED = (2.0, 6.0)

_TEXTS = ("model", "name", "layer_type", "longname", "status", "warning")
_COUNTS = (
    *("layer_id", "M", "N", "rf", "num_evals", "num_pl_spikes", "detX_num", "num_ERG_spikes", "ERG_gap"),
    *("matrix_rank", "rank_loss", "weak_rank_loss", "slice_id", "num_spikes", "num_fingers"),
)

_COLUMNS = (
    *("model", "layer_id", "name", "slice_id", "D", "ERG_gap", "M", "N", "Q", "alpha", "alpha_weighted"),
    *("detX_num", "detX_val", "detX_val_unrescaled", "entropy", "has_esd", "lambda_max", "layer_type"),
    *("log_alpha_norm", "log_norm", "log_spectral_norm", "longname", "matrix_rank", "norm", "num_ERG_spikes"),
    *("num_evals", "num_pl_spikes", "rank_loss", "rf", "sigma", "spectral_norm", "stable_rank", "status"),
    *("sv_max", "sv_min", "warning", "weak_rank_loss", "xmax", "xmin"),
    *("sigma_mp", "bulk_max", "mp_softrank", "num_spikes"),
    *("num_traps", "max_rand_eval", "ww_softrank", "ww_maxdist", "rand_distance", "num_fingers", "raw_alpha"),
)

_ONLY_WHERE_ASKED = ("slice_id", *_COLUMNS[_COLUMNS.index("sigma_mp") :])
"""Columns that WeightWatcher has under some of its options alone; here, where there is a value."""

_SAME = {
    "D": "d_ww",
    "ERG_gap": "erg_gap",
    "M": "n_cols",
    "N": "n_rows",
    "Q": "aspect_ratio",
    "alpha": "alpha",
    "alpha_weighted": "alpha_hat",
    "bulk_max": "mp_lambda_plus",
    "detX_num": "erg_n",
    "detX_val_unrescaled": "erg_lambda_min",
    "entropy": "entropy",
    "lambda_max": "lambda_max",
    "log_alpha_norm": "log_alpha_norm",
    "log_norm": "log_norm",
    "log_spectral_norm": "log_spectral_norm",
    "matrix_rank": "matrix_rank",
    "max_rand_eval": "rand_lambda_max",
    "mp_softrank": "mp_soft_rank",
    "num_ERG_spikes": "erg_n",
    "num_evals": "n_evals",
    "num_fingers": "n_fingers",
    "num_pl_spikes": "n_tail",
    "num_spikes": "n_spikes",
    "num_traps": "n_traps",
    "rand_distance": "rand_distance",
    "raw_alpha": "raw_alpha",
    "sigma": "alpha_sigma",
    "sigma_mp": "mp_sigma",
    "slice_id": "tap",
    "spectral_norm": "lambda_max",
    "stable_rank": "stable_rank",
    "ww_softrank": "rand_soft_rank",
    "xmin": "lambda_min",
}
"""Its columns that are ours under another name."""

_TYPES = {"linear": "dense", "table": "embedding"}
"""Our kinds under the names that it has for them; the others have the same, or none there."""


def weightwatcher_details(results: Results, model: str | None = None) -> pa.Table:
    """Metrics as the `details` of WeightWatcher 0.7.7, for the state dict.

    A row for every analyzed matrix, or for every tap of a kernel where the configuration takes taps apart; `model` is
    added. Where that program is wrong, the value here is right: a failed fit is NULL and not -1, `sv_min` is the
    smallest singular value of all taps, `entropy` has no constant added, `detX_val` is the smallest eigenvalue where
    all of them belong. The columns of `mp_fit` and `randomize` are there if the configuration has values for them, by
    setol-zoo's own estimators.

    Args:
        results: Open results.
        model: Key or short name of the only model to take; by default all.

    Raises:
        AnalysisError: There is no such model, or nothing is analyzed yet.
    """
    models = results.rows("SELECT model, name FROM models")
    chosen = [row["model"] for row in models if model in (None, row["model"], row["name"])]
    if model is not None and not chosen:
        raise AnalysisError(unknown_name("model", model, [name for row in models for name in row.values()]))
    rows = [row for key in chosen for row in _details(results, key)]
    if not rows:
        raise AnalysisError("there is no analyzed matrix to export; `setol status` says how far the results are.")
    asked = {name for row in rows for name in _ONLY_WHERE_ASKED if row[name] is not None}
    names = [name for name in _COLUMNS if name not in _ONLY_WHERE_ASKED or name in asked]
    return pa.table({name: pa.array([row[name] for row in rows], _type(name)) for name in names})


def write_details(details: pa.Table, path: Path) -> None:
    """Put them in place as a file, CSV or Parquet by its name.

    Raises:
        AnalysisError: The name ends otherwise, or the file cannot be written.
    """
    writers = {".csv": pacsv.write_csv, ".parquet": pq.write_table}
    if path.suffix not in writers:
        raise AnalysisError(f"need a name that ends in {' or '.join(writers)}, got {path.name}.")
    sink = pa.BufferOutputStream()
    writers[path.suffix](details, sink)
    put_in_place(sink.getvalue().to_pybytes(), path, "export to", "Choose another file with --out.")


def _type(name: str) -> pa.DataType:
    if name in _TEXTS:
        return pa.string()
    return pa.bool_() if name == "has_esd" else pa.int64() if name in _COUNTS else pa.float64()


def _details(results: Results, model: str) -> Iterator[dict[str, Any]]:
    """The rows of a model, in the order of its files."""
    key = sql_text(model)
    known = results.rows(f"SELECT file FROM stored.catalog WHERE model = {key} ORDER BY rowid")
    files = {row["file"]: place for place, row in enumerate(known)}
    ledger = results.rows(f"SELECT file, tensor FROM spectra WHERE model = {key} AND tensor LIKE '%.weight'")
    tensors = dict.fromkeys((files[row["file"]], row["tensor"]) for row in ledger)
    # It numbers the tensors of such a name, and sees no others; sorted by file alone, they keep the order inside.
    ids = {tensor: number for number, tensor in enumerate(sorted(tensors, key=lambda each: each[0]), 1)}
    table = results.sql(
        f"""SELECT layers.*, spectra.n_slices AS taps, spectra.rank, spectra.evals
            FROM layers JOIN spectra USING (model, file, tensor)
            WHERE model = {key} AND role = 'analyzed' AND layers.part IS NOT DISTINCT FROM spectra.part"""
    )
    rows = table.drop_columns(["evals"]).to_pylist()
    fingers = results.configuration.options["metrics"].get("fingers")
    for index in sorted(range(len(rows)), key=lambda i: (files[rows[i]["file"]], rows[i]["row"], rows[i]["tap"] or 0)):
        row = rows[index]
        clipped = row["n_fingers"] or 0
        row["clipped"] = clipped + (fingers == "clip_weightwatcher" and clipped > 0)  # it counts one less
        row["layer_id"] = ids.get((files[row["file"]], row["tensor"]))
        yield _detail(row, table["evals"][index].values.to_numpy().reshape(row["taps"], -1))


def _detail(row: dict[str, Any], taps: NDArray[np.float64]) -> dict[str, Any]:
    """One row, from that of the view and the stored eigenvalues, a row a tap."""
    ranks = row["rank"]
    if row["tap"] is not None:
        taps, ranks = taps[row["tap"] : row["tap"] + 1], ranks[row["tap"] : row["tap"] + 1]
    evals = np.sort(taps, axis=None) * row["evals_factor"]
    name = row["tensor"].removesuffix(".weight") + (f".{row['part']}" if row["part"] else "")
    alpha, total = row["alpha"], float(evals.sum())
    low, high = _WELL_TRAINED
    fitted, noise = row["status"] == "ok", row["rand_lambda_max"]
    return {
        **{theirs: row[ours] for theirs, ours in _SAME.items()},
        "model": row["model"],
        "layer_id": row["layer_id"],
        "name": name,
        "longname": name,
        "layer_type": _TYPES.get(row["kind"], row["kind"]),
        "rf": row["taps"],
        "has_esd": True,
        "norm": total,
        "sv_max": float(np.sqrt(evals[-1])),
        "sv_min": float(np.sqrt(evals[0])),
        "rank_loss": taps.size - sum(ranks),
        "weak_rank_loss": int(np.count_nonzero(evals < _WEAK)),
        # In the scale of the eigenvalues; `detX_val_unrescaled`, despite its name, is where their mean is 1.
        "detX_val": None if row["erg_lambda_min"] is None else row["erg_lambda_min"] * total / len(evals),
        "xmax": float(evals[-1 - row["clipped"]]) if fitted else None,
        "ww_maxdist": None if noise is None else row["lambda_max"] - noise,
        "status": "success" if fitted else "failed",
        "warning": "" if alpha is None or low <= alpha <= high else "over-trained" if alpha < low else "under-trained",
    }
