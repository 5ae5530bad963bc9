"""Regression of a published score on metrics within families, without assuming that all families have one slope.

The two-stage slope is the one to read; the others stand beside it to show what it depends on. Only p-values that have
been seen to be right in simulated zoos are given; a test of one slope for all models is not among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from analysis.errors import AnalysisError
from analysis.samples.sample import Sample, Target
from analysis.statistics.attenuation import deattenuated
from analysis.statistics.fixed_effects import fixed_effects
from analysis.statistics.links import Link, link_scores
from analysis.statistics.permutation import max_t_sign_flip
from analysis.statistics.random_slopes import random_slopes
from analysis.statistics.records import Vector
from analysis.statistics.two_stage import TwoStage, family_slopes, family_taus, family_weights, two_stage
from analysis.statistics.within import family_sums, within_families
from analysis.statistics.within_between import between_families, opposite
from analysis.studies.regression_records import Method, MetricRegression, Regressed, RegressionRow
from catalogs import counted

LIKELY_CHANCE = 0.05
"""The p-value above which an effect is called chance."""

_MOST_NUMBERS = 10_000_000
"""Signs drawn for the adjusted p at most, over families and metrics; but no fewer than 999 patterns."""


def regress(
    sample: Sample,
    metrics: Sequence[str],
    *,
    controls: Sequence[str] = (),
    link: Link = Link.IDENTITY,
    seed: int = 0,
    n_test: Vector | None = None,
) -> Regressed:
    """Regress a score on each metric, within families.

    Args:
        sample: Models with one score.
        metrics: Columns of it; those that are controls are left out.
        controls: Columns that are held fixed, such as `log10_params`; each family has its own coefficients of them,
            but for random slopes, where they are common.
        link: What the score is turned into first.
        seed: Of signs. Numbers of a metric do not depend on which others are asked for, but for `p_adjusted`.
        n_test: Test examples of each score, NaN where unknown, shape (n,): for the logit of 0 % and 100 %.

    Raises:
        AnalysisError: There is no column of such a name, or the link does not fit the scores.
    """
    asked = [metric for metric in dict.fromkeys(metrics) if metric not in controls]
    for name in (*asked, *controls):
        sample.column(name)
    linked = link_scores(sample.score, sample.score_error, unit=sample.target.unit, link=link, n_test=n_test)
    if linked.values is None or linked.errors is None:
        raise AnalysisError(f"no {link} of {sample.target.score_metric}: {linked.reason}. Take the link identity.")
    known = replace(sample, score=linked.values, score_error=linked.errors).where(sample.family_codes >= 0)
    each = [_estimates(known, metric, controls, seed) for metric in asked]
    adjusted = _adjusted([slopes for _, slopes in each], [found for found, _ in each], known, seed)
    return Regressed(
        target=sample.target,
        scale=linked.scale,
        controls=tuple(dict.fromkeys(controls)),
        models=known.n,
        without_family=sample.n - known.n,
        metrics=tuple(
            _finished(found, p, sample.target, controls, linked.scale)
            for (found, _), p in zip(each, adjusted, strict=True)
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Slopes:
    """Weighted slopes of a metric, by the families' names."""

    names: tuple[str, ...]
    products: Vector


def _estimates(known: Sample, metric: str, controls: Sequence[str], seed: int) -> tuple[MetricRegression, _Slopes]:
    """All of a metric but what takes the other metrics: the adjusted p and the sentence."""
    sample = known.complete(metric, *controls)
    x, y, codes = sample.column(metric), sample.score, sample.family_codes
    held = [sample.column(name) for name in dict.fromkeys(controls)]
    generator = np.random.default_rng([seed, crc32(metric.encode())])
    slopes = family_slopes(x, y, codes, held)
    within = two_stage(slopes, generator=generator)
    mixed = random_slopes(x, y, codes, held)
    fixed = fixed_effects(x, y, codes, held, generator=generator)
    error = sample.errors.get(metric, np.full(sample.n, np.nan))
    corrected = deattenuated(x, error, y, codes, held, generator=generator)
    between = between_families(x, y, codes, held)
    deviation = _deviation(sample, metric, held)

    def per_sd(slope: float | None) -> float | None:
        return None if slope is None else slope * deviation

    rows = (
        _two_stage_row(metric, Method.TWO_STAGE, within, per_sd(within.estimate)),
        _two_stage_row(metric, Method.TAU, two_stage(family_taus(x, y, codes, held), generator=generator), None),
        RegressionRow(
            metric=metric,
            method=Method.RANDOM,
            models=mixed.n,
            families=mixed.families,
            estimate=mixed.slope,
            per_sd=per_sd(mixed.slope),
            standard_error=mixed.standard_error,
            interval=mixed.interval,
            spread=mixed.spread,
            reason=mixed.reason,
        ),
        RegressionRow(
            metric=metric,
            method=Method.FIXED,
            models=fixed.n,
            families=fixed.families,
            estimate=fixed.slope,
            per_sd=per_sd(fixed.slope),
            standard_error=fixed.standard_error,
            interval=fixed.interval,
            p=fixed.wild_p,
            reason=fixed.reason,
        ),
        RegressionRow(
            metric=metric,
            method=Method.CORRECTED,
            models=corrected.n,
            families=corrected.families,
            estimate=corrected.slope,
            per_sd=per_sd(corrected.slope),
            interval=corrected.interval,
            reliability=corrected.reliability,
            reason=corrected.reason,
        ),
        RegressionRow(
            metric=metric,
            method=Method.BETWEEN,
            models=sample.n,
            families=between.families,
            estimate=between.slope,
            per_sd=per_sd(between.slope),
            standard_error=between.standard_error,
            interval=between.interval,
            reason=between.reason,
        ),
    )
    names = sample.family_names
    found = MetricRegression(
        metric=metric,
        rows=rows,
        missing=known.n - sample.n,
        too_small=tuple(names[code] for code in slopes.too_small),
        flat=tuple(names[code] for code in slopes.flat),
        reversed=opposite(within, between),
        sentence="",
    )
    return found, _Slopes(tuple(names[code] for code in slopes.families), family_weights(slopes) * slopes.values)


def _finished(
    found: MetricRegression, p_adjusted: float | None, target: Target, controls: Sequence[str], scale: str
) -> MetricRegression:
    rows = (replace(found.rows[0], p_adjusted=p_adjusted), *found.rows[1:])
    return replace(found, rows=rows, sentence=_sentence(replace(found, rows=rows), target, controls, scale))


def _two_stage_row(metric: str, method: Method, found: TwoStage, per_sd: float | None) -> RegressionRow:
    return RegressionRow(
        metric=metric,
        method=method,
        models=found.n,
        families=found.families,
        estimate=found.estimate,
        per_sd=per_sd,
        standard_error=found.standard_error,
        interval=found.interval,
        p=None if found.flip is None else found.flip.p,
        p_t=found.t_p,
        spread=found.spread,
        positive=found.positive,
        reason=found.reason,
    )


def _deviation(sample: Sample, metric: str, held: Sequence[Vector]) -> float:
    """Standard deviation of a metric within families, given the controls; 0 where nothing is left."""
    codes, count = sample.family_codes, len(sample.family_names)
    within = within_families([sample.column(metric)], held, codes, count)
    freedom = np.maximum(np.bincount(codes, minlength=count) - within.lost, 0)
    squares = family_sums(within.columns[0] ** 2, codes, count)
    varies = ~within.flat[0]
    return float(np.sqrt(squares[varies].sum() / freedom[varies].sum())) if freedom[varies].sum() else 0.0


def _adjusted(
    slopes: Sequence[_Slopes], found: Sequence[MetricRegression], known: Sample, seed: int
) -> list[float | None]:
    """The p of each metric's two-stage slope, adjusted for all of them; None where there is no p."""
    if len(slopes) < 2 or not known.n:
        return [own.rows[0].p for own in found]
    place = {name: index for index, name in enumerate(known.family_names)}
    table = np.full((len(place), len(slopes)), np.nan)
    for column, own in enumerate(slopes):
        if found[column].rows[0].p is not None:
            table[[place[name] for name in own.names], column] = own.products
    draws = min(9_999, max(999, _MOST_NUMBERS // table.size))
    adjusted = max_t_sign_flip(table, generator=np.random.default_rng(seed), draws=draws)
    return [None if np.isnan(p) else float(p) for p in adjusted]


def _sentence(found: MetricRegression, target: Target, controls: Sequence[str], scale: str) -> str:
    row = found.rows[0]
    given = f", given {' and '.join(controls)}," if controls else ""
    if row.estimate is None or row.per_sd is None or row.interval is None:
        only = "only " if (row.reason or "")[:1].isdigit() else ""
        return f"{found.metric}{given or ':'} cannot be judged: {only}{row.reason}."
    p = row.p_adjusted
    # p is of flipped signs, the interval Student's: where they differ, near the edge, nothing is claimed.
    chance = p is None or p > LIKELY_CHANCE or row.interval.low <= 0 <= row.interval.high
    good = (row.estimate > 0) == target.higher_is_better
    ratio = row.per_sd / row.estimate if row.estimate else 0.0
    low, high = (end * ratio for end in (row.interval.low, row.interval.high))
    plain = scale == target.unit
    what = target.score_metric if plain else f"{scale}({target.score_metric})"
    points = {"percent": " percentage points", "fraction": ""}.get(scale, f" {scale}") if plain else ""
    said = (
        f"{found.metric}{given} within {counted(row.families, 'family', 'families')} ({counted(row.models, 'model')}): "
        f"a standard deviation more of it goes with {what} {'higher' if row.per_sd > 0 else 'lower'} by "
        f"{abs(row.per_sd):.3g}{points} (95 %: {low:+.3g} to {high:+.3g}; p {_p(p)}), "
    )
    said += "which may be chance." if chance else f"so {'larger' if good else 'smaller'} is better, beyond chance."
    if found.reversed:
        said += " Between families the sign is the opposite: all models together would mislead (Simpson's paradox)."
    return said


def _p(value: float | None) -> str:
    return "unknown" if value is None else f"= {value:.2g}" if value >= 0.001 else "< 0.001"
