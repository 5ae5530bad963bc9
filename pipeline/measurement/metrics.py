"""Step 2: a spectra table to the table of its layers' metrics. Needs no weights, no torch, no device."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.measurement.layer import KERNELS, Layer
from pipeline.measurement.layer_metrics import layer_metrics
from pipeline.measurement.vector_columns import SPREADS
from pipeline.options import MetricOptions
from pipeline.store.records import LAYERS_SCHEMA, LayerRow, table_of

CARRIED = (
    "model",
    "file",
    "weights_sha256",
    "tensor",
    "layer",
    "part",
    "kind",
    "n_rows",
    "n_cols",
)
"""Columns that a layer row takes over from its spectrum row."""

_LISTS = ("evals", "entry_mean", "entry_var", "permuted_evals", "window_evals", *SPREADS)
"""Columns of floats read as arrays, which the others are not."""

_READ = (*CARRIED, "n_slices", "n_params")
"""The others that are read."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A layer and where it comes from: the row of the spectra, and which tap of it, None for all."""

    layer: Layer
    index: int
    row: dict[str, Any]
    tap: int | None


def layers_table(spectra: pa.Table, options: MetricOptions, config: str) -> pa.Table:
    """Metrics of every analyzed matrix of a weight file.

    Args:
        spectra: Rows of `SPECTRA_SCHEMA`.
        options: How metrics are computed.
        config: Name of the configuration, which every row carries.

    Returns:
        A row for every analyzed row of the spectra, or for every tap of one where the options take taps apart,
        schema `LAYERS_SCHEMA`.
    """
    placed = list(_layers_of(spectra, options))
    metrics = layer_metrics([each.layer for each in placed], options)
    rows = [_layer_row(each, columns, config) for each, columns in zip(placed, metrics, strict=True)]
    return table_of(rows, LAYERS_SCHEMA)


def _layers_of(spectra: pa.Table, options: MetricOptions) -> Iterator[_Placed]:
    lists = {name: _arrays(spectra[name]) for name in _LISTS if spectra[name].null_count < len(spectra)}
    nothing = dict.fromkeys(_LISTS)
    analyzed = pc.indices_nonzero(pc.equal(spectra["role"], "analyzed"))
    for index, row in zip(analyzed.to_pylist(), spectra.select(_READ).take(analyzed).to_pylist(), strict=True):
        row |= nothing
        row |= {name: arrays[index] for name, arrays in lists.items()}
        apart = options.kernels == "slices" and row["kind"] in KERNELS
        for tap in range(row["n_slices"]) if apart else (None,):
            yield _Placed(_layer(row, tap, options), index, row, tap)


def _arrays(column: pa.ChunkedArray) -> list[NDArray[np.float64] | None]:
    """The floats of every row, None where there are none."""
    lists = column.combine_chunks()
    values, there = lists.values.to_numpy(zero_copy_only=False), lists.is_valid().to_pylist()
    spans = zip(there, itertools.pairwise(lists.offsets.to_pylist()), strict=True)
    return [values[start:stop] if filled else None for filled, (start, stop) in spans]


def _layer_row(placed: _Placed, metrics: dict[str, Any], config: str) -> LayerRow:
    layer, row = placed.layer, placed.row
    n_slices = len(layer.entry_mean)
    return LayerRow(
        config=config,
        row=placed.index,
        tap=placed.tap,
        n_slices=n_slices,
        n_params=row["n_params"] * n_slices // row["n_slices"],
        n_evals=len(layer.evals),
        aspect_ratio=layer.n_rows / layer.n_cols,
        evals_factor=layer.factor,
        **{name: row[name] for name in CARRIED},
        **metrics,
    )


def _layer(row: dict[str, Any], tap: int | None, options: MetricOptions) -> Layer:
    """One matrix, or all taps of a kernel pooled, in the scale of the metrics."""
    n_slices, n_cols = row["n_slices"], row["n_cols"]
    chosen = slice(0, n_slices) if tap is None else slice(tap, tap + 1)
    own = slice(chosen.start * n_cols, chosen.stop * n_cols)
    factor = options.factor(n_slices) if row["kind"] in KERNELS else 1.0
    tap_evals = row["evals"][own] * factor
    permuted, windows = row["permuted_evals"], row["window_evals"]
    vectors = {name: row[name][own] for name in SPREADS if row[name] is not None}
    return Layer(
        evals=np.sort(tap_evals),
        factor=factor,
        n_rows=row["n_rows"],
        n_cols=n_cols,
        entry_mean=row["entry_mean"][chosen],
        entry_variance=row["entry_var"][chosen],
        permuted=None if permuted is None else permuted.reshape(-1, n_slices, n_cols)[:, chosen] * factor,
        windows=None if windows is None else np.sort(windows.reshape(n_slices, -1)[chosen], axis=None) * factor,
        vectors=vectors or None,
        tap_evals=tap_evals,
        seed=(options.seed, crc32(f"{row['layer']} {row['part']}".encode()), tap or 0),
    )
