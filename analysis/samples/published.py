"""Every model that has a published score, whether or not it has metrics: who could be compared, and who is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.opening.results import Results
from analysis.samples.sample import Target
from analysis.samples.samples_from_results import first_of_each
from analysis.statistics.partial import FEWEST_FREE
from analysis.statistics.records import Vector
from catalogs import unknown_name

LEAST_FAMILY = FEWEST_FREE + 1
"""Models of a family below which it has no tau of its own."""

_TARGET = ("dataset", "split", "score_metric", "unit", "higher_is_better")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Published:
    """Models with one score, each content and each duplicate group once.

    Attributes:
        target: The score.
        models: Their keys, shape (n,) as all that follows.
        statuses: How far their analysis is, as in the view `models`.
        families: The series that each belongs to, None for none.
        score: In the target's unit, finite.
    """

    target: Target
    models: tuple[str, ...]
    statuses: tuple[str, ...]
    families: tuple[str | None, ...]
    score: Vector

    @property
    def n_tested(self) -> int:
        """Models in families of at least `LEAST_FAMILY`."""
        counts: dict[str, int] = {}
        for family in self.families:
            if family is not None:
                counts[family] = counts.get(family, 0) + 1
        return sum(count for count in counts.values() if count >= LEAST_FAMILY)


def published(results: Results) -> tuple[Published, ...]:
    """The scores of a results folder, those with most models in families that can be judged first.

    Of models of one content or duplicate group the first that is done stands for all.

    Args:
        results: Open results.
    """
    rows = results.rows(
        """SELECT scores.dataset, scores.split, scores.metric AS score_metric, scores.unit, scores.higher_is_better,
            scores.model, models.status, models.family, models.content, models.duplicate_group, scores.value AS score
        FROM scores JOIN models USING (model)
        WHERE scores."primary" AND isfinite(scores.value)
        ORDER BY ALL"""
    )
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=_first_done):
        groups.setdefault(tuple(row[name] for name in _TARGET), []).append(row)
    found = []
    for key, members in groups.items():
        once = distinct(members)
        found.append(
            Published(
                target=Target(**dict(zip(_TARGET, key, strict=True))),
                models=tuple(row["model"] for row in once),
                statuses=tuple(row["status"] for row in once),
                families=tuple(row["family"] for row in once),
                score=np.array([row["score"] for row in once], dtype=np.float64),
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.n_tested, -len(each.models), each.target.dataset)))


def _first_done(row: dict[str, Any]) -> tuple[bool, bool, str, str]:
    return row["status"] != "done", row["family"] is None, row["family"] or "", row["model"]


def of_dataset(several: Sequence[Published], dataset: str | None) -> Published | None:
    """The first score of a data set; without a name the first of all, None where there is none.

    Args:
        several: What `published` found.
        dataset: Name of the data set.

    Raises:
        AnalysisError: There is no score on this data set.
    """
    if dataset is None:
        return several[0] if several else None
    if not several:
        raise AnalysisError(f"no score on {dataset!r}: these results have no published scores at all.")
    for each in several:
        if each.target.dataset == dataset:
            return each
    raise AnalysisError(unknown_name("dataset", dataset, [each.target.dataset for each in several]))


def distinct(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of the rows that have the same `model`, `content` or `duplicate_group`."""
    kinds = ("model", "content", "duplicate_group")
    keep = first_of_each([[(kind, row[kind]) for kind in kinds if row[kind] is not None] for row in rows])
    return [row for row, kept in zip(rows, keep, strict=True) if kept]
