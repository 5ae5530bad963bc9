"""The smallest and the largest tau that any values of missing models could give.

A missing model m of score y_m may be put anywhere among the observed values. At place t it makes f_m(t) more concordant
than discordant pairs with the observed models. For a model of a higher score, f_m'(t) - f_m(t) never falls with t: the
observed models of scores in between are agreed with by m when it is below them, and by m' when it is above them. So the
places that are best for each missing model alone can be taken in the order of their scores (Topkis), and there
all pairs of missing models are concordant too. Hence the largest S is that of the observed models, plus the best f_m of
each missing one, plus the pairs of missing models whose scores differ, and it is attained. The smallest is the same
with the scores reversed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.records import Vector

_ROWS = 256
"""Missing models that are placed at once."""


@dataclass(frozen=True, slots=True)
class TauBounds:
    """What tau-b could be if every model had the metric.

    Attributes:
        low: Smallest value; None where the score, or the observed metric with nothing missing, does not vary.
        high: Largest value.
    """

    low: float | None
    high: float | None


def tau_bounds(metric: Vector, score: Vector) -> TauBounds:
    """Bounds of Kendall's tau-b of a metric that some models do not have with a score that all have.

    They are attained: there are values of the missing models that give each. Values that tie with others are not
    considered, as a metric is a real number; ties among observed values and among scores stay.

    Args:
        metric: Shape (n,), NaN where missing.
        score: Shape (n,), finite.
    """
    there = np.isfinite(metric)
    x, y, absent = metric[there], score[there], score[~there]
    pairs = len(score) * (len(score) - 1) // 2
    untied_x = pairs - _tied(x)
    untied_y = pairs - _tied(score)
    root = float(np.sqrt(untied_x) * np.sqrt(untied_y))
    if root == 0:
        return TauBounds(None, None)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    observed = _concordance(x, y)
    among = len(absent) * (len(absent) - 1) // 2 - _tied(absent)
    high = observed + _best(x, y, absent) + among
    low = observed - _best(x, -y, -absent) - among
    return TauBounds(low / root, high / root)


def _tied(values: Vector) -> int:
    """Pairs of equal values."""
    counts = np.unique(values, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def _concordance(x: Vector, y: Vector) -> int:
    """Concordant less discordant pairs; x ascending."""
    total = 0
    for place in range(len(x) - 1):
        total += int((np.sign(y[place + 1 :] - y[place]) * (x[place + 1 :] > x[place])).sum())
    return total


def _best(x: Vector, y: Vector, absent: Vector) -> int:
    """Sum over missing models of the largest f_m; x ascending."""
    if not len(x) or not len(absent):
        return 0
    allowed: NDArray[np.bool_] = np.concatenate([[True], x[1:] > x[:-1], [True]])  # between different values only
    total = 0
    for start in range(0, len(absent), _ROWS):
        above = np.sign(y[None, :] - absent[start : start + _ROWS, None]).astype(np.int64)
        below = np.concatenate([np.zeros((len(above), 1), np.int64), above.cumsum(axis=1)], axis=1)
        gained = above.sum(axis=1, keepdims=True) - 2 * below
        total += int(gained[:, allowed].max(axis=1).sum())
    return total
