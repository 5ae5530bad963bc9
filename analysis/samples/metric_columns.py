"""Which columns of a table are metrics, their errors, and the baselines of size and depth."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from analysis.samples.paired_rows import Pair, note_missing
from analysis.samples.plain_table import PlainTable
from analysis.samples.score_table import ScoreTable, open_table
from analysis.statistics.records import Vector
from catalogs import unknown_name

_SIZES = {"log10_params": 1.0, "params": 1.0, "n_params": 1.0}
_DEPTHS = ("depth", "n_layers")
_NO_METRIC = {
    *("model", "name", "dataset", "split", "metric", "value", "unit", "stderr", "n_test", "setting", "primary"),
    *("higher_is_better", "provenance", "weights_sha256", "duplicate_group", "content", "family", "architecture"),
    *("size", "rank", "index", *_SIZES, *_DEPTHS),
}
"""Columns that say something else than a metric, or make the baselines."""


def metric_columns(
    table: PlainTable, asked: Sequence[str], score: str | None, by: Sequence[str], notes: list[str]
) -> tuple[str, ...]:
    """The columns to judge: those asked for, or all of numbers that are nothing else."""
    for name in asked:
        table.numbers(name)
    if asked:
        return tuple(dict.fromkeys(name for name in asked if name not in (*_SIZES, *_DEPTHS, "depth")))
    candidates = [name for name in table.columns if name.lower() not in _NO_METRIC and name not in (score, *by)]
    found = [name for name in candidates if table.is_numeric(name)]
    errors = {f"{name.removesuffix('_mean')}_se" for name in found}
    metrics = tuple(name for name in found if name not in errors)
    for name in candidates:
        cells = [cell for cell in table.columns[name] if isinstance(cell, str)]
        numbers = sum(_is_number(cell) for cell in cells)
        if name not in found and numbers > len(cells) / 2:
            odd = next(cell for cell in cells if not _is_number(cell))
            notes.append(f"column {name} is no metric: it has text among its numbers, such as {odd[:40]!r}")
    if not metrics:
        raise AnalysisError(f"{table.file} has no column of numbers that could be a metric; need one beside model.")
    return metrics


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def finite_values(values: Vector, table: PlainTable, name: str, notes: list[str]) -> Vector:
    """A column with NaN where it is infinite, which is noted with its rows."""
    infinite = np.isinf(values)
    if infinite.any():
        rows = table.places(np.flatnonzero(infinite).tolist())
        notes.append(f"{name} is infinite in {rows}: counted as missing")
    return np.where(infinite, np.nan, values)


def standard_errors(table: PlainTable, metrics: Sequence[str]) -> dict[str, Vector]:
    """The columns `<metric>_se` of metrics that have one, by the metrics' names."""
    names = {name: f"{name.removesuffix('_mean')}_se" for name in metrics}
    found = {name: table.numbers(error) for name, error in names.items() if table.has(error) and error != name}
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def baselines(
    params: str | Path | None,
    measured: PlainTable,
    scored: PlainTable,
    found: ScoreTable,
    pairs: Sequence[Pair],
    notes: list[str],
) -> Mapping[str, Vector]:
    """The baselines, one value a pair; NaN for all where no table has them."""
    rows = np.array([pair.metric for pair in pairs], dtype=int)
    score_rows = found.rows[[pair.score for pair in pairs]]
    unknown = np.full(len(pairs), np.nan)
    size, depth = unknown, unknown
    for table, places in ((measured, rows), (scored, score_rows)):
        if not np.isfinite(size).any() and (known := _log10_params(table)) is not None:
            size = known[places]
            note_missing(notes, _without_size(table), f"number of parameters above 0 in {table.file}")
        column = next((name for name in _DEPTHS if table.has(name)), None)
        if not np.isfinite(depth).any() and column is not None:
            depth = table.numbers(column)[places]
    if params is not None:
        names = measured.texts("model")
        known_sizes = _sizes_by_name(open_table(params))
        size = np.array([known_sizes.get(str(names[row]), math.nan) for row in rows])
        note_missing(notes, [str(names[row]) for row in rows[~np.isfinite(size)]], f"number of parameters in {params}")
        if not np.isfinite(size).any():
            raise AnalysisError(f"no model of {measured.file} has params in {params}; models are found by their names.")
    return {"log10_params": size, "depth": depth}


def _log10_params(table: PlainTable) -> Vector | None:
    name = next((name for name in _SIZES if table.has(name)), None)
    if name is None:
        return None
    values = table.numbers(name)
    if name == "log10_params":
        return np.where(np.isfinite(values), values, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Vector = np.log10(np.where(values > 0, values, np.nan))
    return found


def _without_size(table: PlainTable) -> list[str]:
    """Models with a number of parameters that cannot be one."""
    name = next(name for name in _SIZES if table.has(name))
    wrong = np.zeros(len(table), dtype=bool) if name == "log10_params" else table.numbers(name) <= 0
    return [str(model) for model, bad in zip(table.texts("model"), wrong, strict=True) if bad]


def _sizes_by_name(table: PlainTable) -> dict[str, float]:
    sizes = _log10_params(table)
    if sizes is None:
        raise AnalysisError(f"{table.file}: {unknown_name('column', 'params', table.columns)}")
    names = [name for column in ("model", "name") if table.has(column) for name in table.texts(column)]
    values = np.tile(sizes, len(names) // len(sizes))
    found = {str(name): float(value) for name, value in zip(names, values, strict=True) if name is not None}
    untagged: dict[str, set[float]] = {}
    for name, value in found.items():
        untagged.setdefault(name.rpartition(".")[0], set()).add(value)
    # The tag of a catalog's name, as in resnet50.a1_in1k, says how a network was trained, not how large it is.
    return {name: min(values) for name, values in untagged.items() if len(values) == 1} | found
