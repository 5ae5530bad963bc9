"""How far the metrics of models agree with their published scores, beside what size and depth say alone.

The pairs are rank-correlated within a family first: models of one recipe that differ in little else. A metric that
orders models as their number of parameters or of layers does has not shown anything, so these two baselines are
in every group, and every verdict is relative to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.stats
import statsmodels.api as sm
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.results import Results
from catalogs import unknown_name

Vector = NDArray[np.float64]

BASELINES = ("log10_params", "depth")
"""What a metric has to beat: log10 of the parameter count, and the number of layers."""

METRICS = (
    *("alpha_mean", "alpha_median", "alpha_hat_mean", "log_alpha_norm_mean"),
    *("log_norm_mean", "log_spectral_norm_mean", "stable_rank_mean", "entropy_mean"),
    *("erg_delta_mean", "erg_gap_mean", "tail_trace_log_mean"),
)
"""Columns of `scored_models` that are judged."""

FEWEST = 5
"""Models in a group below which nothing is computed: with 4, even a perfect order has p = 1/12."""

FEWEST_ADDED = 10
"""Models in a group below which `added` is not computed: it fits four coefficients to all models but one."""


LIKELY_CHANCE = 0.05
"""The p-value above which an order of models is called chance."""


class Verdict(StrEnum):
    """What a correlation is worth, judged in this order."""

    TOO_FEW = "too few to judge"
    CONSTANT = "the same for all"
    BASELINE = "baseline"
    NO_MORE = "no better than a baseline"
    CHANCE = "may be chance"
    BETTER = "better than the baselines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """One metric against one published score in one group of models.

    Signs are those of the metric against the score as it was published: for an error, a metric that is small for
    good models has a positive tau; for an accuracy, a negative one. `higher_is_better` says which of the two it is.

    Attributes:
        dataset: What the score was measured on, with `split`, `score_metric` and `unit`.
        higher_is_better: False for errors, losses and perplexities.
        family: The series of models; None for all models of the dataset together.
        metric: Column of `scored_models`.
        n: Models, each content and each duplicate group once, those without the metric left out.
        kendall_tau: Kendall's tau-b.
        kendall_p: Its two-sided p-value for no association: exact without ties, else the normal approximation. Not
            adjusted for the number of metrics that are looked at.
        spearman_rho: Spearman's rank correlation.
        slope: Of the least-squares line of the score on the metric, in `unit` per unit of the metric.
        intercept: Of that line, in `unit`.
        r_squared: Share of the scores' variance on that line.
        added: What the metric adds to both baselines out of sample: the share of the leave-one-out squared error of
            a least-squares fit of the score on log10_params and depth that goes away when the metric joins them.
            Negative where predictions become worse; None for the baselines and below `FEWEST_ADDED` models.
        verdict: What to make of it. All numbers but n are None where there are too few models.
    """

    dataset: str
    split: str | None
    score_metric: str
    unit: str
    higher_is_better: bool
    family: str | None
    metric: str
    n: int
    kendall_tau: float | None = None
    kendall_p: float | None = None
    spearman_rho: float | None = None
    slope: float | None = None
    intercept: float | None = None
    r_squared: float | None = None
    added: float | None = None
    verdict: Verdict


def correlate(
    results: Results, *, dataset: str | None = None, family: str | None = None, metrics: Sequence[str] = METRICS
) -> tuple[Correlation, ...]:
    """Correlate metrics with published scores.

    Only models whose every weight file is done take part, with their primary score on each dataset.

    Args:
        results: Open results.
        dataset: Only this one.
        family: Only this one.
        metrics: Columns of `scored_models`; the baselines always come along.

    Returns:
        For each dataset, for each family and (unless one family is all) for all models together: the metrics in
        the order given, then the baselines.

    Raises:
        AnalysisError: A dataset, family or metric is unknown.
    """
    columns = [*dict.fromkeys(metric for metric in metrics if metric not in BASELINES), *BASELINES]
    for column in columns:
        _check("metric", column, _numbers(results))
    rows = results.rows(
        f"""SELECT dataset, split, score_metric, unit, higher_is_better, family, duplicate_group, content, score,
                {", ".join(columns)}
            FROM scored_models
            ORDER BY dataset, split, score_metric, unit, higher_is_better, family, model"""
    )
    if dataset is not None:
        _check("dataset", dataset, [row["dataset"] for row in rows])
    if family is not None:
        _check("family", family, [row["family"] for row in rows if row["family"]])
    found: list[Correlation] = []
    for key, members in _by(rows, _SCORE).items():
        if dataset in (None, key[0]):
            for name, group in _families(members):
                if family in (None, name):
                    found += _correlations(dict(zip(_SCORE, key, strict=True)) | {"family": name}, group, columns)
    return tuple(found)


_SCORE = ("dataset", "split", "score_metric", "unit", "higher_is_better")

Row = dict[str, Any]


def _numbers(results: Results) -> list[str]:
    """The columns of `scored_models` that are numbers."""
    schema = results.sql("FROM scored_models LIMIT 0").schema
    return [field.name for field in schema if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)]


def _check(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise AnalysisError(unknown_name(kind, name, known))


def _by(rows: Sequence[Row], columns: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups


def _families(rows: Sequence[Row]) -> list[tuple[str | None, list[Row]]]:
    """The families by name, then (None) all models, unless they are one family."""
    families = [(name, group) for (name,), group in _by(rows, ["family"]).items() if name is not None]
    if len(families) == 1 and len(families[0][1]) == len(rows):
        return [families[0]]
    return [*families, (None, list(rows))]


def _once(rows: Sequence[Row]) -> list[Row]:
    """The first of the models that have the same content or are in the same duplicate group."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for row in rows:
        names = {(column, row[column]) for column in ("content", "duplicate_group") if row[column] is not None}
        if not names & seen:
            kept.append(row)
        seen |= names
    return kept


def _correlations(group: dict[str, Any], rows: Sequence[Row], columns: Sequence[str]) -> list[Correlation]:
    distinct = _once(rows)
    table = {column: _floats(distinct, column) for column in [*columns, "score"]}
    return [_correlation(group, column, table) for column in columns]


def _floats(rows: Sequence[Row], column: str) -> Vector:
    return np.array([np.nan if row[column] is None else row[column] for row in rows], dtype=np.float64)


def _correlation(group: dict[str, Any], metric: str, table: dict[str, Vector]) -> Correlation:
    there = np.isfinite(table[metric]) & np.isfinite(table["score"])
    x, y = table[metric][there], table["score"][there]
    n = len(x)
    if n < FEWEST:
        return Correlation(**group, metric=metric, n=n, verdict=Verdict.TOO_FEW)
    tau = _tau(x, y)
    if tau is None:
        return Correlation(**group, metric=metric, n=n, verdict=Verdict.CONSTANT)
    line = sm.OLS(y, sm.add_constant(x, has_constant="add")).fit()
    p = float(scipy.stats.kendalltau(x, y).pvalue)
    baselines = [table[name][there] for name in BASELINES]
    return Correlation(
        **group,
        metric=metric,
        n=n,
        kendall_tau=tau,
        kendall_p=p,
        spearman_rho=float(scipy.stats.spearmanr(x, y).statistic),
        slope=float(line.params[1]),
        intercept=float(line.params[0]),
        r_squared=float(line.rsquared),
        added=None if metric in BASELINES else _added(x, y, baselines),
        verdict=_verdict(metric, tau, p, [_tau(baseline, y) for baseline in baselines]),
    )


def _tau(x: Vector, y: Vector) -> float | None:
    """Kendall's tau-b, None where one of the two does not vary or is not known for all."""
    if not np.isfinite(x).all() or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(scipy.stats.kendalltau(x, y).statistic)


def _verdict(metric: str, tau: float, p: float, baselines: Sequence[float | None]) -> Verdict:
    if metric in BASELINES:
        return Verdict.BASELINE
    if any(abs(baseline) >= abs(tau) - 1e-12 for baseline in baselines if baseline is not None):
        return Verdict.NO_MORE
    return Verdict.CHANCE if p > LIKELY_CHANCE else Verdict.BETTER


def _added(x: Vector, y: Vector, baselines: Sequence[Vector]) -> float | None:
    """Share of the leave-one-out squared error that goes away when x joins the baselines."""
    if len(x) < FEWEST_ADDED or not all(np.isfinite(baseline).all() for baseline in baselines):
        return None
    without = _left_out_error(y, baselines)
    added = 1 - _left_out_error(y, [*baselines, x]) / without if without > 0 else np.nan
    return float(added) if np.isfinite(added) else None


def _left_out_error(y: Vector, regressors: Sequence[Vector]) -> float:
    """Mean squared error of each value predicted from all others, NaN where the others cannot predict one.

    A residual of the fit to all over 1 - leverage is that of the fit without its own model (Allen's PRESS).
    """
    design = np.column_stack([np.ones_like(y), *regressors])
    hat = design @ np.linalg.pinv(design)
    slack = 1 - np.diag(hat)
    if (slack < 1e-9).any():
        return np.nan
    return float(np.mean(((y - hat @ y) / slack) ** 2))
