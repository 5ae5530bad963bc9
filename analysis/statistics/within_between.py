"""Within families and between them: two slopes, which may have opposite signs (Simpson's paradox; Mundlak, 1978).

The slope of all models together is a mixture of the two. It is never tested here: where families' own slopes differ
with mean zero, a test of one slope finds an effect in half of all zoos.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
import statsmodels.api as sm

from analysis.statistics.records import FEWEST_TESTED, Interval, Vector
from analysis.statistics.two_stage import TwoStage
from analysis.statistics.within import FOLLOWS, ROUNDING, Codes, family_sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The slope of families' mean scores on their mean metric. All but `families` are None where `reason` says why.

    Attributes:
        families: How many.
        slope: In the score's unit per unit of the metric, given the families' means of the controls.
        standard_error: HC3, as families differ in what their means are worth.
        interval: slope +- Student's quantile times the error.
        reason: Why there is no slope.
    """

    families: int
    slope: float | None = None
    standard_error: float | None = None
    interval: Interval | None = None
    reason: str | None = None


def between_families(
    metric: Vector, score: Vector, codes: Codes, controls: Sequence[Vector] = (), *, level: float = 0.95
) -> Between:
    """Fit the families' mean scores on their mean metric and controls, each family with the same weight.

    Args:
        metric: Shape (n,), finite as all that follows.
        score: Shape (n,).
        codes: Family of each model, -1 for none: those are left out, shape (n,).
        controls: Shape (n,) each.
        level: Of the interval.
    """
    chosen = codes >= 0
    member = np.unique(codes[chosen], return_inverse=True)[1]
    families = int(member.max(initial=-1)) + 1
    fewest = FEWEST_TESTED + len(controls)
    if families < fewest:
        return Between(families=families, reason=f"{families} of at least {fewest} families")
    sizes = np.bincount(member, minlength=families)
    y, x, *others = (family_sums(each[chosen], member, families) / sizes for each in (score, metric, *controls))
    units = [_unit(each) for each in others]
    held = np.column_stack([np.ones(families), *(each for each in units if each.any())])
    left = x - held @ np.linalg.lstsq(held, x, rcond=None)[0]
    deviation = x - x.mean()
    if left @ left <= max(FOLLOWS * (deviation @ deviation), ROUNDING * (x @ x)):
        reason = "the families' means of the metric are alike, or follow from the controls"
        return Between(families=families, reason=reason)
    if ((y - y.mean()) ** 2).sum() <= ROUNDING * (y @ y):
        return Between(families=families, reason="the families' mean scores are alike")
    scale = float(left.std())
    fit = sm.OLS(y, np.column_stack([left / scale, held])).fit(cov_type="HC3", use_t=True)
    slope, error = float(fit.params[0]) / scale, float(fit.bse[0]) / scale
    if not np.isfinite(error) or not error > 1e-9 * abs(slope):
        return Between(families=families, reason="one family alone decides the slope, or means lie on a line exactly")
    half = float(scipy.stats.t.ppf((1 + level) / 2, fit.df_resid)) * error
    return Between(
        families=families, slope=slope, standard_error=error, interval=Interval(slope - half, slope + half, level)
    )


def opposite(within: TwoStage, between: Between) -> bool | None:
    """Whether the slope within families and that between them have opposite signs, both clear of zero.

    Clear means that the 95 % interval is on one side of zero. None where one of the two has no interval.
    """
    if within.interval is None or between.interval is None:
        return None
    first, second = _side(within.interval), _side(between.interval)
    return first * second < 0


def _side(interval: Interval) -> int:
    return int(interval.low > 0) - int(interval.high < 0)


def _unit(column: Vector) -> Vector:
    centred = column - column.mean()
    length = float(np.sqrt(np.mean(centred**2)))
    return centred / length if length > 1e-12 * max(1e-300, float(np.abs(column).max())) else np.zeros_like(column)
