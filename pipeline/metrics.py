"""Step 2: a spectra table to the table of its layers' metrics. Needs no weights, no torch, no device."""

from collections.abc import Iterator
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.layer import KERNELS, Layer
from pipeline.options import MetricOptions
from pipeline.quality_columns import quality_columns
from pipeline.random_matrix_columns import bulk_columns, mean_trap_columns, permuted_columns
from pipeline.records import LAYERS_SCHEMA, LayerRow, table_of
from pipeline.tail_columns import (
    alternative_columns,
    bootstrap_columns,
    exponential_columns,
    fit_columns,
    fit_tail,
    law_of,
    near_columns,
    other_exponents,
)
from pipeline.vector_columns import SPREADS, vector_columns, window_columns
from setol import Reason, effective_correlation_space, log_alpha_norm, scale_metrics
from setol.erg import closest_correlation_space
from setol.erg_distance import erg_distance

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

_LISTS = ("evals", "permuted_evals", "window_evals", *SPREADS)
"""Columns of floats read as arrays, which the others are not."""

_READ = ("role", *CARRIED, "n_slices", "n_params", "entry_mean", "entry_var")
"""The others that are read."""


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
    rows: list[LayerRow] = []
    stored = {name: spectra[name] for name in _LISTS if spectra[name].null_count < len(spectra)}
    nothing = dict.fromkeys(_LISTS)
    for index, row in enumerate(spectra.select(_READ).to_pylist()):
        if row["role"] == "analyzed":
            arrays = {name: column[index].values for name, column in stored.items()}
            row |= nothing
            row |= {name: values.to_numpy(False) for name, values in arrays.items() if values is not None}
            rows += _layer_rows(index, row, options, config)
    return table_of(rows, LAYERS_SCHEMA)


def _layer_rows(index: int, row: dict[str, Any], options: MetricOptions, config: str) -> Iterator[LayerRow]:
    n_slices = row["n_slices"]
    apart = options.kernels == "slices" and row["kind"] in KERNELS
    for tap in range(n_slices) if apart else (None,):
        layer = _layer(row, tap, options)
        yield LayerRow(
            config=config,
            row=index,
            tap=tap,
            n_slices=1 if apart else n_slices,
            n_params=row["n_params"] // n_slices if apart else row["n_params"],
            n_evals=len(layer.evals),
            aspect_ratio=layer.n_rows / layer.n_cols,
            evals_factor=layer.factor,
            **{name: row[name] for name in CARRIED},
            **layer_metrics(layer, options),
        )


def _layer(row: dict[str, Any], tap: int | None, options: MetricOptions) -> Layer:
    """One matrix, or all taps of a kernel pooled, in the scale of the metrics."""
    n_slices, n_cols = row["n_slices"], row["n_cols"]
    chosen = slice(None) if tap is None else slice(tap, tap + 1)
    factor = options.factor(n_slices) if row["kind"] in KERNELS else 1.0

    def of_taps(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values.reshape(n_slices, -1)[chosen].ravel()

    tap_evals = of_taps(row["evals"]) * factor
    permuted, windows = row["permuted_evals"], row["window_evals"]
    vectors = {name: of_taps(row[name]) for name in SPREADS if row[name] is not None}
    return Layer(
        evals=np.sort(tap_evals),
        factor=factor,
        n_rows=row["n_rows"],
        n_cols=n_cols,
        entry_mean=np.array(row["entry_mean"][chosen]),
        entry_variance=np.array(row["entry_var"][chosen]),
        permuted=None if permuted is None else permuted.reshape(-1, n_slices, n_cols)[:, chosen] * factor,
        windows=None if windows is None else np.sort(of_taps(windows)) * factor,
        vectors=vectors or None,
        tap_evals=tap_evals,
        seed=(options.seed, crc32(f"{row['layer']} {row['part']}".encode()), tap or 0),
    )


def layer_metrics(layer: Layer, options: MetricOptions) -> dict[str, Any]:
    """Status, reason and metrics of one matrix, as the columns of a `LayerRow`.

    Args:
        layer: The matrix.
        options: How metrics are computed.
    """
    evals = layer.evals
    scale, space = scale_metrics(evals), effective_correlation_space(evals)
    if isinstance(scale, Reason) or isinstance(space, Reason):
        return {"status": "failed", "reason": Reason.ZERO_MATRIX.value}
    columns: dict[str, Any] = {
        "lambda_max": scale.lambda_max,
        "log_norm": scale.log_norm,
        "log_spectral_norm": scale.log_spectral_norm,
        "stable_rank": scale.stable_rank,
        "matrix_rank": scale.matrix_rank,
        "entropy": scale.entropy,
        "erg_n": space.n,
        "erg_lambda_min": space.lambda_min,
        "erg_trace_log": space.trace_log,
        "erg_share": space.n / len(evals),
        **mean_trap_columns(layer),
        **permuted_columns(layer, options),
        **window_columns(layer),
        **({} if options.detail == "basic" else _closest_columns(evals)),
    }
    tail = evals[evals > options.least_eigenvalue]
    fit = fit_tail(tail, options)
    if isinstance(fit, Reason):
        bulk = {} if options.detail == "basic" else bulk_columns(layer, fit, {}, options)
        return {"status": "no_tail", "reason": fit.value, **columns, **bulk}
    law = law_of(fit)
    distance = erg_distance(evals, law.lambda_min, space)
    assert not isinstance(distance, Reason), "there are eigenvalues above 0"
    columns |= {
        "status": "ok",
        **fit_columns(fit),
        **vector_columns(layer, law.lambda_min),
        "alpha_hat": law.alpha * scale.log_spectral_norm,
        "log_alpha_norm": log_alpha_norm(evals, law.alpha),
        "tail_trace_log": distance.trace_log,
        "tail_trace_log_per_eval": distance.trace_log_per_eigenvalue,
        "erg_delta": distance.delta,
        "erg_delta_raw": distance.delta_raw,
        "erg_gap": distance.gap,
    }
    if options.bootstrap:
        columns |= bootstrap_columns(tail, options.bootstrap, layer.seed)
    if options.detail != "basic":
        exponential = exponential_columns(tail, law)
        columns |= {**other_exponents(tail, law), **exponential, **bulk_columns(layer, law, exponential, options)}
    if options.detail == "full":
        columns |= {
            **near_columns(tail, law, options),
            **alternative_columns(tail, law),
            **quality_columns(evals, law.alpha),
        }
    return columns


def _closest_columns(evals: NDArray[np.float64]) -> dict[str, Any]:
    closest = closest_correlation_space(evals)
    return {} if isinstance(closest, Reason) else {"erg_n_closest": closest.n}
