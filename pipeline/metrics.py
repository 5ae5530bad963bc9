"""Step 2: a spectra table to the table of its layers' metrics. Needs no weights, no torch, no device."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.options import MetricOptions
from pipeline.records import LAYERS_SCHEMA, LayerRow, table_of
from setol import (
    PowerLawFit,
    Reason,
    SmallSample,
    effective_correlation_space,
    fit_power_law,
    log_alpha_norm,
    scale_metrics,
    tail_trace_log,
    trace_scale,
)

KERNELS = ("conv1d", "conv2d", "conv3d", "conv_transpose")

CARRIED = (
    "model",
    "file",
    "weights_sha256",
    "tensor",
    "layer",
    "part",
    "kind",
    "n_params",
    "n_rows",
    "n_cols",
    "n_slices",
)
"""Columns that a layer row takes over from its spectrum row."""


def layers_table(spectra: pa.Table, options: MetricOptions, config: str) -> pa.Table:
    """Metrics of every analyzed matrix of a weight file.

    Args:
        spectra: Rows of `SPECTRA_SCHEMA`.
        options: How metrics are computed.
        config: Name of the configuration, which every row carries.

    Returns:
        A row for every analyzed row of the spectra, schema `LAYERS_SCHEMA`.
    """
    rows = []
    evals_column = spectra["evals"]
    for index, row in enumerate(spectra.drop_columns(["evals"]).to_pylist()):
        if row["role"] == "analyzed":
            evals = evals_column[index].values.to_numpy()
            rows.append(_layer_row(index, row, evals, options, config))
    return table_of(rows, LAYERS_SCHEMA)


def _layer_row(
    index: int, row: dict[str, Any], evals: NDArray[np.float64], options: MetricOptions, config: str
) -> LayerRow:
    factor = options.kernel_factor if row["kind"] in KERNELS else 1.0
    pooled = np.sort(evals) * factor
    return LayerRow(
        config=config,
        row=index,
        n_evals=len(pooled),
        aspect_ratio=row["n_rows"] / row["n_cols"],
        evals_factor=factor,
        **{name: row[name] for name in CARRIED},
        **spectrum_metrics(pooled, options),
    )


def spectrum_metrics(evals: NDArray[np.float64], options: MetricOptions) -> dict[str, Any]:
    """Status, reason and metrics of one pooled spectrum, as the columns of a `LayerRow`.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, the kernel factor already applied.
        options: How metrics are computed.
    """
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
    }
    fit = _fit(evals, options)
    if isinstance(fit, Reason):
        return {"status": "no_tail", "reason": fit.value, **columns}
    return {
        "status": "ok",
        **columns,
        "alpha": fit.alpha,
        "alpha_sigma": fit.alpha_sigma,
        "lambda_min": fit.lambda_min,
        "d_ks": fit.d_ks,
        "d_ww": fit.d_ww,
        "n_tail": fit.n_tail,
        "alpha_hat": fit.alpha * scale.log_spectral_norm,
        "log_alpha_norm": log_alpha_norm(evals, fit.alpha),
        "tail_trace_log": tail_trace_log(evals, fit.lambda_min),
        "erg_delta": fit.lambda_min * trace_scale(evals) - space.lambda_min,
        "erg_gap": space.n - fit.n_tail,
    }


def _fit(evals: NDArray[np.float64], options: MetricOptions) -> PowerLawFit | Reason:
    tail = evals[evals > options.least_eigenvalue]
    if len(tail) < options.min_evals:
        return Reason.TOO_FEW_EIGENVALUES
    return fit_power_law(tail, small_sample=SmallSample() if options.small_sample else None)
