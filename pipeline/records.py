"""The rows that are written: a dataclass each, and the Arrow schema that its annotations say."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pyarrow as pa

Floats = Annotated[Any, pa.list_(pa.float64())]
"""Any sequence of floats, an array above all."""

Integers = Annotated[Any, pa.list_(pa.int64())]

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def _schema_of(row: type) -> pa.Schema:
    """A column a field: text, int64, float64, bool, or the list that its annotation names."""
    hints = get_type_hints(row, include_extras=True)
    return pa.schema([(name, _arrow_type(hint)) for name, hint in hints.items()])


def _arrow_type(hint: Any) -> pa.DataType:
    if isinstance(hint, UnionType):
        (hint,) = (arm for arm in get_args(hint) if arm is not NoneType)
    return get_args(hint)[1] if get_origin(hint) is Annotated else _ARROW[hint]


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
    shape: Integers
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
    evals: Floats = None
    rank: Integers = None
    frobenius_sq: Floats = None
    entry_mean: Floats = None
    entry_var: Floats = None
    entry_kurtosis: Floats = None
    entry_max_abs: Floats = None
    zero_fraction: Floats = None


SPECTRA_SCHEMA = _schema_of(SpectrumRow)


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


LAYERS_SCHEMA = _schema_of(LayerRow)


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


ATTEMPTS_SCHEMA = _schema_of(AttemptRow)


def table_of(rows: Sequence[SpectrumRow] | Sequence[LayerRow] | Sequence[AttemptRow], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table of their schema."""
    columns = [pa.array([getattr(row, field.name) for row in rows], field.type) for field in schema]
    return pa.table(columns, schema=schema)
