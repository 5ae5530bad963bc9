"""One slope for all families, each with its own mean and controls, and errors that take families as independent.

The slope is a mean of the families' slopes, weighted by how widely the metric varies within each. Where families'
slopes differ, the usual standard error of it is far too small; clustering by family mends that for many families. For
few, or where some outweigh the others, Student's t of a clustered error still finds too much (in zoos of 30 families of
4 to 20 models with slopes that differ, twice as often as it says; of 8, three times). So p is from the wild cluster
bootstrap (Cameron, Gelbach & Miller, 2008): the residuals of the model without an effect, with the signs of whole
families flipped, and the t of each such zoo. Controls have coefficients of each family's own: with common ones, what
differs between families leaks into the slope, and the bootstrap has up to 8 % false findings at 8 families.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
import statsmodels.api as sm

from analysis.statistics.records import FEWEST_TESTED, Interval, Vector
from analysis.statistics.within import Codes, family_sums, within_families

MOST_ENUMERATED = 13
"""Families up to which all patterns of signs are gone through; above, signs are drawn."""

MOST_INVERTED = 500
"""Families up to which the interval is the bootstrap's, which takes some thirty bootstraps."""

_CELLS = 2_000_000
"""Numbers held at once."""

_MOST_WORK = 5_000_000
"""Signs drawn at most; with more families, fewer patterns."""

_FEWEST_DRAWS = 999

NO_ERROR = "the scores follow from the metric without any error"

UNBOUNDED = "too few families for an interval: no slope is rejected, however far"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedEffects:
    """The common slope within families. All but the counts are None where `reason` says why.

    Attributes:
        families: Those in which the metric varies beyond what the controls say.
        n: Models in them.
        slope: In the score's unit per unit of the metric.
        standard_error: Clustered by family (CR1).
        t_p: Two-sided p of their ratio by Student's t with families - 1 degrees of freedom: finds too much for few
            families; for comparison, not for tables.
        wild_p: Two-sided p of the wild cluster bootstrap.
        exact: Whether all patterns of signs were gone through.
        interval: The slopes that the bootstrap does not reject; above `MOST_INVERTED` families, those that t does not.
        reason: Why there is no slope, or no interval.
    """

    families: int
    n: int
    slope: float | None = None
    standard_error: float | None = None
    t_p: float | None = None
    wild_p: float | None = None
    exact: bool = False
    interval: Interval | None = None
    reason: str | None = None


def fixed_effects(
    metric: Vector,
    score: Vector,
    codes: Codes,
    controls: Sequence[Vector] = (),
    *,
    generator: np.random.Generator,
    draws: int = 9_999,
    level: float = 0.95,
) -> FixedEffects:
    """Least squares of the score on the metric, and on a constant and the controls of each family.

    Args:
        metric: Shape (n,), finite as all that follows.
        score: Shape (n,).
        codes: Family of each model, -1 for none: those are left out, shape (n,).
        controls: Each family has its own coefficients of them, shape (n,) each.
        generator: For the bootstrap.
        draws: Patterns of signs; fewer where there are thousands of families.
        level: Of the interval.
    """
    chosen = codes >= 0
    count = int(codes.max(initial=-1)) + 1
    within = within_families([metric[chosen], score[chosen]], [each[chosen] for each in controls], codes[chosen], count)
    varies = ~within.flat[0][codes[chosen]]
    member = np.unique(codes[chosen][varies], return_inverse=True)[1]
    x, y = (column[varies] for column in within.columns)
    families, n = int(member.max(initial=-1)) + 1, len(member)
    if families < FEWEST_TESTED:
        return FixedEffects(families=families, n=n, reason=f"{families} of at least {FEWEST_TESTED} families")
    scale = float(np.sqrt(np.mean(x**2)))
    fit = sm.OLS(y, x / scale).fit(cov_type="cluster", cov_kwds={"groups": member}, use_t=True)
    slope, error = float(fit.params[0]) / scale, float(fit.bse[0]) / scale
    if not error > 1e-9 * abs(slope):
        return FixedEffects(families=families, n=n, reason=NO_ERROR)
    products, squares = family_sums(x * y, member, families), family_sums(x**2, member, families)
    interval = slope_interval(products, squares, generator=generator, level=level)
    patterns = min(draws, max(_FEWEST_DRAWS, _MOST_WORK // families))
    return FixedEffects(
        families=families,
        n=n,
        slope=slope,
        standard_error=error,
        t_p=float(2 * scipy.stats.t.sf(abs(slope) / error, families - 1)),
        wild_p=_wild_p(products, squares, _signs(families, generator, patterns)),
        exact=families <= MOST_ENUMERATED,
        interval=interval,
        reason=None if interval else UNBOUNDED,
    )


def _wild_p(products: Vector, squares: Vector, patterns: Iterator[Vector]) -> float:
    """Share of the patterns (the first of which is all ones) with a t as large as that of the zoo itself.

    All of a family's rows have one sign, so a resample needs only sums over families.

    Args:
        products: Sums of metric times score, both within families, shape (families,).
        squares: Sums of squares of the metric within families, shape (families,).
        patterns: Signs, shape (rows, families) each.
    """
    observed, rows, larger = None, 0, 0
    for signs in patterns:
        flipped = signs * products
        total = flipped.sum(axis=1)
        scores = flipped - np.outer(total, squares / squares.sum())  # what a resample's own slope leaves
        t_squared = total**2 / np.maximum((scores**2).sum(axis=1), np.finfo(np.float64).tiny)
        observed = t_squared[0] if observed is None else observed
        larger += int((t_squared >= observed * (1 - 1e-9)).sum())
        rows += len(signs)
    return larger / rows


def slope_interval(
    products: Vector, squares: Vector, *, generator: np.random.Generator, level: float = 0.95
) -> Interval | None:
    """The slopes that the wild cluster bootstrap does not reject; None where it rejects none, or there is no error.

    Above `MOST_INVERTED` families, those that Student's t of the clustered error does not reject.

    Args:
        products: Per family, the sum of metric times score, shape (F,).
        squares: Per family, the sum of squares of the metric, shape (F,). The slope is the ratio of the two's sums.
        generator: Draws signs.
        level: Of the interval.
    """
    families, slope = len(products), float(products.sum() / squares.sum())
    scores = products - slope * squares
    error = float(np.sqrt(families / (families - 1) * (scores**2).sum()) / abs(squares.sum()))
    if families > MOST_INVERTED:
        half = float(scipy.stats.t.ppf((1 + level) / 2, families - 1)) * error
        return Interval(slope - half, slope + half, level)
    if not error > 1e-9 * abs(slope):
        return None
    signs = np.concatenate(list(_signs(families, generator, _FEWEST_DRAWS)))
    ends = []
    for direction in (-1.0, 1.0):
        steps = np.append(error * 2.0 ** np.arange(-2, 10, 0.5), max(0.0, -slope * direction))  # zero is one of them
        distances = np.sort(steps[steps > 0])
        kept = [d for d in distances if not _rejected(products, squares, slope + direction * d, signs, level)]
        if kept and kept[-1] == distances[-1]:
            return None
        inside = kept[-1] if kept else 0.0
        outside = distances[np.searchsorted(distances, inside, side="right")]
        for _ in range(10):
            middle = (inside + outside) / 2
            if _rejected(products, squares, slope + direction * middle, signs, level):
                outside = middle
            else:
                inside = middle
        ends.append(float(slope + direction * outside))
    return Interval(ends[0], ends[1], level)


def _rejected(products: Vector, squares: Vector, slope: float, signs: Vector, level: float) -> bool:
    return _wild_p(products - slope * squares, squares, iter([signs])) <= 1 - level


def _signs(count: int, generator: np.random.Generator, draws: int) -> Iterator[Vector]:
    """Patterns of signs, shape (some, count), all ones first: half of all (the others give the same t), or random."""
    if count <= MOST_ENUMERATED:
        bits = (np.arange(2 ** (count - 1))[:, None] >> np.arange(count)) & 1
        yield 1.0 - 2.0 * bits.astype(np.float64)
        return
    yield np.ones((1, count))
    step = max(1, _CELLS // count)
    for start in range(0, draws, step):
        yield 1.0 - 2.0 * generator.integers(0, 2, (min(step, draws - start), count)).astype(np.float64)
