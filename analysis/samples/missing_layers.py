"""Which layers and models lack a metric, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.opening.results import Results
from analysis.samples.choices import KINDS, settled
from analysis.samples.published import Published
from analysis.statistics.records import Vector

_NO_LAYER = "no layer that counts"
_NO_VALUE = "not defined, though a tail was fitted"
_NOT_FINISHED = {
    "failed": "the model failed",
    "partial": "the model is done in part",
    "pending": "not analyzed yet",
    "scores-only": "no weights to fetch",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is missing, and how often.

    Attributes:
        reason: A word of the closed list of reasons, or a few words.
        n: Models or layers.
    """

    reason: str
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class MissingLayers:
    """One metric of the models with a score, and what of it is missing.

    Attributes:
        metric: Column of `layers`.
        mean: Of each model over its layers with a fit, shape (n,), NaN where there is none.
        share: Of each model's layers, how many are not in that mean: 0 to 1, and 1 for models without metrics.
        n_layers: Layers of the finished models that apply a map.
        model_reasons: Why models have no mean, the most frequent first.
        layer_reasons: Why layers are in none.
    """

    metric: str
    mean: Vector
    share: Vector
    n_layers: int
    model_reasons: tuple[Reason, ...]
    layer_reasons: tuple[Reason, ...]


def missing_layers(results: Results, scored: Published, metrics: Sequence[str]) -> tuple[MissingLayers, ...]:
    """What is missing of each metric, in two queries.

    Args:
        results: Open results.
        scored: The models with a score.
        metrics: Columns of `layers`.
    """
    rows, why = _counts(results, metrics), _reasons(results)
    return tuple(_of_metric(metric, scored, rows, why) for metric in metrics)


def _of_metric(
    metric: str,
    scored: Published,
    rows: Mapping[str, Mapping[str, Any]],
    why: Mapping[str, Mapping[str, int]],
) -> MissingLayers:
    means: list[float | None] = [None] * len(scored.models)
    share = np.ones(len(scored.models))
    of_models: dict[str, int] = {}
    of_layers: dict[str, int] = {}
    n_layers = 0
    for place, (model, status) in enumerate(zip(scored.models, scored.statuses, strict=True)):
        row = rows.get(model) if status == "done" else None
        if row is None:
            reason = _NOT_FINISHED.get(status, _NO_LAYER)
            of_models[reason] = of_models.get(reason, 0) + 1
            continue
        n_layers += row["n_layers"]
        undefined = row["n_ok"] - row[f"{metric}_n"]
        reasons = dict(why.get(model, {})) | ({_NO_VALUE: undefined} if undefined else {})
        for reason, count in reasons.items():
            of_layers[reason] = of_layers.get(reason, 0) + count
        share[place] = 1 - row[f"{metric}_n"] / row["n_layers"]
        means[place] = value = row[f"{metric}_mean"]
        if value is None or not np.isfinite(value):
            reason = max(reasons, key=lambda each: (reasons[each], each), default="infinite")
            of_models[reason] = of_models.get(reason, 0) + 1
    return MissingLayers(metric, settled(means), share, n_layers, _by_count(of_models), _by_count(of_layers))


def _by_count(counts: Mapping[str, int]) -> tuple[Reason, ...]:
    return tuple(Reason(reason, n) for reason, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _counts(results: Results, metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of every model: layers that apply a map, those with a fit, and count and mean of each metric over the latter."""
    columns = ", ".join(
        f"count({metric}) FILTER (status = 'ok') AS {metric}_n, avg({metric}) FILTER (status = 'ok') AS {metric}_mean"
        for metric in metrics
    )
    rows = results.rows(
        f"""SELECT model, count(*) AS n_layers, count(*) FILTER (status = 'ok') AS n_ok, {columns}
        FROM layers WHERE kind IN ({_KINDS}) GROUP BY model"""
    )
    return {row["model"]: row for row in rows}


def _reasons(results: Results) -> dict[str, dict[str, int]]:
    """Of every model, why its layers have no fit, and how often."""
    found: dict[str, dict[str, int]] = {}
    for row in results.rows(
        f"""SELECT model, coalesce(reason, status) AS reason, count(*) AS n FROM layers
        WHERE status <> 'ok' AND kind IN ({_KINDS}) GROUP BY ALL"""
    ):
        found.setdefault(row["model"], {})[row["reason"]] = row["n"]
    return found


_KINDS = ", ".join(f"'{kind}'" for kind in KINDS)
