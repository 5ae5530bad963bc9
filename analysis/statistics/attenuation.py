"""What error in the metric does to a slope: it flattens it, by the share of the metric's variance that is no error.

A metric is a mean over layers and has a standard error. Within families, where models differ little, that error may be
much of what is seen. Models with a large one count less, and the slope is divided by the metric's reliability
(Fuller, Measurement Error Models, 1987, section 3.1). This does not make an effect more certain, only larger: the test
of no effect is that of the slope as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.fixed_effects import NO_ERROR, UNBOUNDED, slope_interval
from analysis.statistics.records import FEWEST_TESTED, Interval, Vector
from analysis.statistics.within import Codes, Within, family_sums, within_families

LEAST_RELIABILITY = 0.1
"""Reliability below which nothing is divided by it: the quotient would be as uncertain as the reliability itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deattenuated:
    """The slope within families without the metric's error. All but the counts are None where `reason` says why.

    Attributes:
        families: Those in which the metric varies beyond what the controls say.
        n: Models in them with a known error.
        reliability: Share of the metric's variance within families (given the controls) that is no error.
        slope: Weighted and divided by the reliability, in the score's unit per unit of the metric.
        interval: The slopes that the wild cluster bootstrap of the same sums does not reject.
        reason: Why there is no slope, or no interval.
    """

    families: int
    n: int
    reliability: float | None = None
    slope: float | None = None
    interval: Interval | None = None
    reason: str | None = None


def deattenuated(
    metric: Vector,
    error: Vector,
    score: Vector,
    codes: Codes,
    controls: Sequence[Vector] = (),
    *,
    generator: np.random.Generator,
    level: float = 0.95,
) -> Deattenuated:
    """Slope of the score on the metric within families, as it would be if the metric were known without error.

    Each model has the weight V / (V + e^2), with V the variance of the metric within families beyond the errors e.
    Errors of different models, and of metric and score, are taken as independent; the controls as known without any.

    Args:
        metric: Shape (n,), finite as all that follows but `error`.
        error: Its standard errors, NaN where unknown: those models are left out, shape (n,).
        score: Shape (n,).
        codes: Family of each model, -1 for none: those are left out, shape (n,).
        controls: Each family has its own coefficients of them, shape (n,) each.
        generator: For the interval.
        level: Of the interval.
    """
    chosen = (codes >= 0) & np.isfinite(error)
    if not chosen.any():
        return Deattenuated(families=0, n=0, reason="nobody knows the standard errors of the metric")
    x, y, e = metric[chosen], score[chosen], error[chosen]
    held = [each[chosen] for each in controls]
    member = np.unique(codes[chosen], return_inverse=True)[1]
    count = int(member.max()) + 1
    plain = within_families([x, y], held, member, count)
    varies = ~plain.flat[0]
    families, n = int(varies.sum()), int(varies[member].sum())
    if families < FEWEST_TESTED:
        return Deattenuated(families=families, n=n, reason=f"{families} of at least {FEWEST_TESTED} families")
    sums = _sums(plain, e, np.ones(len(x)), member, varies)
    freedom = n - int(plain.lost[varies].sum())
    reliability = float(1 - sums.noise.sum() / sums.squares.sum())
    if reliability < LEAST_RELIABILITY:
        share = f"{max(reliability, 0):.0%}" if reliability > 0 else "nothing"
        reason = f"{share} of the metric's variance within families is more than its errors"
        return Deattenuated(families=families, n=n, reliability=reliability, reason=reason)
    variance = float((sums.squares - sums.noise).sum()) / freedom
    weights = variance / (variance + e**2)
    sums = _sums(within_families([x, y], held, member, count, weights=weights), e, weights, member, varies)
    true = sums.squares - sums.noise
    if true.sum() < LEAST_RELIABILITY * sums.squares.sum():
        reason = "weighted by their errors, models say next to nothing of the metric within families"
        return Deattenuated(families=families, n=n, reliability=reliability, reason=reason)
    slope = float(sums.products.sum() / true.sum())
    if np.abs(sums.products - slope * true).max() <= 1e-9 * np.abs(slope * true).max():
        return Deattenuated(families=families, n=n, reliability=reliability, reason=NO_ERROR)
    interval = slope_interval(sums.products, true, generator=generator, level=level)
    return Deattenuated(
        families=families,
        n=n,
        reliability=reliability,
        slope=slope,
        interval=interval,
        reason=None if interval else UNBOUNDED,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Weighted sums of each family: metric times score, squares of the metric, and what errors add to these."""

    products: Vector
    squares: Vector
    noise: Vector


def _sums(within: Within, error: Vector, weights: Vector, codes: Codes, varies: np.ndarray) -> _Sums:
    count = len(varies)
    x, y = within.columns
    total = np.maximum(family_sums(weights, codes, count), np.finfo(np.float64).tiny)
    leverage = weights * (within.lost / total)[codes]  # of mean and controls, the latter as if spread evenly
    noise = family_sums(weights * error**2 * np.maximum(1 - leverage, 0), codes, count)
    products, squares = family_sums(weights * x * y, codes, count), family_sums(weights * x**2, codes, count)
    return _Sums(products[varies], squares[varies], noise[varies])
