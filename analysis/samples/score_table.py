"""Scores out of a table or a catalog: numbers with their unit and direction, checked before anything is made of them.

Two forms are known: rows of (model, dataset, metric, value, unit, ...), as catalogs have them, and a row a model with
the score in a column whose name or `unit` says what it is measured in.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.samples.plain_table import PlainTable, read_table
from analysis.samples.sample import Target
from analysis.statistics.ceiling import binomial_error
from analysis.statistics.records import Vector
from catalogs import UNITS, Catalog, catalog_names, counted, load_catalog, unknown_name
from catalogs.scores import higher_is_better

_LONG = ("dataset", "metric", "value")
_NO_SCORE = ("model", "params", "n_params", "log10_params", "depth", "n_layers", "n_test", "stderr")
"""Columns that are numbers and no scores."""

_LARGEST = {"percent": 100.0, "fraction": 1.0}
_SHARE = {"acc", "accuracy", "err", "error"}
"""Words of a score's name that make it a share of the examples that it was measured on."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """Scores that were read and checked.

    Attributes:
        table: The table that they stand in.
        rows: Their rows in it, shape (n,) as all that follows.
        targets: What each is a score of; equal ones are one object.
        values: In the target's unit, finite.
        errors: Their standard errors, NaN where nothing tells them.
        column: The column of the scores where a row is a model, None where there are several scores a model.
    """

    table: PlainTable
    rows: NDArray[np.int64]
    targets: tuple[Target, ...]
    values: Vector
    errors: Vector
    column: str | None


def open_table(name: str | Path) -> PlainTable:
    """A table by its path, or a catalog by its name or folder: then its primary scores, a row a score.

    Raises:
        AnalysisError: There is no such file or catalog, or it is no table.
        CatalogError: The catalog is wrong.
    """
    path = Path(name)
    if str(name) in catalog_names() and not (isinstance(name, Path) and path.exists()):
        return _of_catalog(load_catalog(str(name)))
    if path.is_dir() and any((path / file).is_file() for file in ("catalog.csv", "catalog.toml")):
        return _of_catalog(load_catalog(path))
    if not path.exists():
        near = unknown_name("catalog", str(name), catalog_names())
        raise AnalysisError(f"{name} is neither a CSV or Parquet file nor a catalog: {near}.")
    return read_table(path)


def read_scores(
    table: PlainTable, *, score: str | None = None, unit: str | None = None, higher: bool | None = None
) -> ScoreTable:
    """Find the scores of a table, and what they are.

    Args:
        table: With a column `model`.
        score: The column of the scores, where a row is a model.
        unit: Their unit, where neither a column `unit` nor the end of the column's name tells it.
        higher: Whether higher is better, where the score's name does not tell it rightly.

    Raises:
        AnalysisError: A column is missing, the unit is unknown or cannot be right, or a score is not finite.
    """
    if unit is not None and unit not in UNITS:
        raise AnalysisError(f"{unknown_name('unit', unit, UNITS)}.")
    _need_models(table)
    if score is None and table.has(*_LONG):
        found = _long(table, unit, higher)
    else:
        found = _wide(table, score or _only_score(table), unit, higher)
    for target in dict.fromkeys(found.targets):
        _check(found, target, sure=unit is not None)
    return found


def low_scores(found: ScoreTable) -> list[str]:
    """Sentences on scores in percent that may be fractions among others that are not: read as they stand."""
    told = []
    for target in dict.fromkeys(found.targets):
        own = np.array([each is target for each in found.targets])
        low = own & (found.values > 0) & (found.values <= 1)
        if target.unit == "percent" and target.higher_is_better and low.any():
            models = found.table.texts("model")
            shown = zip(found.rows[low][:5], found.values[low][:5], strict=True)
            named = ", ".join(f"{models[row]} {value:g}" for row, value in shown)
            count = f"{counted(int(low.sum()), 'score')} {target.score_metric} on {target.dataset}"
            told.append(
                f"{count} of at most 1 percent: are these fractions? ({named}{', ...' if low.sum() > 5 else ''})"
            )
    return told


def binomial_errors(values: Vector, n_test: Vector, metric: str, unit: str) -> Vector:
    """Standard errors of accuracies or error rates from the number of examples, in their unit; NaN for other scores."""
    largest = _LARGEST.get(unit)
    if largest is None or not _SHARE & set(re.split(r"[^a-z]+", metric.lower())):
        return np.full(len(values), np.nan)
    return binomial_error(values, n_test, of=largest)


def _of_catalog(catalog: Catalog) -> PlainTable:
    """The primary scores of a catalog beside what it knows of their models."""
    files = {file.model: file for file in reversed(catalog.files)}
    scores = [each for each in catalog.scores if each.primary]
    if not scores:
        raise AnalysisError(f"catalog {catalog.name} has no scores.")
    own = [files[each.model] for each in scores]
    columns: dict[str, list[str | float | None]] = {"model": [each.model for each in scores]}
    for name in ("name", "family", "architecture", "duplicate_group", "params"):
        columns[name] = [getattr(file, name) for file in own]
    for name in ("dataset", "split", "metric", "value", "unit", "stderr", "n_test"):
        columns[name] = [getattr(each, name) for each in scores]
    columns["higher_is_better"] = [str(each.higher_is_better).lower() for each in scores]
    return PlainTable(f"catalog {catalog.name}", columns)


def _need_models(table: PlainTable) -> None:
    blank = [index for index, empty in enumerate(table.blank("model")) if empty]
    if blank:
        raise AnalysisError(
            f"{table.file}: {counted(len(blank), 'row has', 'rows have')} no model ({table.places(blank)})."
        )


def _long(table: PlainTable, unit: str | None, higher: bool | None) -> ScoreTable:
    rows = np.flatnonzero(~np.array(table.blank("value")))
    if table.has("primary") and "true" in (marked := [(cell or "").lower() for cell in table.texts("primary")]):
        rows = rows[[marked[row] == "true" for row in rows]]
    values = table.numbers("value")[rows]

    def texts(name: str) -> list[str | None]:
        cells: list[str | None] = table.texts(name) if table.has(name) else [None] * len(table)
        return [cells[row] for row in rows]

    known: dict[tuple[str | None, ...], Target] = {}
    targets = []
    described = zip(*map(texts, ("dataset", "split", "metric", "unit", "higher_is_better")), rows, strict=True)
    for *what, row in described:
        key = tuple(what)
        if key not in known:
            known[key] = _target(table, key, unit, higher, row)
        targets.append(known[key])
    alike = {target: target for target in known.values()}
    return _with_errors(table, rows, tuple(alike[target] for target in targets), values, None)


def _target(table: PlainTable, key: tuple[str | None, ...], unit: str | None, higher: bool | None, row: int) -> Target:
    dataset, split, metric, own_unit, own_higher = key
    at = f"{table.file}: {table.place(row)}"
    if dataset is None or metric is None:
        raise AnalysisError(f"{at} has a value and no {'dataset' if dataset is None else 'metric'}.")
    used = own_unit or unit
    if used is None:
        raise AnalysisError(f"{at} has no unit; need one of {', '.join(UNITS)} in the column unit, or --unit.")
    if used not in UNITS:
        raise AnalysisError(f"{at}: {unknown_name('unit', used, UNITS)}.")
    if own_higher is not None and own_higher.lower() not in ("true", "false"):
        raise AnalysisError(f"{at}: higher_is_better needs true or false, got {own_higher!r}.")
    told = higher if own_higher is None else own_higher.lower() == "true"
    return Target(
        dataset=dataset, split=split, score_metric=metric, unit=used, higher_is_better=_higher(metric, used, told)
    )


def _higher(metric: str, unit: str, told: bool | None) -> bool:
    return told if told is not None else unit != "perplexity" and higher_is_better(metric)


def _wide(table: PlainTable, column: str, unit: str | None, higher: bool | None) -> ScoreTable:
    rows = np.flatnonzero(~np.array(table.blank(column)))
    values = table.numbers(column)[rows]
    suffix = _suffix(column)
    if unit is None and suffix is None:
        likely = "fraction" if len(values) and np.nanmax(values) <= 1 else "percent"
        raise AnalysisError(
            f"{table.file}: what is {column!r} measured in? Need --unit with one of {', '.join(UNITS)} (perhaps --unit "
            f"{likely}), or a column whose name ends in one of them, such as {column}_{likely}."
        )
    if unit is not None and suffix is not None and unit != suffix and not {unit, suffix} <= set(_LARGEST):
        raise AnalysisError(f"{table.file}: --unit {unit} is not what the name of column {column!r} says: {suffix}.")
    used = unit or suffix
    assert used is not None
    metric = column.removesuffix(f"_{suffix}") if suffix else column
    plain = Target(
        dataset=table.file,
        split=None,
        score_metric=metric,
        unit=used,
        higher_is_better=_higher(metric, used, higher),
    )
    datasets = table.texts("dataset") if table.has("dataset") else [table.file] * len(table)
    nameless = [int(row) for row in rows if datasets[row] is None]
    if nameless:
        raise AnalysisError(f"{table.file}: a score without dataset in {table.places(nameless)}.")
    known = {name: replace(plain, dataset=name) for name in dict.fromkeys(datasets) if name is not None}
    return _with_errors(table, rows, tuple(known[datasets[row] or ""] for row in rows), values, column)


def _suffix(column: str) -> str | None:
    return next((unit for unit in UNITS if column.lower().endswith(f"_{unit}")), None)


def _only_score(table: PlainTable) -> str:
    """The one column whose name ends in a unit, or the one of numbers."""
    found = [name for name in table.columns if _suffix(name) is not None]
    numeric = [name for name in table.columns if name not in _NO_SCORE and table.is_numeric(name)]
    odd = [name for name in table.columns if name not in _NO_SCORE and table.nearly_numeric(name)]
    if len(found or numeric + odd) == 1:
        return (found or numeric + odd)[0]  # an odd one is refused with what to write instead
    shown = ", ".join(found or (odd + numeric)[:10]) or "none"
    raise AnalysisError(
        f"{table.file}: which column is the score? Need --score COLUMN (columns of numbers: {shown}), or the columns "
        f"{', '.join(_LONG)}."
    )


def _with_errors(
    table: PlainTable, rows: NDArray[np.int64], targets: tuple[Target, ...], values: Vector, column: str | None
) -> ScoreTable:
    """Standard errors as given, or else what the number of examples makes of a share of right answers."""
    unknown = np.full(len(rows), np.nan)
    stderr = table.numbers("stderr")[rows] if table.has("stderr") else unknown
    n_test = table.numbers("n_test")[rows] if table.has("n_test") else unknown
    binomial = unknown.copy()
    places = np.array([id(target) for target in targets])
    for target in dict.fromkeys(targets):
        own = places == id(target)
        binomial[own] = binomial_errors(values[own], n_test[own], target.score_metric, target.unit)
    errors = np.where(np.isfinite(stderr) & (stderr > 0), stderr, binomial)
    return ScoreTable(table, rows, targets, values, errors, column)


def _check(found: ScoreTable, target: Target, *, sure: bool) -> None:
    """Whether the scores of one target can be what they are said to be."""
    own = np.array([each is target for each in found.targets])
    values, rows = found.values[own], found.rows[own]
    told = f"{found.table.file}: {target.score_metric} on {target.dataset}"
    _refuse(found.table, ~np.isfinite(values), rows, values, f"{told} has scores that are not finite", "leave them out")
    _refuse(found.table, values < 0, rows, values, f"{told} is below 0", "is the unit right?", target.unit in _LARGEST)
    largest = _LARGEST.get(target.unit, np.inf)
    advice = f"a {target.unit} is at most {largest:g}" + (
        "; are these percent? Say --unit percent" if target.unit == "fraction" else ""
    )
    _refuse(found.table, values > largest, rows, values, f"{told} is too large", advice)
    low = (values < 1) & (target.unit == "perplexity")
    _refuse(found.table, low, rows, values, f"{told} is too small", "a perplexity is at least 1")
    small = len(values) > 1 and values.max() <= 1 and target.unit == "percent"
    if small and (target.higher_is_better or not sure):
        real = "" if target.higher_is_better else ", or --unit percent if errors are that small"
        mend = "Write fraction in the column unit" if found.column is None else "Say --unit fraction"
        raise AnalysisError(
            f"{told}: all {len(values)} values are at most 1 (the largest is {values.max():g}), so they look like "
            f"fractions and not percent. {mend}{real}."
        )


def _refuse(
    table: PlainTable,
    wrong: NDArray[np.bool_],
    rows: NDArray[np.int64],
    values: Vector,
    told: str,
    advice: str,
    applies: bool = True,
) -> None:
    if applies and wrong.any():
        shown = [int(row) for row in rows[wrong]]
        models = table.texts("model")
        named = ", ".join(
            f"{table.place(row)}: {models[row]} {value:g}"
            for row, value in zip(shown[:5], values[wrong][:5], strict=True)
        )
        raise AnalysisError(
            f"{told} in {counted(len(shown), 'row')} ({named}{', ...' if len(shown) > 5 else ''}); {advice}."
        )
