"""Regression in two stages: a slope (or tau) of each family, then the mean of these over families.

Families are the units, so slopes may differ from family to family, and the models of a family need not be independent.
A regression of all models with one slope has neither: where slopes differ with mean zero it finds an effect in half of
all data sets.

The slopes of small families, and of families in which the metric hardly varies, scatter widely. Each therefore has the
weight 1 / (T + v), where v is the variance that its own models give its slope (from the residuals of all families
together: those of one family of four say next to nothing) and T the variance of slopes about zero beyond that
(DerSimonian & Laird's estimator with the mean put at zero). Neither depends on a slope's sign, so under "no effect"
each product of weight and slope is as likely to be positive as negative: flipping signs is an exact test. The usual
weights, with T about the weighted mean, do depend on signs; with them Knapp & Hartung's t has 6 to 8 % false findings
at 8 to 15 families. Unequal weights leave fewer families that count, so Student's t takes its degrees of freedom from
their effective number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from analysis.statistics.partial import family_partial_taus
from analysis.statistics.permutation import SignFlip, sign_flip
from analysis.statistics.records import FEWEST_TESTED, Interval, Vector
from analysis.statistics.within import Codes, family_sums, within_families

_MOST_SIGNS = 5_000_000
"""Signs drawn at most; with more families, fewer patterns, but no fewer than 999."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FamilyValues:
    """One number per family, such as its slope.

    Attributes:
        families: Their codes, shape (F,).
        values: Slope (score's unit per unit of the metric) or tau, shape (F,).
        variances: What chance within the family adds to each, shape (F,); all 0 for equal weights.
        n: Models of these families.
        too_small: Codes of families that are left out because no residual degree of freedom is left.
        flat: Codes of families that are left out because the metric is the same for all, or follows from controls.
    """

    families: Codes
    values: Vector
    variances: Vector
    n: int
    too_small: Codes
    flat: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoStage:
    """The weighted mean of one number per family. All but the counts are None where `reason` says why.

    Attributes:
        families: How many.
        n: Models in them.
        estimate: The mean, in the unit of the numbers.
        standard_error: Of the mean, by leaving out a family at a time with the weights as they are.
        interval: All means that the t test does not reject.
        t_p: Two-sided p of the mean over its standard error, by Student's t with one degree of freedom less than there
            are effective families, (sum of weights)^2 / sum of weights^2.
        flip: Test by flipping signs of families.
        spread: Standard deviation of the numbers about their mean, beyond what chance within families gives.
        positive: Share of families with a number above zero.
        reason: Why there is no estimate.
    """

    families: int
    n: int
    estimate: float | None = None
    standard_error: float | None = None
    interval: Interval | None = None
    t_p: float | None = None
    flip: SignFlip | None = None
    spread: float | None = None
    positive: float | None = None
    reason: str | None = None


def family_slopes(metric: Vector, score: Vector, codes: Codes, controls: Sequence[Vector] = ()) -> FamilyValues:
    """Least-squares slope of the score on the metric and the controls in each family.

    Args:
        metric: Shape (n,), finite as all that follows.
        score: Shape (n,).
        codes: Family of each model, -1 for none: those are left out, shape (n,).
        controls: Each family has its own coefficients of them, shape (n,) each.
    """
    chosen = codes >= 0
    member = codes[chosen]
    count = int(member.max(initial=-1)) + 1
    within = within_families([metric[chosen], score[chosen]], [each[chosen] for each in controls], member, count)
    sizes = np.bincount(member, minlength=count)
    freedom = sizes - within.lost - 1
    enough, flat = freedom >= 1, within.flat[0]
    counted = (sizes > 0) & enough & ~flat
    x, y = within.columns
    squares = np.where(counted, family_sums(x**2, member, count), 1.0)
    slopes = np.where(counted, family_sums(x * y, member, count) / squares, 0.0)
    residuals = family_sums((y - slopes[member] * x) ** 2, member, count)[counted]
    variance = residuals.sum() / max(freedom[counted].sum(), 1)
    return FamilyValues(
        families=np.flatnonzero(counted),
        values=slopes[counted],
        variances=variance / squares[counted],
        n=int(sizes[counted].sum()),
        too_small=np.flatnonzero((sizes > 0) & ~enough),
        flat=np.flatnonzero((sizes > 0) & enough & flat),
    )


def family_taus(metric: Vector, score: Vector, codes: Codes, controls: Sequence[Vector] = ()) -> FamilyValues:
    """Partial tau-b of each family, as `partial.family_partial_taus` has them, all of one weight.

    Takes what `family_slopes` takes; `flat` are also the families in which the score is the same for all.
    """
    found = family_partial_taus(metric, score, codes, controls)
    known = np.isfinite(found.values)
    small = np.array([one.too_small for one in found.without], dtype=bool)
    without = np.array([one.family for one in found.without], dtype=np.int64)
    return FamilyValues(
        families=np.flatnonzero(known),
        values=found.values[known],
        variances=np.zeros(int(known.sum())),
        n=int(found.models[known].sum()),
        too_small=without[small],
        flat=without[~small],
    )


def family_weights(each: FamilyValues) -> Vector:
    """Weights that do not depend on the sign of any family's number, the largest 1, shape (F,)."""
    if not len(each.values):
        return np.ones(0)
    total = each.variances + _variance_about_zero(each.values, each.variances)
    return total.min() / total if total.min() > 0 else np.ones_like(total)


def two_stage(
    each: FamilyValues, *, generator: np.random.Generator, draws: int = 9_999, level: float = 0.95
) -> TwoStage:
    """Mean of one number per family, with two tests of zero.

    Args:
        each: Of `family_slopes` or `family_taus`.
        generator: For the flips of signs.
        draws: Patterns of signs; fewer where there are thousands of families.
        level: Of the interval.
    """
    count = len(each.values)
    if count < FEWEST_TESTED:
        return TwoStage(families=count, n=each.n, reason=_too_few(each))
    weights = family_weights(each)
    shares = weights / weights.sum()
    estimate = float((shares * each.values).sum())
    others = np.maximum(1 - shares, np.finfo(np.float64).eps)
    error = float(np.sqrt((count - 1) / count * ((shares * (each.values - estimate) / others) ** 2).sum()))
    if not each.values.any():
        return TwoStage(families=count, n=each.n, reason="zero in every family, as where all scores are the same")
    if error <= 1e-12 * abs(estimate):
        return TwoStage(families=count, n=each.n, reason="the same number in every family: nothing tells its chance")
    freedom = max(1.0, 1 / float((shares**2).sum()) - 1)
    half = float(scipy.stats.t.ppf((1 + level) / 2, freedom)) * error
    return TwoStage(
        families=count,
        n=each.n,
        estimate=estimate,
        standard_error=error,
        interval=Interval(estimate - half, estimate + half, level),
        t_p=float(2 * scipy.stats.t.sf(abs(estimate) / error, freedom)),
        flip=sign_flip(weights * each.values, generator=generator, draws=min(draws, max(999, _MOST_SIGNS // count))),
        spread=_spread(each.values, each.variances),
        positive=float((each.values > 0).mean()),
    )


def _variance_about_zero(values: Vector, variances: Vector) -> float:
    """Moment estimate of the variance about zero that values have beyond their own."""
    if not (variances > 0).all():
        return float(np.mean(values**2))
    weights = variances.min() / variances
    return max(0.0, float((weights * (values**2 - variances)).sum() / weights.sum()))


def _spread(values: Vector, variances: Vector) -> float:
    """DerSimonian & Laird's standard deviation of values over families; where variances are unknown, the plain one."""
    if not (variances > 0).all():
        return float(np.std(values, ddof=1))
    weights = variances.min() / variances
    scatter = float((weights * (values - weights @ values / weights.sum()) ** 2).sum()) / variances.min()
    free = (weights.sum() - (weights @ weights) / weights.sum()) / variances.min()
    return float(np.sqrt(max(0.0, (scatter - (len(values) - 1)) / free))) if free > 0 else 0.0


def _too_few(each: FamilyValues) -> str:
    out = [f"{len(each.too_small)} too small"] * bool(len(each.too_small))
    out += [f"{len(each.flat)} where the metric is the same for all or follows from the controls"] * bool(
        len(each.flat)
    )
    left = f" ({', '.join(out)})" if out else ""
    return f"{len(each.values)} of at least {FEWEST_TESTED} families{left}"
