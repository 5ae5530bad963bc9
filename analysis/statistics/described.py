"""Lines and orders of many groups at once, as description: what is drawn and averaged, not tested."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.pairs import family_pairs
from analysis.statistics.records import Vector
from analysis.statistics.within import family_sums

FEWEST_DESCRIBED = 4
"""Models of a group below which nothing is described: three lie on a line, or in order, too easily. Groups of 4 were
published, and are shown, but not tested."""

_FLAT = 1e-24
"""Variance, relative to the mean square, below which a column does not vary."""


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """One metric against one score in each group, arrays of shape (groups,).

    NaN in groups of fewer than `FEWEST_DESCRIBED` models, and where metric or score do not vary.

    Attributes:
        n: Models that have the metric.
        tau: Kendall's tau-b.
        pearson: The correlation.
        r_squared: Its square.
        rmse: Root of the mean (over n) squared distance of the scores from the least-squares line, in their unit.
        slope: Of that line, in the score's unit per unit of the metric.
        intercept: Of that line, in the score's unit.
    """

    n: NDArray[np.int64]
    tau: Vector
    pearson: Vector
    r_squared: Vector
    rmse: Vector
    slope: Vector
    intercept: Vector


def describe(metric: Vector, score: Vector, codes: NDArray[np.int64], count: int) -> Described:
    """Describe each group.

    Args:
        metric: Shape (n,), NaN where a model has none: it is left out.
        score: Shape (n,), finite.
        codes: Group of each model, 0..count-1, -1 for none.
        count: Groups.
    """
    there = np.isfinite(metric) & (codes >= 0)
    x, y, own = metric[there], score[there], codes[there]
    n = np.bincount(own, minlength=count)
    size = np.maximum(n, 1)
    mean_x, mean_y = (family_sums(values, own, count) / size for values in (x, y))
    from_x, from_y = x - mean_x[own], y - mean_y[own]
    sxx, syy, sxy = (family_sums(each, own, count) for each in (from_x**2, from_y**2, from_x * from_y))
    varied = (sxx > _FLAT * size * mean_x**2) & (syy > _FLAT * size * mean_y**2) & (n >= FEWEST_DESCRIBED)

    def known(values: Vector) -> Vector:
        return np.where(varied, values, np.nan)

    with np.errstate(invalid="ignore", divide="ignore"):
        slope = known(sxy / sxx)
        pearson = np.clip(known(sxy / np.sqrt(sxx * syy)), -1, 1)
        residual = np.maximum(syy - sxy**2 / sxx, 0)
    return Described(
        n=n,
        tau=known(family_pairs(own, count).taus(x, y)),
        pearson=pearson,
        r_squared=pearson**2,
        rmse=known(np.sqrt(residual / size)),
        slope=slope,
        intercept=mean_y - slope * mean_x,
    )
