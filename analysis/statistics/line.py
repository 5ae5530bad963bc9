"""The least-squares line of a score on each of many metrics."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata
from scipy.stats import t as student

from analysis.statistics.records import FEWEST_INTERVAL, Interval, Vector

_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Line:
    """A least-squares line.

    Attributes:
        pearson: The correlation.
        r_squared: Its square, the share of the scores' variance on the line.
        r_squared_interval: Its 95 % interval; None below `FEWEST_INTERVAL` models, and where it has no finite error.
        rmse: Root of the mean (over n) squared distance of the scores from the line, in the score's unit.
        slope: In the score's unit per unit of the metric.
        intercept: In the score's unit.
        spearman: The correlation of the ranks.
    """

    pearson: float
    r_squared: float
    r_squared_interval: Interval | None
    rmse: float
    slope: float
    intercept: float
    spearman: float


def lines(metrics: Vector, score: Vector) -> list[Line]:
    """The line of the score on each metric.

    Args:
        metrics: Shape (n, K), finite, each with at least two values.
        score: Shape (n,), the same.
    """
    means, mean = metrics.mean(axis=0), score.mean()
    x, y = metrics - means, score - mean
    scale, unit = np.abs(x).max(axis=0), np.abs(y).max()  # squares of very large or small numbers are none
    x, y = x / scale, y / unit
    squares, total = (x**2).sum(axis=0), float((y**2).sum())
    slopes = (y @ x) / squares
    pearson = np.clip(slopes * np.sqrt(squares / total), -1, 1)
    rmse = unit * np.sqrt(((y[:, None] - slopes * x) ** 2).mean(axis=0))
    slopes = slopes / scale * unit
    ranks = rankdata(metrics, axis=0)
    spearman = _correlations(ranks - ranks.mean(axis=0), rankdata(score) - (len(score) + 1) / 2)
    return [
        Line(
            pearson=float(pearson[k]),
            r_squared=float(pearson[k] ** 2),
            r_squared_interval=_interval(x[:, k], y, float(pearson[k])),
            rmse=float(rmse[k]),
            slope=float(slopes[k]),
            intercept=float(mean - slopes[k] * means[k]),
            spearman=float(spearman[k]),
        )
        for k in range(metrics.shape[1])
    ]


def _correlations(x: Vector, y: Vector) -> Vector:
    """Of centred columns (n, K) with a centred vector (n,)."""
    found: Vector = np.clip((y @ x) / np.sqrt((x**2).sum(axis=0) * (y**2).sum()), -1, 1)
    return found


def _interval(x: Vector, y: Vector, pearson: float) -> Interval | None:
    """Of R2, from that of r on Fisher's scale with the jackknife's standard error; x and y are centred."""
    n = len(x)
    if n < FEWEST_INTERVAL:
        return None
    part = n / (n - 1)  # sums of products about the mean of all but one: less n / (n - 1) of its own
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.arctanh((x @ y - part * x * y) / np.sqrt((x @ x - part * x**2) * (y @ y - part * y**2)))
        centre = np.arctanh(pearson)
        error = np.sqrt((n - 1) / n * ((z - z.mean()) ** 2).sum())
    if not np.isfinite(error) or not np.isfinite(centre):
        return None
    half = student.ppf((1 + _LEVEL) / 2, n - 2) * error
    low, high = np.tanh([centre - half, centre + half])
    inner = 0.0 if low <= 0 <= high else min(low**2, high**2)
    return Interval(float(inner), float(max(low**2, high**2)), _LEVEL)
