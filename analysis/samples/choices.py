"""What a model's number is made of: which layers, how they are averaged, which options. Every choice in one query.

All choices but those of other configurations are aggregates over the view `layers`, so they cost one pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.opening.configurations import Configuration
from analysis.opening.results import METRICS as KNOWN_METRICS
from analysis.opening.results import Results, open_results
from analysis.order import BY_NAME, layer_order
from analysis.statistics.records import Vector
from catalogs import unknown_name

DEFAULT = "mean"
"""The choice that others are compared with: the unweighted mean over all layers, which is what was published."""

KINDS = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose", "recurrent", "embedding")
"""Kinds of layers that apply a map, and count."""

_LEAST_EVALS = (50, 100, 200)

_KEPT = {
    "no first and last": "NOT at_an_end",
    "linear only": "kind = 'linear'",
    "convolutions only": "kind IN ('conv1d', 'conv2d', 'conv3d', 'conv_transpose')",
    "no embeddings": "kind <> 'embedding'",
    **{f"{least}+ eigenvalues": f"n_evals >= {least}" for least in _LEAST_EVALS},
    "alpha up to 8": "alpha <= 8",
    "alpha up to 6": "alpha <= 6",
}
"""Means over fewer layers: which ones stay."""

_FINGERS_KEPT = "fingers kept"
_UNCLIPPED = {"alpha": "raw_alpha", "alpha_hat": "raw_alpha * log_spectral_norm"}
"""What metrics were before fingers were clipped; the others that it changes are not kept."""

_WORDS = {
    DEFAULT: "unweighted mean over all layers with a fitted tail, as published",
    "median": "median over layers",
    "weighted": "mean weighted by the layers' entries",
    "no first and last": "mean without each model's first and last matrix",
    "linear only": "mean over linear layers",
    "convolutions only": "mean over convolutions",
    "no embeddings": "mean without embeddings",
    **{f"{least}+ eigenvalues": f"mean over layers of at least {least} eigenvalues" for least in _LEAST_EVALS},
    "alpha up to 8": "mean without layers of alpha above 8",
    "alpha up to 6": "mean without layers of alpha above 6",
    _FINGERS_KEPT: "mean with the largest eigenvalues that were clipped",
}

_SAME_VALUES = {"bootstrap", "seed", "detail"}
"""Metric options that add columns and change no value of the others."""

_TELLING = ("kernels", "fingers", "kernel_factor", "min_evals")
"""Options that a configuration is named by, if it has them otherwise."""

_DIGITS = 12
"""Significant digits of a mean: sums in another order differ by rounding, which is no other rank."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One way to make a model's number out of its layers.

    Attributes:
        name: A few words.
        meaning: The same in a phrase.
        config: The configuration that it is taken from.
        n_layers: Layers that it takes, in all models together.
        values: By metric, the number of each model, shape (n,), NaN where there is none.
    """

    name: str
    meaning: str
    config: str
    n_layers: int
    values: Mapping[str, Vector]


@dataclass(frozen=True, slots=True)
class NotComputed:
    """A choice that the results folder has no metrics of.

    Attributes:
        name: A few words.
        words: The command that makes them, behind `setol`, without `--results`.
    """

    name: str
    words: tuple[str, ...]


def choices(results: Results, models: Sequence[str], metrics: Sequence[str]) -> tuple[Choice, ...]:
    """All choices that a results folder has the numbers for, the default first.

    Args:
        results: Open results; choices about layers are made in their configuration, then come other configurations.
        models: Keys of the models, which the values are in the order of.
        metrics: Columns of `layers`.

    Raises:
        AnalysisError: There is no such metric.
    """
    for metric in metrics:
        if metric not in KNOWN_METRICS:
            raise AnalysisError(unknown_name("metric", metric, KNOWN_METRICS))
    return (*_within(results, models, metrics), *_elsewhere(results, models, metrics))


def not_computed(results: Results, found: Sequence[Choice]) -> tuple[NotComputed, ...]:
    """What other options would be worth comparing, and are not in the folder.

    Args:
        results: Open results.
        found: The choices that there are.
    """
    there = [_value_options(each) for each in results.configs if _base(each) == _base(results.configuration)]
    shown = _value_options(results.configuration)
    missing = []
    if all(each.get("fingers") == shown.get("fingers") for each in there) and not _has(found, _FINGERS_KEPT):
        missing.append(NotComputed("fingers clipped", ("refit", "--fingers", "clip")))
    kernels = results.rows("SELECT count(*) AS n FROM layers WHERE kind LIKE 'conv%' AND (n_slices > 1 OR tap >= 0)")
    if kernels[0]["n"] and all(each.get("kernels") == shown.get("kernels") for each in there):
        other = "natcomm2021" if shown.get("kernels") == "pooled" else "default"
        name = "taps of kernels apart" if other == "natcomm2021" else "taps of kernels pooled"
        missing.append(NotComputed(name, ("refit", "--preset", other)))
    return tuple(missing)


def order_note(results: Results) -> str | None:
    """A sentence on models whose first and last layer are only so by name; None where there are none."""
    files = results.rows("SELECT DISTINCT model, file FROM layers")
    models = {row["model"] for row in files}
    by_name = {row["model"] for row in files if layer_order([row["file"]]) == BY_NAME}
    if not by_name:
        return None
    some = "all models" if by_name == models else f"{len(by_name)} of {len(models)} models"
    return f"first and last are those {BY_NAME} for {some}: safetensors files keep no other"


def settled(values: Sequence[float | None]) -> Vector:
    """Means to as many digits as mean something, so that equal ones are equal; NaN for none and for infinite ones.

    Args:
        values: Means over layers, None where there is none.
    """
    column = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    column[~np.isfinite(column)] = np.nan
    there = np.isfinite(column) & (column != 0)
    scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.abs(column[there]))))
    column[there] = np.round(column[there] * scale) / scale
    return column


def _within(results: Results, models: Sequence[str], metrics: Sequence[str]) -> list[Choice]:
    """The choices about layers of the configuration that is shown."""
    options = results.configuration.options["metrics"]
    fitted = [f"{least}+ eigenvalues" for least in _LEAST_EVALS if least <= options.get("min_evals", 0)]
    kept = {name: condition for name, condition in _KEPT.items() if name not in fitted}
    averages = {DEFAULT: "avg({})", "median": "median({})"}
    averages["weighted"] = "sum({0} * n_params) / nullif(sum(n_params) FILTER ({0} IS NOT NULL), 0)"
    columns: dict[str, dict[str, str]] = {
        name: {metric: average.format(metric) for metric in metrics} for name, average in averages.items()
    }
    columns |= {
        name: {metric: f"avg({metric}) FILTER ({condition})" for metric in metrics} for name, condition in kept.items()
    }
    clipped = [metric for metric in metrics if metric in _UNCLIPPED]
    if clipped and options.get("fingers", "keep").startswith("clip"):
        columns[_FINGERS_KEPT] = {metric: f"avg({_UNCLIPPED[metric]})" for metric in clipped}
    rows = _by_model(results, columns, {name: kept.get(name, "true") for name in columns})
    return [
        Choice(name, _WORDS[name], results.config, *_values(rows, models, place, list(columns[name])))
        for place, name in enumerate(columns)
    ]


def _elsewhere(results: Results, models: Sequence[str], metrics: Sequence[str]) -> list[Choice]:
    """The means of other configurations whose options make other values, each such options once."""
    shown = results.configuration
    seen = [_value_options(shown)]
    found: list[Choice] = []
    for other in results.configs:
        options = _value_options(other)
        if options in seen or _base(other) != _base(shown) or not other.n_done:
            continue
        seen.append(options)
        opened = open_results(results.folders, other.name)
        rows = _by_model(opened, {DEFAULT: {metric: f"avg({metric})" for metric in metrics}}, {DEFAULT: "true"})
        told = _difference(seen[0], options)
        name = told[0] + (f" and {len(told) - 1} more" if len(told) > 1 else "")
        if name in (each.name for each in found):
            name = f"config {other.name}"
        meaning = f"mean of the configuration {other.name}, of {', '.join(told)}"
        found.append(Choice(name, meaning, other.name, *_values(rows, models, 0, metrics)))
    return found


def _by_model(
    results: Results, columns: Mapping[str, Mapping[str, str]], kept: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Aggregates of every model by its key: `n<place of the choice>` and `<metric>_<place of the choice>`."""
    chosen = [
        f"count(*) FILTER ({kept[name]}) AS n{place}, "
        + ", ".join(f"{value} AS {metric}_{place}" for metric, value in of_choice.items())
        for place, (name, of_choice) in enumerate(columns.items())
    ]
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    found = results.rows(
        f"""WITH counted AS (SELECT * FROM layers WHERE kind IN ({kinds})),
        ends AS (
            SELECT model, min((file, "row", tensor)) AS lowest, max((file, "row", tensor)) AS highest
            FROM counted GROUP BY model
        ),
        placed AS (
            SELECT counted.*, (file, tensor) IN ((lowest[1], lowest[3]), (highest[1], highest[3])) AS at_an_end
            FROM counted JOIN ends USING (model)
            WHERE status = 'ok'
        )
        SELECT model, {", ".join(chosen)} FROM placed GROUP BY model"""
    )
    return {row["model"]: row for row in found}


def _values(
    rows: Mapping[str, Mapping[str, Any]], models: Sequence[str], place: int, metrics: Sequence[str]
) -> tuple[int, dict[str, Vector]]:
    """Layers, and a column a metric in the order of the models."""
    own = [rows.get(model, {}) for model in models]
    return sum(row.get(f"n{place}", 0) for row in own), {
        metric: settled([row.get(f"{metric}_{place}") for row in own]) for metric in metrics
    }


def _value_options(configuration: Configuration) -> dict[str, Any]:
    """The options that change values of metrics."""
    options = configuration.options
    values = {name: value for name, value in options["metrics"].items() if name not in _SAME_VALUES}
    return values | {"precision": options["spectrum"].get("precision")}


def _base(configuration: Configuration) -> str | None:
    """Content of what was subtracted first, None for nothing."""
    base: str | None = configuration.options["spectrum"].get("base")
    return base


def _difference(shown: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """How options differ from those that are shown, what says most first."""
    names = sorted(other, key=lambda name: (_TELLING.index(name) if name in _TELLING else len(_TELLING), name))
    told = [f"{name} {other[name]}" for name in names if name not in shown or other[name] != shown[name]]
    return told or ["older options"]


def _has(found: Sequence[Choice], name: str) -> bool:
    return any(each.name == name for each in found)
