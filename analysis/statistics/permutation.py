"""Tests by permutation: of a mean over families by signs, and of many metrics at once by the largest statistic.

No distribution is assumed. `sign_flip` and `max_t_sign_flip` take one value a family and need only that, without an
effect, each value is as likely to have either sign; families may differ in size, spread and slope. `max_t_within` takes
models and needs only that, without an effect, the scores of one family are exchangeable. The two with `max_t` adjust
for looking at many metrics: the p of each is the chance that the best of all, by luck alone, looks as good as it
(single-step max-T of Westfall & Young, 1993), which counts alike metrics as little more than one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from analysis.statistics.records import FEWEST_TESTED, Vector

MOST_ENUMERATED = 13
"""Families up to which all patterns of signs are gone through; above, signs are drawn."""

_MOST_ORDERS = 40_320
"""Orders up to which all are gone through: those of 8 models in one family."""

_CELLS = 4_000_000
"""Numbers held at once."""

_MOST_PAIRED = 200
"""Models of a block up to which pairs are counted; above, S is replaced by its linear part."""

_ALIKE = 1e-9
"""Relative difference below which two statistics are one: sums in another order differ by rounding."""


@dataclass(frozen=True, slots=True)
class SignFlip:
    """A test that the mean of some values is zero.

    Attributes:
        p: Its two-sided p-value; None where there are too few values.
        n: Values, one a family.
        exact: Whether all patterns of signs were gone through.
        reason: Why there is no p.
    """

    p: float | None
    n: int
    exact: bool
    reason: str | None = None


def sign_flip(values: Vector, *, generator: np.random.Generator, draws: int = 9_999) -> SignFlip:
    """Test whether the mean of one value a family is zero, by flipping the signs of families.

    With 5 values the smallest possible p is 2/32 = .06, with 6 it is .03. A weighted mean is tested by passing the
    values times their weights.

    Args:
        values: Shape (F,), finite.
        generator: Draws signs where F is above `MOST_ENUMERATED`.
        draws: Patterns drawn then; p = (1 + as large ones) / (1 + draws).
    """
    n = len(values)
    exact = n <= MOST_ENUMERATED
    if n < FEWEST_TESTED:
        return SignFlip(None, n, exact, f"{n} of at least {FEWEST_TESTED} families")
    observed = abs(values.sum())
    least = observed - _ALIKE * np.abs(values).sum()
    count = sum(int((np.abs(signs @ values) >= least).sum()) for signs in _signs(n, generator, draws))
    return SignFlip(_p(count, n, draws), n, exact)


def max_t_sign_flip(values: Vector, *, generator: np.random.Generator, draws: int = 9_999) -> Vector:
    """Test for each of many metrics whether its mean over families is zero, adjusted for their number.

    The signs of a family flip for all metrics at once, so what metrics have in common is kept. The statistic is
    |sum of values| / root of the sum of squares, which is Student's t made monotone and, over flips, has variance one
    whatever the spread and number of a metric's families.

    Args:
        values: Shape (F, K), one value a family and metric, NaN where a family has none: it then says nothing of that
            metric, whose mean is over the other families. (Only a sign that depends on being missing would matter.)
        generator: Draws signs where F is above `MOST_ENUMERATED`.
        draws: Patterns drawn then.

    Returns:
        Adjusted p-values, shape (K,); NaN for metrics with fewer than `FEWEST_TESTED` families, which take no part.
    """
    known = np.isfinite(values)
    tested = known.sum(axis=0) >= FEWEST_TESTED
    filled = np.where(known, values, 0.0)[:, tested]
    spread = np.sqrt((filled**2).sum(axis=0))
    scaled = filled / np.where(spread > 0, spread, 1.0)
    adjusted = np.full(values.shape[1], np.nan)
    rows = scaled[known[:, tested].any(axis=1)]
    if tested.any():
        observed = np.abs(rows.sum(axis=0))
        counts = np.zeros(len(observed), dtype=np.int64)
        for signs in _signs(len(rows), generator, draws):
            counts += _as_large(np.abs(signs @ rows).max(axis=1), observed)
        adjusted[tested] = [_p(int(count), len(rows), draws) for count in counts]
    return adjusted


def max_t_within(
    metrics: Vector, score: Vector, blocks: NDArray[np.int64], *, generator: np.random.Generator, draws: int = 1_999
) -> Vector:
    """Test for each of many metrics whether it orders models as their scores do, adjusted for their number.

    The scores of a block's models change places at random, for all metrics at once. Only models of one block are
    compared with each other. The statistic is |tau| in units of its own standard deviation over permutations: else a
    metric that few models have, whose tau scatters more, would raise the bar for all others.

    Args:
        metrics: Shape (n, K), NaN where a model has none. Scores move to and from such a model as to any other, so what
            is tested is that neither a metric nor its being there depends on the score within a block; the pairs
            that a metric is judged by are those of models that have it.
        score: Shape (n,), finite.
        blocks: The family of each model, shape (n,); -1 for none, which takes no part. All zero for one group.
        generator: Draws orders where there are more than `_MOST_ORDERS`.
        draws: Orders drawn then; p = (1 + as large ones) / (1 + draws).

    Returns:
        Adjusted p-values, shape (K,); NaN for metrics that fewer than `FEWEST_TESTED` comparable models have, or that
        are the same for all of a block's models in every block.
    """
    adjusted = np.full(metrics.shape[1], np.nan)
    paired = np.array([_comparable(column, score, blocks) for column in metrics.T], dtype=bool)
    if paired.any():
        statistics = permuted_scores(metrics[:, paired], score, blocks, generator=generator, draws=draws)
        spread = np.sqrt((statistics**2).mean(axis=0))
        standard = np.abs(statistics) / np.where(spread > 0, spread, 1.0)
        adjusted[paired] = _as_large(standard.max(axis=1), standard[0]) / len(standard)
    return adjusted


def permuted_scores(
    metrics: Vector, score: Vector, blocks: NDArray[np.int64], *, generator: np.random.Generator, draws: int
) -> Vector:
    """Kendall's S of each metric with the score, as it is and with the scores in other places.

    S is the number of concordant less that of discordant pairs of models of one block; tau-b is S over a root that
    permutations within blocks do not change. In blocks of more than 200 models it is the linear part of S, the product
    of centred ranks, which puts orders of so many in the same order (their correlation is above .998) and is linear in
    their number where S is quadratic.

    Args:
        metrics: Shape (n, K), NaN where a model has none.
        score: Shape (n,), finite.
        blocks: Shape (n,), -1 for models that are in none.
        generator: Draws the orders.
        draws: Orders drawn, unless there are so few that all are gone through.

    Returns:
        Shape (R, K): row 0 is S as observed; the others have the scores at random places, or, where all orders are
        gone through, the rows are all of them.
    """
    members = [places for places in _members(blocks) if len(places) > 1]
    sizes = [len(places) for places in members]
    if sum(lgamma(size + 1) for size in sizes) < log(_MOST_ORDERS + 0.5):
        joint = _all_orders(sizes)
        total = np.zeros((len(joint[0]) if joint else 1, metrics.shape[1]))
        for places, order in zip(members, joint, strict=True):
            total += _kendall(metrics[places], score[places], order)
        return total
    total = np.zeros((1 + draws, metrics.shape[1]))
    for places in members:
        scores = _kendall if len(places) <= _MOST_PAIRED else _linear
        start = 0
        for orders in _orders(len(places), 1 + draws, generator):
            total[start : start + len(orders)] += scores(metrics[places], score[places], orders)
            start += len(orders)
    return total


def _members(blocks: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The models of each block."""
    there = np.flatnonzero(blocks >= 0)
    ordered = there[np.argsort(blocks[there], kind="stable")]
    return [part for part in np.split(ordered, np.flatnonzero(np.diff(blocks[ordered])) + 1) if len(part)]


def _comparable(metric: Vector, score: Vector, blocks: NDArray[np.int64]) -> bool:
    """Whether enough models have a metric that differs from that of another of their block."""
    there = np.flatnonzero(np.isfinite(metric) & (blocks >= 0))
    ordered = there[np.argsort(blocks[there], kind="stable")]
    starts = np.flatnonzero(np.diff(blocks[ordered], prepend=-1))
    if not len(starts):
        return False
    sizes = np.diff(starts, append=len(ordered))
    differ = [
        np.maximum.reduceat(of, starts) > np.minimum.reduceat(of, starts) for of in (metric[ordered], score[ordered])
    ]
    return bool(sizes[sizes > 1].sum() >= FEWEST_TESTED and (differ[0] & differ[1]).any())


def _all_orders(sizes: list[int]) -> list[NDArray[np.int64]]:
    """All joint orders of some blocks, the given one first: an array (R, size) for each."""
    each = [_orders_of(size) for size in sizes]
    places = np.indices([len(orders) for orders in each]).reshape(len(sizes), -1)
    return [orders[place] for orders, place in zip(each, places, strict=True)]


@lru_cache(maxsize=8)
def _orders_of(size: int) -> NDArray[np.int64]:
    orders = np.array(list(permutations(range(size))), dtype=np.int64)
    orders.setflags(write=False)
    return orders


def _orders(size: int, rows: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The given order, then random ones, shape (some, size) each, `rows` in all."""
    step = max(1, _CELLS // size)
    for start in range(0, rows, step):
        orders = np.tile(np.arange(size), (min(step, rows - start), 1))
        drawn = orders[1:] if start == 0 else orders
        generator.permuted(drawn, axis=1, out=drawn)
        yield orders


def _kendall(metrics: Vector, score: Vector, orders: NDArray[np.int64]) -> Vector:
    """S of each metric (m, K) with the score in each order (R, m), shape (R, K)."""
    size, count = metrics.shape
    difference = metrics[:, None, :] - metrics[None, :, :]
    signs = np.nan_to_num(np.sign(difference)).astype(np.float32).reshape(size * size, count) / 2
    ranks = np.unique(score, return_inverse=True)[1].astype(np.int32)[orders]
    step = max(1, _CELLS // (size * size))
    found = np.empty((len(orders), count))
    for start in range(0, len(orders), step):
        rank = ranks[start : start + step]
        order = np.sign(rank[:, :, None] - rank[:, None, :]).astype(np.float32)
        found[start : start + step] = order.reshape(len(rank), -1) @ signs
    return found


def _linear(metrics: Vector, score: Vector, orders: NDArray[np.int64]) -> Vector:
    """The part of S that is linear in the scores' centred ranks: its projection on sums over models."""
    there = np.isfinite(metrics)
    centred = 2 * rankdata(metrics, axis=0, nan_policy="omit") - (there.sum(axis=0) + 1)
    ranks = 2 * rankdata(score) - (len(score) + 1)
    found: Vector = ranks[orders] @ np.where(there, centred, 0.0) / len(score)
    return found


def _signs(n: int, generator: np.random.Generator, draws: int) -> Iterator[Vector]:
    """Patterns of signs, shape (some, n) each: half of all (the other half has the same absolute sums), or random."""
    if n <= MOST_ENUMERATED:
        patterns = np.arange(2 ** (n - 1))
        yield 1 - 2 * ((patterns[:, None] >> np.arange(n)) & 1).astype(np.float64)
        return
    step = max(1, _CELLS // n)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        bits = np.unpackbits(np.frombuffer(generator.bytes(rows * -(-n // 8)), np.uint8).reshape(rows, -1), axis=1)
        yield 1 - 2 * bits[:, :n].astype(np.float64)


def _as_large(largest: Vector, observed: Vector) -> NDArray[np.int64]:
    """How many of the largest statistics are as large as each that was observed."""
    ordered = np.sort(largest)
    return len(ordered) - np.searchsorted(ordered, observed * (1 - _ALIKE) - 1e-12, side="left")


def _p(count: int, n: int, draws: int) -> float:
    return count / 2 ** (n - 1) if n <= MOST_ENUMERATED else (1 + count) / (1 + draws)
