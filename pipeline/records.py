"""The rows that are written, each dataclass beside its Arrow schema; a test keeps the two equal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

EVALS = pa.list_(pa.float64())


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumRow:
    """A tensor, or a part of one: its place in the ledger and, where it was decomposed, its spectrum.

    Lists have one value for each slice (tap); `evals` has one block of M values for each, ascending within the
    block, in tap order, raw scale (squared singular values). `n_params` counts the entries of the row's own part,
    so that the rows of a file sum to the file. `layout` says what kind and part were told by: `architecture` or `name`.
    """

    model: str
    file: str
    weights_sha256: str | None
    tensor: str
    dtype: str
    shape: list[int]
    n_params: int
    role: str
    reason: str | None = None
    tied_to: str | None = None
    layer: str
    part: str | None = None
    kind: str | None = None
    layout: str = "name"
    n_rows: int | None = None
    n_cols: int | None = None
    n_slices: int | None = None
    evals: Any = None
    rank: Any = None
    frobenius_sq: Any = None
    entry_mean: Any = None
    entry_var: Any = None
    entry_kurtosis: Any = None
    entry_max_abs: Any = None
    zero_fraction: Any = None


SPECTRA_SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        ("file", pa.string()),
        ("weights_sha256", pa.string()),
        ("tensor", pa.string()),
        ("dtype", pa.string()),
        ("shape", pa.list_(pa.int64())),
        ("n_params", pa.int64()),
        ("role", pa.string()),
        ("reason", pa.string()),
        ("tied_to", pa.string()),
        ("layer", pa.string()),
        ("part", pa.string()),
        ("kind", pa.string()),
        ("layout", pa.string()),
        ("n_rows", pa.int64()),
        ("n_cols", pa.int64()),
        ("n_slices", pa.int64()),
        ("evals", EVALS),
        ("rank", pa.list_(pa.int64())),
        ("frobenius_sq", EVALS),
        ("entry_mean", EVALS),
        ("entry_var", EVALS),
        ("entry_kurtosis", EVALS),
        ("entry_max_abs", EVALS),
        ("zero_fraction", EVALS),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """Metrics of one decomposed matrix (its taps pooled). NULL where one could not be had; `reason` says why.

    Lambdas are in the scale of the spectrum times `evals_factor`, those of the ECS in the trace scale.
    `status` is `ok` where a tail was fitted, `no_tail` where only scale and rank could be had, `failed` where
    nothing could. `row` is the row of the spectra file.
    """

    model: str
    file: str
    weights_sha256: str
    config: str
    row: int
    tensor: str
    layer: str
    part: str | None
    kind: str
    n_params: int
    n_rows: int
    n_cols: int
    n_slices: int
    n_evals: int
    aspect_ratio: float
    evals_factor: float
    status: str
    reason: str | None = None
    alpha: float | None = None
    alpha_sigma: float | None = None
    lambda_min: float | None = None
    lambda_max: float | None = None
    d_ks: float | None = None
    d_ww: float | None = None
    n_tail: int | None = None
    log_norm: float | None = None
    log_spectral_norm: float | None = None
    alpha_hat: float | None = None
    log_alpha_norm: float | None = None
    stable_rank: float | None = None
    matrix_rank: int | None = None
    entropy: float | None = None
    erg_n: int | None = None
    erg_lambda_min: float | None = None
    erg_trace_log: float | None = None
    tail_trace_log: float | None = None
    erg_delta: float | None = None
    erg_gap: int | None = None


LAYERS_SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        ("file", pa.string()),
        ("weights_sha256", pa.string()),
        ("config", pa.string()),
        ("row", pa.int64()),
        ("tensor", pa.string()),
        ("layer", pa.string()),
        ("part", pa.string()),
        ("kind", pa.string()),
        ("n_params", pa.int64()),
        ("n_rows", pa.int64()),
        ("n_cols", pa.int64()),
        ("n_slices", pa.int64()),
        ("n_evals", pa.int64()),
        ("aspect_ratio", pa.float64()),
        ("evals_factor", pa.float64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("alpha", pa.float64()),
        ("alpha_sigma", pa.float64()),
        ("lambda_min", pa.float64()),
        ("lambda_max", pa.float64()),
        ("d_ks", pa.float64()),
        ("d_ww", pa.float64()),
        ("n_tail", pa.int64()),
        ("log_norm", pa.float64()),
        ("log_spectral_norm", pa.float64()),
        ("alpha_hat", pa.float64()),
        ("log_alpha_norm", pa.float64()),
        ("stable_rank", pa.float64()),
        ("matrix_rank", pa.int64()),
        ("entropy", pa.float64()),
        ("erg_n", pa.int64()),
        ("erg_lambda_min", pa.float64()),
        ("erg_trace_log", pa.float64()),
        ("tail_trace_log", pa.float64()),
        ("erg_delta", pa.float64()),
        ("erg_gap", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One try at one weight file: where, how long, with what outcome (`done` or `failed`).

    `unit` is the fit id, NULL where the file could not even be identified. Seconds are wall-clock seconds of a
    stage, NULL where it did not run. `reused_spectra` says that only the metrics were computed.
    """

    unit: str | None
    model: str
    file: str
    weights_sha256: str | None
    config: str
    host: str
    device: str
    threads: int
    started: str
    seconds_fetch: float | None = None
    seconds_spectra: float | None = None
    seconds_metrics: float | None = None
    reused_spectra: bool = False
    bytes: int | None = None
    peak_rss_anon: int | None = None
    outcome: str
    error_type: str | None = None
    error: str | None = None
    transient: bool | None = None
    code_version: str


ATTEMPTS_SCHEMA = pa.schema(
    [
        ("unit", pa.string()),
        ("model", pa.string()),
        ("file", pa.string()),
        ("weights_sha256", pa.string()),
        ("config", pa.string()),
        ("host", pa.string()),
        ("device", pa.string()),
        ("threads", pa.int64()),
        ("started", pa.string()),
        ("seconds_fetch", pa.float64()),
        ("seconds_spectra", pa.float64()),
        ("seconds_metrics", pa.float64()),
        ("reused_spectra", pa.bool_()),
        ("bytes", pa.int64()),
        ("peak_rss_anon", pa.int64()),
        ("outcome", pa.string()),
        ("error_type", pa.string()),
        ("error", pa.string()),
        ("transient", pa.bool_()),
        ("code_version", pa.string()),
    ]
)


def table_of(rows: Sequence[SpectrumRow] | Sequence[LayerRow] | Sequence[AttemptRow], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table of their schema."""
    columns = [pa.array([getattr(row, field.name) for row in rows], field.type) for field in schema]
    return pa.table(columns, schema=schema)
