"""How one metric goes with one score in one group of models: its order, its line, and how sure both are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.ceiling import Ceiling, ceiling, smallest_tau
from analysis.statistics.line import lines
from analysis.statistics.records import FEWEST_INTERVAL, FEWEST_TESTED, Interval, Vector
from analysis.statistics.tau import TauTest, taus

_ALIKE = 1e-12
"""Range of a column, relative to its largest number, at which its models differ by rounding only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """One metric against one score in one group of models. Signs are those of the metric against the score.

    Attributes:
        n: Models that have the metric.
        tau: Kendall's tau-b.
        tau_p: Its two-sided p-value for no association, not adjusted for other metrics that were looked at.
        tau_test: Where that is from: all orders (`exact`), seeded random orders (`permutation`, with ties), or the
            normal distribution (above 200 models).
        tau_interval: Its 95 % interval, from `FEWEST_INTERVAL` models.
        smallest_tau: The smallest |tau| that so many models can tell from chance.
        ceiling: What a perfect metric could be expected to reach, given the error of the scores.
        spearman: Spearman's rank correlation.
        pearson: The correlation.
        r_squared: Share of the scores' variance on the least-squares line, its square.
        r_squared_interval: Its 95 % interval, from `FEWEST_INTERVAL` models.
        rmse: Root of the mean (over n) squared distance of the scores from that line, in the score's unit.
        slope: Of the line of the score on the metric, in the score's unit per unit of the metric.
        intercept: Of that line, in the score's unit.
        reason: Why all numbers but n are None.
        interval_reason: Why an interval is None where the numbers are there.
    """

    n: int
    tau: float | None = None
    tau_p: float | None = None
    tau_test: TauTest | None = None
    tau_interval: Interval | None = None
    smallest_tau: float | None = None
    ceiling: Ceiling | None = None
    spearman: float | None = None
    pearson: float | None = None
    r_squared: float | None = None
    r_squared_interval: Interval | None = None
    rmse: float | None = None
    slope: float | None = None
    intercept: float | None = None
    reason: str | None = None
    interval_reason: str | None = None


def associate(
    metric: Vector, score: Vector, *, score_error: Vector | None = None, generator: np.random.Generator
) -> Association:
    """Set one metric against one score.

    The p-value of tau is exact up to 200 models without ties, or up to 8 with ties. With ties it is from 1,999 seeded
    permutations, p = (1 + as large ones) / (1 + 1,999). Above 200 models it is normal, corrected for ties.

    The interval of tau is the BCa bootstrap over models (Efron, 1987), 1,999 resamples; two places of one model in a
    resample are no pair. Where tau is 1 or -1 all resamples are too, so its inner end is Fieller's (1957, variance
    .437 / (n - 4) of Fisher's z) at half a discordant pair; above 200 models both ends are on that scale, with the
    jackknife's standard error where it is larger. The interval of R2 is that of r squared (from 0 where r may be 0),
    which is on Fisher's scale with the jackknife's standard error and Student's quantile.

    Of 95 % intervals, in 300 simulations each of 8, 12, 20 and 50 models (`benchmarks/interval_coverage.py`), those of
    tau held the truth in 93 to 100 %, with normal pairs of correlations 0 to .99, heavy tails, two kinds of models
    mixed, a skewed metric, and in 91 to 97 % where the noise widens with the metric. Those of R2 held it in 91 to 99 %,
    but in 79 to 82 % where the noise widens.

    Args:
        metric: Shape (n,), NaN where a model has none; it is left out then.
        score: Shape (n,), finite.
        score_error: Standard errors of the scores, NaN where unknown, for the ceiling.
        generator: Draws resamples and permutations.
    """
    return associations(metric[:, None], score, score_error=score_error, generator=generator)[0]


def associations(
    metrics: Vector, score: Vector, *, score_error: Vector | None = None, generator: np.random.Generator
) -> tuple[Association, ...]:
    """Set many metrics against one score, as `associate` does each; faster, as they share resamples and orders.

    Args:
        metrics: Shape (n, K), NaN where a model has none.
        score: Shape (n,), finite.
        score_error: Standard errors of the scores, NaN where unknown.
        generator: Draws resamples and permutations.

    Returns:
        One for each metric.
    """
    there = np.isfinite(metrics)
    patterns, kind = np.unique(there, axis=1, return_inverse=True)
    found: dict[int, Association] = {}
    for number, pattern in enumerate(patterns.T):
        columns = np.flatnonzero(kind.ravel() == number)
        error = None if score_error is None else score_error[pattern]
        alike = _complete(metrics[pattern][:, columns], score[pattern], error, generator)
        found.update(zip(columns.tolist(), alike, strict=True))
    return tuple(found[column] for column in range(metrics.shape[1]))


def _complete(
    metrics: Vector, score: Vector, error: Vector | None, generator: np.random.Generator
) -> list[Association]:
    """Of metrics that all models have."""
    n, count = metrics.shape
    if n < FEWEST_TESTED:
        return [Association(n=n, reason=f"{n} of at least {FEWEST_TESTED} models")] * count
    top = None if error is None else ceiling(score, error)
    if _constant(score[:, None])[0]:
        return [Association(n=n, ceiling=top, reason="all scores are the same")] * count
    found = [Association(n=n, ceiling=top, reason="the metric is the same for all models")] * count
    varied = np.flatnonzero(~_constant(metrics))
    chosen = metrics[:, varied]
    orders = taus(chosen, score, generator=generator)
    for column, order, line in zip(varied, orders, lines(chosen, score), strict=True):
        found[column] = Association(
            n=n,
            tau=order.tau,
            tau_p=order.p,
            tau_test=order.test,
            tau_interval=order.interval,
            smallest_tau=smallest_tau(n),
            ceiling=top,
            spearman=line.spearman,
            pearson=line.pearson,
            r_squared=line.r_squared,
            r_squared_interval=line.r_squared_interval,
            rmse=line.rmse,
            slope=line.slope,
            intercept=line.intercept,
            interval_reason=_why_no_interval(n, line.r_squared_interval),
        )
    return found


def _constant(columns: Vector) -> NDArray[np.bool_]:
    """Whether each column (n, K) is one number, but for rounding."""
    same: NDArray[np.bool_] = np.ptp(columns, axis=0) <= _ALIKE * np.abs(columns).max(axis=0)
    return same


def _why_no_interval(n: int, r_squared: Interval | None) -> str | None:
    if n < FEWEST_INTERVAL:
        return f"{n} of at least {FEWEST_INTERVAL} models"
    return None if r_squared else "without one model the line is exact or the metric the same for all"
