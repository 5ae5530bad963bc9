"""Samples out of any two tables: one with metrics of models, one with their scores, or one file that has both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis.errors import AnalysisError
from analysis.samples.metric_columns import baselines, finite_values, metric_columns, standard_errors
from analysis.samples.paired_rows import Pair, distinct_pairs, either_text, pair_rows
from analysis.samples.plain_table import PlainTable, read_table
from analysis.samples.sample import Sample, Target
from analysis.samples.score_table import ScoreTable, low_scores, open_table, read_scores
from catalogs import unknown_name


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
    notes = low_scores(found)
    by = question.by or (("family",) if "family" in {*measured.columns, *scored.columns} else ())
    for column in by:
        if not measured.has(column) and not scored.has(column):
            known = dict.fromkeys([*scored.columns, *measured.columns])
            raise AnalysisError(f"--by: {unknown_name('column', column, known)}")
    pairs = pair_rows(measured, found, by, same or metrics is None, notes)
    datasets = [found.targets[pair.score].dataset for pair in pairs]
    if "dataset" in by:
        found = _one_target(found)
    chosen = () if metrics is None else metric_columns(measured, question.metrics, found.column, by, notes)
    columns = {name: finite_values(measured.numbers(name), measured, name, notes) for name in chosen}
    errors = standard_errors(measured, chosen)
    sizes = baselines(params, measured, scored, found, pairs, notes)
    groups = _groups(measured, found, by, pairs, datasets)
    if question.family is not None and question.family not in groups:
        raise AnalysisError(unknown_name("family", question.family, [name for name in groups if name is not None]))
    pairs = distinct_pairs(measured, found, pairs, notes)
    names = measured.texts("model")
    samples = []
    architectures = either_text("architecture", measured, found, pairs)
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


def _same_file(one: Path, other: Path) -> bool:
    return other.exists() and one.exists() and one.samefile(other)


def _groups(
    measured: PlainTable, found: ScoreTable, by: Sequence[str], pairs: Sequence[Pair], datasets: Sequence[str]
) -> list[str | None]:
    """The group of each pair: what stands in the columns of `by`."""
    columns: list[Sequence[str | None]] = [
        datasets if name == "dataset" else either_text(name, measured, found, pairs) for name in by
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
