"""Kendall's tau-b of every family at once, from the pairs of models that are of one family."""

from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from analysis.statistics.records import Vector

MOST_PAIRED = 200
"""Models of a family up to which its pairs are held; above, its tau is computed by sorting, alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """How a column orders the pairs of models of one family.

    Attributes:
        column: Shape (n,), NaN where a model has none.
        signs: Of each pair, first less second: -1, 0 or 1; 0 too where one of the two has none.
        known: Whether both have one; None where all do.
    """

    column: Vector
    signs: NDArray[np.int8]
    known: NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Pairs of each family, shape (families,) each: concordant less discordant, and those not tied in either column."""

    s: Vector
    untied_x: Vector
    untied_y: Vector

    @property
    def taus(self) -> Vector:
        """Tau-b of each family, NaN where one of the two columns does not vary."""
        root = np.sqrt(self.untied_x * self.untied_y)
        return np.where(root > 0, self.s / np.where(root > 0, root, 1), np.nan)

    @property
    def pooled(self) -> float | None:
        """Tau-b over the pairs of all families; None where one of the two columns varies in none."""
        root = float(np.sqrt(self.untied_x.sum()) * np.sqrt(self.untied_y.sum()))
        return float(self.s.sum()) / root if root > 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class FamilyPairs:
    """The pairs of models of one family.

    Attributes:
        codes: Family of each model, 0..count-1, -1 for none, shape (n,).
        count: Families.
        first: One model of each pair, shape (pairs,), family by family.
        second: The other.
        paired: The families that have pairs here, ascending.
        starts: The first pair of each of them.
        large: Families of more than `MOST_PAIRED` models, whose pairs are not held.
    """

    codes: NDArray[np.int64]
    count: int
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    paired: NDArray[np.int64]
    starts: NDArray[np.int64]
    large: tuple[int, ...]

    def sizes(self, *columns: Vector) -> NDArray[np.int64]:
        """Models of each family that have all of the columns, shape (count,)."""
        there = self.codes >= 0
        for column in columns:
            there = there & np.isfinite(column)
        return np.bincount(self.codes[there], minlength=self.count)

    def order(self, column: Vector) -> Order:
        """The order of a column, shape (n,), NaN where a model has none; worth keeping where it is used again."""
        difference = column[self.first] - column[self.second]
        if np.isfinite(column).all():
            return Order(column, np.sign(difference).astype(np.int8), None)
        known = np.isfinite(difference)
        return Order(column, np.sign(np.where(known, difference, 0)).astype(np.int8), known)

    def counts(self, x: Vector | Order, y: Vector | Order) -> Counts:
        """Concordant pairs of two columns in each family; a model that lacks one of the two is in no pair."""
        x, y = (each if isinstance(each, Order) else self.order(each) for each in (x, y))
        of_x = x.signs if y.known is None else x.signs * y.known
        of_y = y.signs if x.known is None else y.signs * x.known
        s, untied_x, untied_y = (np.zeros(self.count) for _ in range(3))
        if len(self.paired):
            for total, values in ((s, of_x * of_y), (untied_x, of_x != 0), (untied_y, of_y != 0)):
                total[self.paired] = np.add.reduceat(values, self.starts, dtype=np.int64)
        for family in self.large:
            own = (self.codes == family) & np.isfinite(x.column) & np.isfinite(y.column)
            s[family], untied_x[family], untied_y[family] = _sorted(x.column[own], y.column[own])
        return Counts(s, untied_x, untied_y)

    def taus(self, x: Vector | Order, y: Vector | Order) -> Vector:
        """Tau-b of two columns in each family, shape (count,), NaN where one of the two does not vary.

        Args:
            x: Shape (n,), NaN where a model has none: it is in no pair then.
            y: The same.
        """
        return self.counts(x, y).taus


def family_pairs(codes: NDArray[np.int64], count: int) -> FamilyPairs:
    """Pair the models of each family.

    Args:
        codes: Family of each model, 0..count-1, -1 for none, shape (n,).
        count: Families.
    """
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    begins = np.searchsorted(codes[order], np.arange(count + 1))
    sizes = np.diff(begins)
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for size in np.unique(sizes[(sizes > 1) & (sizes <= MOST_PAIRED)]):
        upper, lower = np.triu_indices(size, 1)
        begin = begins[:-1][sizes == size][:, None]
        firsts.append(order[(begin + upper).ravel()])
        seconds.append(order[(begin + lower).ravel()])
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    by_family = np.argsort(codes[first], kind="stable")
    paired, starts = np.unique(codes[first][by_family], return_index=True)
    large = tuple(int(family) for family in np.flatnonzero(sizes > MOST_PAIRED))
    return FamilyPairs(codes, count, first[by_family], second[by_family], paired, starts, large)


def _sorted(x: Vector, y: Vector) -> tuple[float, float, float]:
    """Concordant less discordant pairs, and those not tied in either, by sorting."""
    pairs = len(x) * (len(x) - 1) // 2
    untied = [
        pairs - int((ties * (ties - 1) // 2).sum()) for ties in (np.unique(v, return_counts=True)[1] for v in (x, y))
    ]
    if not all(untied):
        return 0.0, float(untied[0]), float(untied[1])
    tau = float(scipy.stats.kendalltau(x, y, method="asymptotic").statistic)
    return round(tau * float(np.sqrt(untied[0]) * np.sqrt(untied[1]))), float(untied[0]), float(untied[1])
