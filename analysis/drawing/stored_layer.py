"""What a results folder holds of one row of `layers`: its spectrum, and those of its permuted entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.drawing.noise_figure import NoiseComparison, PermutedSpectra
from analysis.opening.literals import sql_text
from analysis.opening.results import Results
from setol.random_matrix.edge import TRACY_WIDOM_LEVEL


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """Spectra of one row of `layers`, in the scale of its lambdas.

    Attributes:
        evals: Of all slices that the row pools, ascending, zeros included, shape (n_evals,).
        noise: What noise would look like; None where the row has no Marchenko-Pastur bulk.
    """

    evals: NDArray[np.float64]
    noise: NoiseComparison | None


LISTS = ("evals", "permuted_evals", "entry_var", "n_slices")
"""Columns of the view `spectra` that a `StoredLayer` is made of."""


def stored_layer(results: Results, row: Mapping[str, Any]) -> StoredLayer:
    """Look up the spectra of a row.

    Args:
        results: Open results.
        row: Of their view `layers`: model, file, tensor, part, and what `layer_of_lists` takes from it.
    """
    names = ("model", "file", "tensor", "part")
    chosen = " AND ".join(f"{name} IS NOT DISTINCT FROM {sql_text(row[name])}" for name in names)
    found = results.sql(f"SELECT {', '.join(LISTS)} FROM spectra WHERE {chosen}")
    return layer_of_lists(found, 0, row, results.configuration.options["metrics"])


def layer_of_lists(spectra: pa.Table, index: int, row: Mapping[str, Any], metrics: Mapping[str, Any]) -> StoredLayer:
    """Take the spectra of a row of `layers` from a row of `spectra`.

    Args:
        spectra: With the columns `LISTS`.
        index: Which of its rows.
        row: Of `layers`: tap, n_cols, evals_factor, and what `NoiseComparison` takes from it.
        metrics: Metric options of the configuration.
    """
    evals, permuted, variance, n_slices = (spectra[name][index] for name in LISTS)
    shape, factor = (-1, n_slices.as_py(), row["n_cols"]), row["evals_factor"]
    slices = slice(None) if row["tap"] is None else slice(row["tap"], row["tap"] + 1)
    pooled = np.sort(evals.values.to_numpy().reshape(shape)[:, slices].ravel()) * factor
    kept = None
    if permuted.is_valid:
        replicas = permuted.values.to_numpy().reshape(shape)[:, slices]
        kept = PermutedSpectra(replicas * factor, variance.values.to_numpy()[slices] * factor)
    level = metrics.get("tracy_widom_level", TRACY_WIDOM_LEVEL)
    return StoredLayer(pooled, NoiseComparison.of_row(pooled, row, level=level, permuted=kept))
