"""Samples out of any two tables: one with metrics of models, one with their scores, or one file that has both."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from analysis.plain_table import PlainTable, read_table
from analysis.sample import Sample, Target
from analysis.samples_from_results import first_of_each
from analysis.score_table import ScoreTable, open_table, read_scores
from analysis.statistics.records import Vector
from catalogs import counted, unknown_name

_SIZES = {"log10_params": 1.0, "params": 1.0, "n_params": 1.0}
_DEPTHS = ("depth", "n_layers")
_NO_METRIC = {
    *("model", "name", "dataset", "split", "metric", "value", "unit", "stderr", "n_test", "setting", "primary"),
    *("higher_is_better", "provenance", "weights_sha256", "duplicate_group", "content", "family", "architecture"),
    *("size", "rank", "index", *_SIZES, *_DEPTHS),
}
"""Columns that say something else than a metric, or make the baselines."""

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of tables.

    Attributes:
        by: Columns whose values make the groups that models are compared within; without any, `family` where there is
            one. With `dataset` among them, the groups of all data sets are one sample; else each data set is one.
        metrics: Columns to judge; without any, all that are numbers and nothing else.
        score: Column of the scores, where a row is a model.
        unit: Unit of the scores, where the table does not tell it.
        higher_is_better: Which way scores go, where their name does not tell it rightly.
        dataset: Only scores on this.
        family: Only models of this group.
    """

    by: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    score: str | None = None
    unit: str | None = None
    higher_is_better: bool | None = None
    dataset: str | None = None
    family: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """What came out of the tables.

    Attributes:
        samples: One a score, in the order of the table.
        metrics: Columns of the samples that are judged, without the baselines.
        notes: Sentences on what was left out and why.
    """

    samples: tuple[Sample, ...]
    metrics: tuple[str, ...]
    notes: tuple[str, ...]


def samples_from_files(
    metrics: Path | None, scores: str | Path, question: Question, *, params: str | Path | None = None
) -> Joined:
    """Join metrics and scores on the column `model` (and on the columns of `question.by` that both tables have).

    Args:
        metrics: CSV or Parquet, a row a model; None for the baselines alone.
        scores: CSV, Parquet or a catalog; may be the file of the metrics.
        question: What to make of the columns.
        params: A table or catalog with a column `params` for the size of the models, where neither of the two has it.

    Raises:
        AnalysisError: A file is no table, a column is missing, a key appears twice, nothing fits together, or scores
            cannot be what they are said to be.
        CatalogError: A catalog is wrong.
    """
    scored = open_table(scores)
    same = metrics is not None and isinstance(scores, str | Path) and _same_file(metrics, Path(scores))
    measured = scored if same or metrics is None else read_table(metrics)
    for table in (measured, scored):
        table.texts("model")
    found = read_scores(scored, score=question.score, unit=question.unit, higher=question.higher_is_better)
    if question.dataset is not None:
        found = _on(found, question.dataset)
    notes: list[str] = []
    by = question.by or (("family",) if "family" in {*measured.columns, *scored.columns} else ())
    for column in by:
        if not measured.has(column) and not scored.has(column):
            known = dict.fromkeys([*scored.columns, *measured.columns])
            raise AnalysisError(f"--by: {unknown_name('column', column, known)}")
    pairs = _pairs(measured, found, by, same or metrics is None, notes)
    datasets = [found.targets[pair.score].dataset for pair in pairs]
    if "dataset" in by:
        found = _one_target(found)
    chosen = () if metrics is None else _metric_columns(measured, question.metrics, found.column, by, notes)
    columns = {name: _finite(measured.numbers(name), measured, name, notes) for name in chosen}
    errors = _errors(measured, chosen)
    sizes = _sizes(params, measured, scored, found, pairs, notes)
    groups = _groups(measured, found, by, pairs, datasets)
    if question.family is not None and question.family not in groups:
        raise AnalysisError(unknown_name("family", question.family, [name for name in groups if name is not None]))
    pairs = _distinct(measured, found, pairs, notes)
    names = measured.texts("model")
    samples = []
    architectures = _either("architecture", measured, found, pairs)
    for target in dict.fromkeys(found.targets):
        own = np.array([index for index, pair in enumerate(pairs) if found.targets[pair.score] is target], dtype=int)
        if question.family is not None:
            own = own[[groups[pairs[index].place] == question.family for index in own]]
        if not len(own):
            continue
        rows = np.array([pairs[index].metric for index in own])
        score_rows = np.array([pairs[index].score for index in own])
        places = [pairs[index].place for index in own]
        samples.append(
            Sample(
                target=target,
                models=tuple(str(names[row]) for row in rows),
                families=tuple(groups[place] for place in places),
                architectures=tuple(architectures[index] for index in own),
                score=found.values[score_rows],
                score_error=found.errors[score_rows],
                columns={name: values[rows] for name, values in columns.items()}
                | {name: values[places] for name, values in sizes.items()},
                errors={name: values[rows] for name, values in errors.items()},
            )
        )
    return Joined(tuple(samples), chosen, tuple(notes))


@dataclass(frozen=True, slots=True)
class _Pair:
    """A row of the metrics, a place among the scores, and the pair's own place before any was left out."""

    metric: int
    score: int
    place: int


def _same_file(one: Path, other: Path) -> bool:
    return other.exists() and one.exists() and one.samefile(other)


def _pairs(measured: PlainTable, found: ScoreTable, by: Sequence[str], same: bool, notes: list[str]) -> list[_Pair]:
    """Which row of metrics belongs to which score; who has no partner is noted."""
    scored = found.table
    if same:
        _once(scored, [scored.texts("model"), *_key_columns(scored, by)], found, "row")
        return [_Pair(int(row), index, index) for index, row in enumerate(found.rows)]
    shared = [name for name in dict.fromkeys(("dataset", *by)) if measured.has(name) and scored.has(name)]
    keys = _keys(measured, shared)
    row_of: dict[tuple[str | None, ...], int] = {}
    for row, key in enumerate(keys):
        if key[0] is None:
            raise AnalysisError(f"{measured.file}: {measured.place(row)} has no model.")
        if key in row_of:
            raise AnalysisError(_twice(measured, key, shared, row_of[key], row))
        row_of[key] = row
    score_keys = _keys(scored, shared)
    names = _keys(scored, shared, "name") if scored.has("name") else score_keys
    _once(scored, [scored.texts("model"), *(scored.texts(name) for name in shared)], found, "score")
    pairs: list[_Pair] = []
    missing: list[str] = []
    used: set[int] = set()
    for index, row in enumerate(found.rows):
        at = row_of.get(score_keys[row], row_of.get(names[row]))
        if at is None:
            missing.append(str(score_keys[row][0]))
        else:
            pairs.append(_Pair(at, index, len(pairs)))
            used.add(at)
    if not pairs:
        some = ", ".join(str(key[0]) for key in keys[:3])
        others = ", ".join(str(score_keys[row][0]) for row in found.rows[:3])
        raise AnalysisError(
            f"no model is in both {measured.file} ({some}, ...) and {scored.file} ({others}, ...)"
            f"{f'; they were joined on model and {shared}' if shared else ''}."
        )
    _note_missing(notes, [str(keys[row][0]) for row in range(len(keys)) if row not in used], f"score in {scored.file}")
    _note_missing(notes, list(dict.fromkeys(missing)), f"row in {measured.file}")
    return _other_weights(measured, found, pairs, notes)


def _keys(table: PlainTable, shared: Sequence[str], name: str = "model") -> list[tuple[str | None, ...]]:
    return list(zip(table.texts(name), *(table.texts(column) for column in shared), strict=True))


def _key_columns(table: PlainTable, by: Sequence[str]) -> list[list[str | None]]:
    return [table.texts(name) for name in dict.fromkeys(("dataset", *by)) if table.has(name)]


def _once(table: PlainTable, cells: Sequence[list[str | None]], found: ScoreTable, what: str) -> None:
    """That no model has two scores of one target."""
    first: dict[tuple[object, ...], int] = {}
    for index, row in enumerate(found.rows):
        key = (id(found.targets[index]), *(column[row] for column in cells))
        if key in first:
            target = found.targets[index]
            raise AnalysisError(
                f"{table.file}: model {cells[0][row]!r} has a second {what} for {target.score_metric} on "
                f"{target.dataset} in {table.place(int(row))}, see {table.place(first[key])}; need one, or the columns "
                "that tell the two apart in --by."
            )
        first[key] = int(row)


def _twice(table: PlainTable, key: tuple[str | None, ...], shared: Sequence[str], first: int, second: int) -> str:
    also = "".join(f", {name} {value!r}" for name, value in zip(shared, key[1:], strict=True))
    return (
        f"{table.file}: model {key[0]!r}{also} is in {table.place(first)} and {table.place(second)}; need one row, "
        "or in --by the columns that tell the two apart and stand in both tables."
    )


def _note_missing(notes: list[str], models: Sequence[str], what: str) -> None:
    if models:
        shown = ", ".join(models[:_NAMED]) + (", ..." if len(models) > _NAMED else "")
        notes.append(f"{counted(len(models), 'model has', 'models have')} no {what}: {shown}")


def _other_weights(measured: PlainTable, found: ScoreTable, pairs: list[_Pair], notes: list[str]) -> list[_Pair]:
    """Without the pairs whose tables name weight files of other content."""
    if not (measured.has("weights_sha256") and found.table.has("weights_sha256")):
        return pairs
    own, theirs = measured.texts("weights_sha256"), found.table.texts("weights_sha256")
    kept: list[_Pair] = []
    left: list[str] = []
    names = measured.texts("model")
    for pair in pairs:
        one, other = own[pair.metric], theirs[found.rows[pair.score]]
        if one and other and one.lower() != other.lower():
            left.append(str(names[pair.metric]))
        else:
            kept.append(_Pair(pair.metric, pair.score, len(kept)))
    if left:
        shown = ", ".join(left[:_NAMED]) + (", ..." if len(left) > _NAMED else "")
        notes.append(f"{counted(len(left), 'score was', 'scores were')} measured on other weights, left out: {shown}")
    return kept


def _metric_columns(
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


def _finite(values: Vector, table: PlainTable, name: str, notes: list[str]) -> Vector:
    infinite = np.isinf(values)
    if infinite.any():
        rows = table.places(np.flatnonzero(infinite).tolist())
        notes.append(f"{name} is infinite in {rows}: counted as missing")
    return np.where(infinite, np.nan, values)


def _errors(table: PlainTable, metrics: Sequence[str]) -> dict[str, Vector]:
    names = {name: f"{name.removesuffix('_mean')}_se" for name in metrics}
    found = {name: table.numbers(error) for name, error in names.items() if table.has(error) and error != name}
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def _sizes(
    params: str | Path | None,
    measured: PlainTable,
    scored: PlainTable,
    found: ScoreTable,
    pairs: Sequence[_Pair],
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
        column = next((name for name in _DEPTHS if table.has(name)), None)
        if not np.isfinite(depth).any() and column is not None:
            depth = table.numbers(column)[places]
    if params is not None:
        names = measured.texts("model")
        known_sizes = _sizes_by_name(open_table(params))
        size = np.array([known_sizes.get(str(names[row]), math.nan) for row in rows])
        _note_missing(notes, [str(names[row]) for row in rows[~np.isfinite(size)]], f"number of parameters in {params}")
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


def _groups(
    measured: PlainTable, found: ScoreTable, by: Sequence[str], pairs: Sequence[_Pair], datasets: Sequence[str]
) -> list[str | None]:
    """The group of each pair: what stands in the columns of `by`."""
    columns: list[Sequence[str | None]] = [
        datasets if name == "dataset" else _either(name, measured, found, pairs) for name in by
    ]
    if not columns:
        return [None] * len(pairs)
    return [" / ".join(map(str, cells)) if None not in cells else None for cells in zip(*columns, strict=True)]


def _on(found: ScoreTable, dataset: str) -> ScoreTable:
    """The scores on one data set."""
    known = list(dict.fromkeys(target.dataset for target in found.targets))
    if dataset not in known:
        raise AnalysisError(unknown_name("dataset", dataset, known))
    own = np.array([target.dataset == dataset for target in found.targets])
    return replace(
        found,
        rows=found.rows[own],
        targets=tuple(target for target in found.targets if target.dataset == dataset),
        values=found.values[own],
        errors=found.errors[own],
    )


def _one_target(found: ScoreTable) -> ScoreTable:
    """The scores of all data sets under one target for each metric, unit and direction."""
    alike: dict[tuple[str, str, bool], list[Target]] = {}
    for target in dict.fromkeys(found.targets):
        alike.setdefault((target.score_metric, target.unit, target.higher_is_better), []).append(target)
    joint: dict[Target, Target] = {}
    for several in alike.values():
        names = list(dict.fromkeys(target.dataset for target in several))
        told = names[0] if len(names) == 1 else f"{len(names)} data sets"
        joint |= dict.fromkeys(several, replace(several[0], dataset=told, split=None))
    canonical = {target: target for target in joint.values()}
    return replace(found, targets=tuple(canonical[joint[target]] for target in found.targets))


def _either(name: str, measured: PlainTable, found: ScoreTable, pairs: Sequence[_Pair]) -> list[str | None]:
    """A column of text for the pairs, out of the scores' table or else of the metrics'."""
    if found.table.has(name):
        cells = found.table.texts(name)
        return [cells[found.rows[pair.score]] for pair in pairs]
    if measured.has(name):
        cells = measured.texts(name)
        return [cells[pair.metric] for pair in pairs]
    return [None] * len(pairs)


def _distinct(measured: PlainTable, found: ScoreTable, pairs: list[_Pair], notes: list[str]) -> list[_Pair]:
    """The first of the models of one duplicate group or one content, for each target."""
    columns = [_either(name, measured, found, pairs) for name in ("duplicate_group", "weights_sha256", "content")]
    described = [[(str(kind), cell) for kind, cell in enumerate(cells)] for cells in zip(*columns, strict=True)]
    keep = first_of_each(
        [
            [(*key, str(id(found.targets[pair.score]))) for key in keys if key[1] is not None]
            for keys, pair in zip(described, pairs, strict=True)
        ]
    )
    left = len(pairs) - int(keep.sum())
    if left:
        notes.append(
            f"{counted(left, 'score is', 'scores are')} of weights that are there under another name: left out"
        )
    return [pair for pair, kept in zip(pairs, keep, strict=True) if kept]
