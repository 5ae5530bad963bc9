"""Kendall's tau within families, of what controls such as size leave of a metric and of the score.

Per family, metric and score are each replaced by their least-squares residuals on the controls (and a constant), and
tau-b of the residuals is the family's partial tau. Where metric and score depend on the controls by straight lines and
on nothing else in common, one residual says nothing of the other, and the sign of a family's tau is a coin: the mean
over families is tested by flipping signs.

Kendall's own partial tau, (t_xy - t_xz t_yz) / sqrt((1 - t_xz^2) (1 - t_yz^2)) (Kendall, Biometrika 32, 1942), is not
used: it is not zero for a metric that only follows size (Korn, The American Statistician 38, 1984). For normal values
tau = 2/pi asin(r); where metric and score have r = .9 with size and nothing else in common, their own r is .81, and
(.601 - .713 .713) / (1 - .713 .713) = .19. Found within 30 families, that would be called an effect.

What residuals of straight lines leave in both is a common bend: accuracies saturate with size, and so may a metric.
Whoever reports a partial tau should show it with the squares of the controls as further controls too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from analysis.statistics.bootstrap import family_interval
from analysis.statistics.pairs import family_pairs
from analysis.statistics.permutation import sign_flip
from analysis.statistics.records import FEWEST_INTERVAL, Interval, Vector
from analysis.statistics.within import within_families

Codes = NDArray[np.int64]

FEWEST_FREE = 3
"""Residual degrees of freedom (models - 1 - controls that vary) below which a family has no partial tau. With one, all
residuals are multiples of one vector and tau is +-1 whatever the data; r of two independent residuals has the variance
1 / degrees of freedom, so with two a family says half of what one with four does, and weighs the same in the mean."""

_ROUNDING = 1e-9
"""Share of a column's range in its family below which two residuals are tied."""


@dataclass(frozen=True, slots=True)
class FamilyWithout:
    """A family that has no tau, and why.

    Attributes:
        family: Its code.
        models: Models in it.
        too_small: Whether they are too few; else the metric or the score does not vary.
        reason: Why, as the end of a sentence.
    """

    family: int
    models: int
    too_small: bool
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class FamilyTaus:
    """Tau-b of each family.

    Attributes:
        values: Shape (F,), NaN for a family without.
        models: Models of each family, shape (F,).
        without: The families that have models but no tau.
    """

    values: Vector
    models: NDArray[np.int64]
    without: tuple[FamilyWithout, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanTau:
    """The mean over families, each counted once, of tau or of a difference of two. None where `reason` says why.

    Attributes:
        families: How many have one.
        tau: The mean.
        interval: By bootstrap over families; None below 8.
        p: Two-sided, by flipping the signs of families; None below 5.
        detectable: The mean that so many families, as scattered as these are, would have shown four times in five
            (two-sided, 5 %).
        reason: Why something is None.
    """

    families: int
    tau: float | None = None
    interval: Interval | None = None
    p: float | None = None
    detectable: float | None = None
    reason: str | None = None


def family_partial_taus(metric: Vector, score: Vector, families: Codes, controls: Sequence[Vector] = ()) -> FamilyTaus:
    """Partial tau-b of metric and score in each family; without controls, plain tau-b.

    A control that is the same for all models of a family, or follows from others there, costs it nothing. Scaling or
    shifting any of the columns, in each family in its own way, changes nothing (a negative factor turns the sign).

    Args:
        metric: Shape (n,), finite, as all that follow.
        score: The same.
        families: 0..F-1, -1 for none.
        controls: What is held fixed.
    """
    count = int(families.max(initial=-1)) + 1
    there = families >= 0
    codes = families[there]
    models = np.bincount(codes, minlength=count)
    columns = (metric[there], score[there])
    left = within_families(columns, [control[there] for control in controls], codes, count)
    free = models - left.lost
    pairs = family_pairs(codes, count)
    if controls:
        found = pairs.taus(*(_tied(own, given, codes) for own, given in zip(left.columns, columns, strict=True)))
    else:
        found = pairs.taus(*columns)
    flat = [flat | ~_varies(own, codes, count) for flat, own in zip(left.flat, columns, strict=True)]
    values = np.where((free >= FEWEST_FREE) & ~flat[0] & ~flat[1], found, np.nan)
    beyond = " beyond the controls" if controls else ""
    without = [
        FamilyWithout(
            int(family),
            int(models[family]),
            bool(free[family] < FEWEST_FREE),
            f"{models[family]} of at least {FEWEST_FREE + left.lost[family]} models"
            if free[family] < FEWEST_FREE
            else f"the {'metric' if flat[0][family] or not flat[1][family] else 'score'} does not vary{beyond}",
        )
        for family in np.flatnonzero(np.isnan(values) & (models > 0))
    ]
    return FamilyTaus(values, models, tuple(without))


def mean_tau(
    values: Vector, *, generator: np.random.Generator, draws: int = 4_999, within: tuple[float, float] = (-1.0, 1.0)
) -> MeanTau:
    """The mean of the families' taus, with its interval and its test.

    Args:
        values: One a family, NaN for those without.
        generator: Draws signs and resamples.
        draws: How many of each.
        within: Ends that the mean cannot lie beyond.
    """
    known = values[np.isfinite(values)]
    count = len(known)
    if not count:
        return MeanTau(families=0, reason="no family has one")
    test = sign_flip(known, generator=generator, draws=draws)
    interval = family_interval(known, within=within, generator=generator, draws=draws)
    reason = test.reason or (None if interval else no_interval(count))
    spread = float(np.std(known, ddof=1)) if count > 1 else 0.0
    power = float(scipy.stats.t.ppf(0.975, count - 1) + scipy.stats.t.ppf(0.8, count - 1)) if count > 1 else np.nan
    return MeanTau(
        families=count,
        tau=float(known.mean()),
        interval=interval,
        p=test.p,
        detectable=power * spread / count**0.5 if test.p is not None and spread > 0 else None,
        reason=reason,
    )


def tau_difference(
    first: Vector, second: Vector, *, generator: np.random.Generator, draws: int = 4_999
) -> tuple[MeanTau, int]:
    """How much more strongly one metric orders the models of a family than another, signs apart.

    Each metric's taus are turned to where their own mean is positive, then subtracted in each family. Turning by the
    data flatters a metric whose mean is near zero by about its standard error: a difference that is still negative, or
    zero, is safe to read.

    Args:
        first: Taus, one a family, NaN where there is none.
        second: Those of the other, in the same order.
        generator: Draws signs and resamples.
        draws: How many of each.

    Returns:
        The difference, over the families that have both, in -2..2; and the number of families that have only one.
    """
    both = np.isfinite(first) & np.isfinite(second)
    turned = [values[both] * (-1.0 if values[both].sum() < 0 else 1.0) for values in (first, second)]
    only_one = int((np.isfinite(first) ^ np.isfinite(second)).sum())
    return mean_tau(turned[0] - turned[1], generator=generator, draws=draws, within=(-2.0, 2.0)), only_one


def no_interval(families: int) -> str:
    """Why so many families have none."""
    if families < FEWEST_INTERVAL:
        return f"{families} of at least {FEWEST_INTERVAL} families for an interval"
    return "all families alike: no interval"


def _varies(values: Vector, codes: Codes, count: int) -> NDArray[np.bool_]:
    """Whether each family has two values that differ."""
    return _range(values, codes, count) > 0


def _range(values: Vector, codes: Codes, count: int) -> Vector:
    high, low = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(high, codes, values)
    np.minimum.at(low, codes, values)
    return np.where(high >= low, high - low, 0.0)


def _tied(residuals: Vector, given: Vector, codes: Codes) -> Vector:
    """Ranks of residuals within families, those that differ by rounding alone tied: models with all columns alike."""
    count = int(codes.max(initial=-1)) + 1
    step = _ROUNDING * _range(given, codes, count)
    order = np.lexsort((residuals, codes))
    apart = np.diff(residuals[order], prepend=-np.inf) > step[codes[order]]
    apart[1:] |= np.diff(codes[order]) > 0
    ranks = np.empty(len(order))
    ranks[order] = np.cumsum(apart)
    return ranks
