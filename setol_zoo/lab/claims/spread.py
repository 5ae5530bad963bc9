"""Means over seeds, differences and rank correlations, each with its n and an interval of 95 %."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.statistics.records import Interval

LEVEL = 0.95
_FEWEST_RANKED = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """Several runs of one setting.

    Attributes:
        n: How many.
        mean: Of them.
        sd: Their standard deviation (divisor n - 1); None for one run.
        interval: Of the mean, by Student's t; None for one run.
    """

    n: int
    mean: float
    sd: float | None
    interval: Interval | None

    def times(self, factor: float) -> "Spread":
        """The same in another unit."""
        ends = self.interval
        return Spread(
            self.n,
            factor * self.mean,
            None if self.sd is None else factor * self.sd,
            None if ends is None else Interval(factor * ends.low, factor * ends.high, ends.level),
        )


@dataclass(frozen=True, slots=True)
class Ranks:
    """Spearman's rank correlation.

    Attributes:
        n: Pairs.
        rho: The correlation.
        interval: By Fisher's z with Bonett and Wright's standard error (Psychometrika 65, 2000).
    """

    n: int
    rho: float
    interval: Interval

    @property
    def falls(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.interval.high < 0

    @property
    def rises(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.interval.low > 0


def spread(values: ArrayLike) -> Spread | None:
    """Mean and spread of the values that are there; None where none is."""
    found = np.asarray(values, dtype=np.float64)
    found = found[np.isfinite(found)]
    if not len(found):
        return None
    mean = float(found.mean())
    if len(found) == 1:
        return Spread(1, mean, None, None)
    sd = float(found.std(ddof=1))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(found) - 1)) * sd / math.sqrt(len(found))
    return Spread(len(found), mean, sd, Interval(mean - reach, mean + reach, LEVEL))


def ranks(x: ArrayLike, y: ArrayLike) -> Ranks | None:
    """Rank correlation of the pairs of which both are there; None below 5 pairs, or where one side never changes."""
    first, second = _pairs(x, y)
    if len(first) < _FEWEST_RANKED or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    n, rho = len(first), float(stats.spearmanr(first, second).statistic)
    most = 1 - 6 / (n * (n**2 - 1))  # half a swap of neighbours away from a perfect order, whose z would be infinite
    z = math.atanh(min(max(rho, -most), most))
    reach = float(stats.norm.ppf((1 + LEVEL) / 2)) * math.sqrt((1 + rho**2 / 2) / (n - 3))
    return Ranks(n, rho, Interval(math.tanh(z - reach), math.tanh(z + reach), LEVEL))


def crossing(x: ArrayLike, y: ArrayLike, runs: Iterable[str], *, replicas: int = 1000) -> Spread | None:
    """Where a straight line through points of several runs is 0.

    Args:
        x: Shape (n,).
        y: Shape (n,).
        runs: Which run each point is of, n names: runs are resampled whole (seed 0), as their points hang together.
        replicas: How often.

    Returns:
        The place as the mean, n runs, no sd, and the percentile interval; None where y does not change its sign, or
        there are fewer than 3 runs.
    """
    first, second, names = np.asarray(x, float), np.asarray(y, float), np.asarray(list(runs), dtype=object)
    keep = np.isfinite(first) & np.isfinite(second)
    first, second, names = first[keep], second[keep], names[keep]
    distinct = sorted(set(names.tolist()))
    if len(distinct) < 3 or not (second.min() < 0 < second.max()):
        return None
    centred = first - first.mean()
    terms = np.stack([np.ones_like(first), centred, second, centred**2, centred * second], axis=1)
    sums = np.stack([terms[names == name].sum(axis=0) for name in distinct])
    drawn = np.random.default_rng(0).multinomial(len(distinct), np.full(len(distinct), 1 / len(distinct)), replicas)
    places = first.mean() + _roots(drawn @ sums)
    low, high = np.nanquantile(places, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    place = float(first.mean() + _roots(sums.sum(axis=0)))
    return Spread(len(distinct), place, None, Interval(float(low), float(high), LEVEL))


def _roots(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where least-squares lines are 0, of sums of 1, x, y, x^2 and xy, shape (..., 5); NaN for a level line."""
    n, x, y, xx, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (n * xy - x * y) / (n * xx - x * x)
        root = (x - y / slope) / n
    return np.where(np.isfinite(root), root, np.nan)


def _pairs(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    both = np.isfinite(first) & np.isfinite(second)
    return first[both], second[both]
