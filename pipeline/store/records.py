"""The rows that are written: a dataclass each, and the Arrow schema that its annotations say."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter, is_
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


@dataclass(slots=True, kw_only=True)  # frozen, it takes five times as long to make
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
    permuted_evals: Floats = None
    window_evals: Floats = None
    long_localization: Floats = None
    long_participation: Floats = None
    long_entropy: Floats = None
    short_localization: Floats = None
    short_participation: Floats = None
    short_entropy: Floats = None


SPECTRA_SCHEMA = _schema_of(SpectrumRow)

MEASURED = SPECTRA_SCHEMA.names[SPECTRA_SCHEMA.get_field_index("evals") :]
"""Columns that a decomposition fills."""


@dataclass(slots=True, kw_only=True)  # frozen, it takes five times as long to make
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
    tap: int | None = None
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
    tail_trace_log_per_eval: float | None = None
    erg_delta: float | None = None
    erg_delta_raw: float | None = None
    erg_gap: int | None = None
    erg_n_closest: int | None = None
    erg_share: float | None = None
    erg_null_share: float | None = None
    alpha_unbiased: float | None = None
    alpha_low: float | None = None
    alpha_high: float | None = None
    n_minima: int | None = None
    hill_alpha: float | None = None
    bounded_alpha: float | None = None
    raw_alpha: float | None = None
    n_fingers: int | None = None
    alpha_hat_clipped: float | None = None
    ratio_exponential: float | None = None
    p_exponential: float | None = None
    ratio_truncated: float | None = None
    p_truncated: float | None = None
    ratio_log_normal: float | None = None
    p_log_normal: float | None = None
    ratio_stretched: float | None = None
    p_stretched: float | None = None
    truncated_alpha: float | None = None
    truncated_cutoff: float | None = None
    bootstrap_p: float | None = None
    alpha_interval_low: float | None = None
    alpha_interval_high: float | None = None
    mp_sigma: float | None = None
    mp_lambda_plus: float | None = None
    mp_soft_rank: float | None = None
    mp_ks: float | None = None
    n_spikes: int | None = None
    trap_theta: float | None = None
    phase: str | None = None
    phase_decided_by: str | None = None
    universality: str | None = None
    n_traps: float | None = None
    rand_lambda_max: float | None = None
    rand_soft_rank: float | None = None
    rand_distance: float | None = None
    log_tail_norm: float | None = None
    log_q2_empirical: float | None = None
    log_q2_discrete: float | None = None
    log_q2_free_cauchy: float | None = None
    log_q2_inverse_marchenko_pastur: float | None = None
    log_q2_levy_wigner: float | None = None
    log_q2_cumulant: float | None = None
    farms_alpha: float | None = None
    tail_long_localization: float | None = None
    tail_long_participation: float | None = None
    tail_long_entropy: float | None = None
    tail_short_localization: float | None = None
    tail_short_participation: float | None = None
    tail_short_entropy: float | None = None
    bulk_long_localization: float | None = None
    bulk_long_participation: float | None = None
    bulk_long_entropy: float | None = None
    bulk_short_localization: float | None = None
    bulk_short_participation: float | None = None
    bulk_short_entropy: float | None = None


LAYERS_SCHEMA = _schema_of(LayerRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One try at one weight file: where, how long, with what outcome (`done` or `failed`).

    `unit` is the fit id, NULL where the file could not even be identified. `run` is the run that tried, `try_number`
    which of its tries at this unit it was. `host` and `cores` (those that the process may use) tell the machine, `node`
    is its id in a cluster. `seconds` is the whole try on the wall's clock, `seconds_*` a stage of it, NULL where it did
    not run; `seconds_wait` went by until the machine was free to compute. `reused_spectra` says that only the metrics
    were computed.

    `bytes` is the size of the weight file, `bytes_fetched` what of it came over the network now, `bytes_spectra` the
    size of the file of spectra that was written.

    The next are NULL where no spectra were made: `device_name` of its maker; `precision` that was used;
    `float32_deviation`, the largest error of an eigenvalue that the check of float32 found, as a share of the
    largest. Where a GPU was to be had, seconds that a matrix of 2,048 x 1,024 took on it in both precisions,
    and on the CPU in float64 (`probe_*`). `remarks` tells what did not go as asked.
    """

    run: str | None = None
    unit: str | None
    try_number: int | None = None
    model: str
    file: str
    weights_sha256: str | None
    config: str
    host: str
    node: str | None = None
    cores: int | None = None
    device: str
    threads: int
    started: str
    seconds: float | None = None
    seconds_fetch: float | None = None
    seconds_wait: float | None = None
    seconds_spectra: float | None = None
    seconds_metrics: float | None = None
    reused_spectra: bool = False
    device_name: str | None = None
    precision: str | None = None
    float32_deviation: float | None = None
    probe_float64: float | None = None
    probe_float32: float | None = None
    probe_cpu: float | None = None
    remarks: str | None = None
    bytes: int | None = None
    bytes_fetched: int | None = None
    bytes_spectra: int | None = None
    peak_rss_anon: int | None = None
    outcome: str
    error_type: str | None = None
    error: str | None = None
    transient: bool | None = None
    code_version: str


ATTEMPTS_SCHEMA = _schema_of(AttemptRow)


def table_of(rows: Sequence[SpectrumRow] | Sequence[LayerRow] | Sequence[AttemptRow], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table of their schema."""
    columns = zip(*map(attrgetter(*schema.names), rows), strict=True) if rows else [()] * len(schema)
    return pa.table([_array(column, kind) for column, kind in zip(columns, schema.types, strict=True)], schema)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Half of the columns of most tables are empty, which is faster to see than to convert."""
    return pa.nulls(len(values), kind) if all(map(is_, values, repeat(None))) else pa.array(values, kind)
