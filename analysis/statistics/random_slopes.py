"""A mixed model: each family has its own intercept, and its own slope drawn from a normal distribution of slopes.

The intercepts are not drawn from a distribution, but taken out by contrasts within families: a random intercept that
goes with the metric would pull the slope towards that between families. For independent errors, restricted maximum
likelihood of the contrasts is that of the models with a constant of each family.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
import statsmodels.api as sm
from numpy.linalg import LinAlgError
from statsmodels.tools.sm_exceptions import ModelWarning

from analysis.statistics.records import FEWEST_TESTED, Interval, Vector
from analysis.statistics.within import FOLLOWS, ROUNDING, Codes, within_families

MOST_FAMILIES = 300
"""Families above which no model is fitted: it takes a tenth of a second for 30, and seconds for more than these."""

NO_SPREAD = "families' slopes differ by no more than chance: there is no spread to estimate"

NOT_SETTLED = "the fit did not settle"


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSlopes:
    """The mean of the distribution of slopes. All but the counts are None where `reason` says why.

    Attributes:
        families: Those with two models or more in which the metric varies.
        n: Models in them.
        slope: Mean slope, in the score's unit per unit of the metric.
        standard_error: Of it, by restricted maximum likelihood.
        spread: Standard deviation of slopes over families.
        interval: slope +- Student's quantile with families - 1 degrees of freedom times the error.
        p: Two-sided p of the same t; not for tables, see `random_slopes`.
        reason: Why there is no slope.
    """

    families: int
    n: int
    slope: float | None = None
    standard_error: float | None = None
    spread: float | None = None
    interval: Interval | None = None
    p: float | None = None
    reason: str | None = None


def random_slopes(
    metric: Vector, score: Vector, codes: Codes, controls: Sequence[Vector] = (), *, level: float = 0.95
) -> RandomSlopes:
    """Fit the score on the metric with a random intercept and a random slope by family.

    Args:
        metric: Shape (n,), finite as all that follows.
        score: Shape (n,).
        codes: Family of each model, -1 for none: those are left out, shape (n,).
        controls: With one coefficient for all families, shape (n,) each.
        level: Of the interval.
    """
    chosen = codes >= 0
    count = int(codes.max(initial=-1)) + 1
    chosen[chosen] = ~within_families([metric[chosen]], [], codes[chosen], count).flat[0][codes[chosen]]
    names, member = np.unique(codes[chosen], return_inverse=True)
    families, n = len(names), len(member)
    if families < FEWEST_TESTED:
        return RandomSlopes(families=families, n=n, reason=f"{families} of at least {FEWEST_TESTED} families")
    if families > MOST_FAMILIES:
        reason = f"{families:,} families, of at most {MOST_FAMILIES} that a mixed model is fitted to"
        return RandomSlopes(families=families, n=n, reason=reason)
    order = np.argsort(member, kind="stable")
    y, x, *others = (_contrasts(each[chosen][order], member[order]) for each in (score, metric, *controls))
    groups = member[order][1:][np.diff(member[order]) == 0]
    usable = _independent([*others, x])
    if not usable or usable[-1] is not x or len(y) - len(usable) < 1:
        return RandomSlopes(families=families, n=n, reason="the metric follows from the controls and the families")
    scale, unit = float(np.sqrt(np.mean(x**2))), float(np.sqrt(np.mean(y**2)))
    if unit <= ROUNDING**0.5 * float(np.abs(score[chosen]).max()):
        return RandomSlopes(families=families, n=n, reason="all scores of a family are the same")
    own = x / scale
    design = np.column_stack([own, *(each / np.sqrt(np.mean(each**2)) for each in usable[:-1])])
    model = sm.MixedLM(y / unit, design, groups, own[:, None])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ModelWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            fit = model.fit(reml=True, method="powell")  # gradients vanish where the spread is 0: lbfgs stops there
    except (ModelWarning, LinAlgError, ValueError) as stopped:
        return RandomSlopes(families=families, n=n, reason=_why(stopped))
    slope, error = float(fit.fe_params[0]) * unit / scale, float(fit.bse_fe[0]) * unit / scale
    if not fit.converged or not np.isfinite(error) or error <= 0:
        return RandomSlopes(families=families, n=n, reason=NOT_SETTLED)
    half = float(scipy.stats.t.ppf((1 + level) / 2, families - 1)) * error
    return RandomSlopes(
        families=families,
        n=n,
        slope=slope,
        standard_error=error,
        spread=float(np.sqrt(max(fit.cov_re[0, 0], 0.0))) * unit / scale,
        interval=Interval(slope - half, slope + half, level),
        p=float(2 * scipy.stats.t.sf(abs(slope) / error, families - 1)),
    )


def _contrasts(values: Vector, codes: Codes) -> Vector:
    """Each value less the mean of those before it in its family, scaled so that independent errors stay independent.

    Without the first of each family, for codes in order: orthonormal contrasts that no constant of a family changes.
    """
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    sizes = np.diff(starts, append=len(codes))
    before = (np.arange(len(codes)) - np.repeat(starts, sizes)).astype(np.float64)
    centred = values - np.repeat(np.add.reduceat(values, starts) / sizes, sizes)
    summed = np.cumsum(centred) - centred
    earlier = summed - np.repeat(summed[starts], sizes)
    later = before > 0
    return np.sqrt(before[later] / (before[later] + 1)) * (centred[later] - earlier[later] / before[later])


def _independent(columns: Sequence[Vector]) -> list[Vector]:
    """The columns that do not follow from those before them."""
    kept: list[Vector] = []
    for column in columns:
        rest = column
        if kept:
            basis = np.linalg.qr(np.column_stack(kept))[0]
            rest = column - basis @ (basis.T @ column)
        if rest @ rest > FOLLOWS * (column @ column):
            kept.append(column)
    return kept


def _why(error: Exception) -> str:
    edge = any(word in str(error).lower() for word in ("boundary", "singular"))
    return NO_SPREAD if edge else f"{NOT_SETTLED}: {str(error).split('.')[0].strip().lower()}"
