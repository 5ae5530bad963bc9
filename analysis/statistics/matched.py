"""Matched pairs: models of one network, trained differently. Of equal size, so size cannot explain which is better.

Architectures count equally in the estimate, but families are what is resampled and flipped: one recipe is often run on
all architectures of a series, which then say one thing several times. Where four recipes are run on three architectures
each of eight families and neither score nor metric knows of the other, flipping architectures finds an "effect" in 12 %
of 1,000 such zoos at 5 %, flipping families in 4 %.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.bootstrap import family_interval
from analysis.statistics.pairs import family_pairs
from analysis.statistics.partial import no_interval
from analysis.statistics.permutation import sign_flip
from analysis.statistics.records import Interval, Vector

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedPairs:
    """How often, of two models of one architecture, the one with the smaller metric is the better one.

    Half is a coin; near 1, small is good; near 0, large is good.

    Attributes:
        architectures: Those with a pair of models whose scores differ.
        pairs: Such pairs.
        chance: Share of pairs in which the model with the smaller metric is the better one, those with equal metrics
            as half, each architecture counted once whatever the number of its pairs.
        pooled: The same with each pair counted once.
        families: Families that these architectures are of; one in no family counts as one.
        interval: Of `chance`, by bootstrap over families; None below 8.
        p: Two-sided, by flipping which model is better for whole families; None below 5.
        reason: Why something is None.
    """

    architectures: int
    pairs: int
    chance: float | None = None
    pooled: float | None = None
    families: int = 0
    interval: Interval | None = None
    p: float | None = None
    reason: str | None = None


def matched_pairs(
    metric: Vector,
    score: Vector,
    architectures: Codes,
    families: Codes,
    *,
    higher_is_better: bool,
    generator: np.random.Generator,
    draws: int = 4_999,
) -> MatchedPairs:
    """Compare models of one architecture with each other. Pairs with equal scores have no better one: left out.

    Args:
        metric: Shape (n,), finite, as all that follow.
        score: The same.
        architectures: Network of each model, 0..A-1, -1 for none; a code must not occur in two families.
        families: Family of each model, 0..F-1; where it is -1, each architecture stands for itself.
        higher_is_better: Whether the better model has the larger score.
        generator: Draws signs and resamples.
        draws: How many of each.
    """
    count = int(architectures.max(initial=-1)) + 1
    untied_metric, untied_score = (_untied(column, architectures, count) for column in (metric, score))
    used = np.flatnonzero(untied_score > 0)
    pairs = int(untied_score.sum())
    if not len(used):
        return MatchedPairs(architectures=0, pairs=0, reason="no two models of one architecture with different scores")
    tau = np.nan_to_num(family_pairs(architectures, count).taus(metric, score))[used]
    # Concordant less discordant pairs, per pair whose scores differ: tau-b has the root of both numbers below it.
    somers = tau * np.sqrt(untied_metric[used] / untied_score[used])
    smaller: Vector = -somers if higher_is_better else somers
    clusters = _clusters(architectures, families, used)
    sums = np.bincount(clusters, weights=smaller).astype(np.float64)
    sizes = np.bincount(clusters).astype(np.float64)
    test = sign_flip(sums, generator=generator, draws=draws)
    interval = family_interval(
        (1 + sums / sizes) / 2, weights=sizes, within=(0.0, 1.0), generator=generator, draws=draws
    )
    return MatchedPairs(
        architectures=len(used),
        pairs=pairs,
        chance=float((1 + smaller.mean()) / 2),
        pooled=float((1 + (smaller * untied_score[used]).sum() / pairs) / 2),
        families=len(sizes),
        interval=interval,
        p=test.p,
        reason=test.reason or (None if interval else no_interval(len(sizes))),
    )


def _untied(values: Vector, codes: Codes, count: int) -> Vector:
    """Pairs of each group whose values differ, shape (count,)."""
    there = codes >= 0
    sizes = np.bincount(codes[there], minlength=count)
    order = np.lexsort((values[there], codes[there]))
    code, value = codes[there][order], values[there][order]
    new = np.ones(len(code), dtype=bool)
    new[1:] = (np.diff(code) > 0) | (np.diff(value) > 0)
    starts = np.flatnonzero(new)
    runs = np.diff(starts, append=len(code))
    tied = np.bincount(code[starts], weights=runs * (runs - 1) / 2, minlength=count)
    return sizes * (sizes - 1) / 2 - tied


def _clusters(architectures: Codes, families: Codes, used: Codes) -> Codes:
    """Family of each used architecture, 0..; those without one stand alone."""
    family = np.full(int(architectures.max()) + 1, -1)
    there = architectures >= 0
    family[architectures[there]] = families[there]
    own = family[used]
    alone = int(families.max(initial=-1)) + 1 + np.arange(len(used))
    return np.unique(np.where(own >= 0, own, alone), return_inverse=True)[1].astype(np.int64)
