"""What the report says about published scores: what metrics add to size, and all that is to be read after it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.opening.results import Results
from analysis.samples.missingness import Missingness, missingness
from analysis.samples.sample import Sample, Target
from analysis.samples.samples_from_results import samples_from_results
from analysis.statistics.records import FEWEST_TESTED, Interval
from analysis.studies.claim import Claim, claim
from analysis.studies.correlate import METRICS, correlate
from analysis.studies.correlation_records import Correlation, Correlations, Group
from analysis.studies.looks import Look
from analysis.studies.protocol import protocol
from analysis.studies.reading import reading
from analysis.studies.sensitivity import METRICS as LAYER_METRICS
from analysis.studies.sensitivity import Sensitivity, sensitivity
from analysis.studies.size import BASELINES, size_study
from analysis.studies.size_records import FEWEST_FAMILIES, Added, Adds, SizeStudy
from analysis.studies.size_words import families_tested

if TYPE_CHECKING:
    from analysis.studies.regress import MetricRegression, Regressed, RegressionRow

Row = dict[str, Any]

MOST_SCORES = 8
"""Scores that are judged; of more, those of the largest families, and the one that the primary claim is about."""

_TARGET = ("dataset", "split", "score_metric", "unit", "higher_is_better")
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Read:
    """One family's correlations (None for models without families), and what they say."""

    group: Group
    reading: str

    @property
    def strongest(self) -> Correlation | None:
        """The metric that goes best with the score; None where no metric has a tau."""
        known = [
            each for each in self.group.correlations if each.kendall_tau is not None and each.metric not in BASELINES
        ]
        return max(known, key=lambda each: abs(each.kendall_tau or 0), default=None)

    @property
    def size_tau(self) -> float | None:
        """Tau of the number of parameters with the score."""
        known = (each.kendall_tau for each in self.group.correlations if each.metric == BASELINES[0])
        return next(known, None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedScore:
    """One published score that enough models have.

    Attributes:
        found: Correlations by family and over families.
        size: What metrics add to size.
        regressed: Slopes within families, size held fixed; None where too few families can have one.
        primary: Whether the primary claim is about it, and its test was made.
        groups: Families with enough models to be tested, the largest first.
        n_small: Families with fewer.
        rows: Of `scored_models`, for pictures of single models.
    """

    found: Correlations
    size: SizeStudy
    regressed: "Regressed | None"
    primary: bool
    groups: tuple[Read, ...]
    n_small: int
    rows: tuple[Row, ...]

    @property
    def target(self) -> Target:
        """The score."""
        return self.found.target

    @property
    def families(self) -> int:
        """Families that can say what is added to size."""
        return families_tested(self.size)

    @property
    def asked(self) -> bool:
        """Whether there are enough families to say what is added to size."""
        return self.families >= FEWEST_FAMILIES

    @property
    def added(self) -> tuple[Added, ...]:
        """What each metric adds to size, the strongest first, of those that any model has."""
        return tuple(sorted(_known(self.size), key=lambda row: -abs(row.partial.tau or 0)))

    @property
    def absent(self) -> tuple[str, ...]:
        """The metrics that no model has."""
        return tuple(row.metric for row in self.size.rows if not row.models)

    @property
    def regressions(self) -> tuple["MetricRegression", ...]:
        """The metrics with a two-stage slope, that of the smallest p first."""
        several = () if self.regressed is None else self.regressed.metrics
        known = [each for each in several if each.rows[0].estimate is not None]
        return tuple(sorted(known, key=lambda each: np.inf if (p := each.rows[0].p_adjusted) is None else p))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportStatistics:
    """All about published scores.

    Attributes:
        judged: Scores of enough models, the primary claim's first, then those of the largest families.
        more: Scores of enough models that were not looked at.
        few: Scores of too few models, each with the models of its largest family.
        claim: Whether any of it was claimed in advance, and how many tests were made; None where none were.
        sensitivity: What taus and ranks owe to how layers are averaged.
        missing: What is missing of the metrics.
    """

    judged: tuple[JudgedScore, ...]
    more: tuple[Target, ...]
    few: tuple[tuple[Target, int], ...]
    claim: Claim | None
    sensitivity: Sensitivity
    missing: Missingness


def report_statistics(results: Results) -> ReportStatistics:
    """Compute it, and note the look at the results."""
    samples = sorted(samples_from_results(results, metrics=METRICS), key=_first)
    enough = [each for each in samples if largest_family(each) >= FEWEST_TESTED]
    pictured = results.rows("FROM scored_models ORDER BY family IS NULL, family, params, name, model") if enough else []
    rows: dict[tuple[Any, ...], list[Row]] = {}
    for row in pictured:
        rows.setdefault(tuple(row[name] for name in _TARGET), []).append(row)
    pairs = [(correlate(each, METRICS), size_study(each, METRICS)) for each in enough[:MOST_SCORES]]
    slopes = [_regressed(sample, study) for sample, (_, study) in zip(enough, pairs, strict=False)]
    missing = missingness(results, metrics=LAYER_METRICS, generator=np.random.default_rng(0))
    behind = None
    if pairs:
        tests = sum(each.tests for each in slopes if each) + sum(each.p is not None for each in missing.metrics)
        look = Look(command="report", metrics=METRICS, options={"config": results.config}, tests=tests)
        behind = claim(results, pairs, look)
    return ReportStatistics(
        judged=tuple(
            judged_score(
                found,
                study,
                slope,
                rows.get(tuple(getattr(study.target, name) for name in _TARGET), ()),
                primary=behind is not None and behind.primary is not None and is_primary(study.target),
            )
            for (found, study), slope in zip(pairs, slopes, strict=True)
        ),
        more=tuple(each.target for each in enough[MOST_SCORES:]),
        few=tuple((each.target, n) for each in samples if (n := largest_family(each)) < FEWEST_TESTED),
        claim=behind,
        sensitivity=sensitivity(results),
        missing=missing,
    )


def judged_score(
    found: Correlations,
    study: SizeStudy,
    slopes: "Regressed | None",
    rows: Iterable[Row] = (),
    *,
    primary: bool = False,
) -> JudgedScore:
    """One score, its families in the order in which they are shown."""
    large = sorted((group for group in found.groups if group.n >= FEWEST_TESTED), key=lambda group: -group.n)
    return JudgedScore(
        found=found,
        size=study,
        regressed=slopes,
        primary=primary,
        groups=tuple(Read(group, reading(group)) for group in large),
        n_small=len(found.groups) - len(large),
        rows=tuple(rows),
    )


def verdict(study: SizeStudy) -> str:
    """Whether anything adds to size, in a sentence; for studies with enough families."""
    adding, bent = (_of(study, *kinds) for kinds in ((Adds.ADDS, Adds.REVERSED), (Adds.BENT,)))
    if adding:
        return f"Yes: {_named(adding, study)} {'adds' if len(adding) == 1 else 'add'} to it."
    if bent:
        adds = "adds" if len(bent) == 1 else "add"
        return f"Not shown: {_named(bent, study)} {adds} to a straight line of it, but not to a bent one."
    known = _known(study)
    if len(known) == 1:
        return f"Not seen: {known[0].metric} is not seen to add to it."
    return f"Not seen: none of {len(known)} metrics is seen to add to it."


def per_deviation(row: "RegressionRow") -> Interval | None:
    """The interval of a slope per standard deviation of the metric within families, as `per_sd` is."""
    if row.interval is None or row.per_sd is None or not row.estimate:
        return None
    ratio = row.per_sd / row.estimate
    return Interval(row.interval.low * ratio, row.interval.high * ratio, row.interval.level)


def largest_family(sample: Sample) -> int:
    """Models of the largest family; all models where there are no families."""
    codes = sample.family_codes
    return int(np.bincount(codes[codes >= 0]).max()) if sample.family_names else sample.n


def is_primary(target: Target) -> bool:
    """Whether the primary claim is about this score."""
    fixed = protocol()
    return (target.dataset, target.split, target.score_metric) == (fixed.dataset, fixed.split, fixed.score_metric)


def _first(sample: Sample) -> tuple[bool, int, str]:
    return not is_primary(sample.target), -largest_family(sample), sample.target.dataset


def _regressed(sample: Sample, study: SizeStudy) -> "Regressed | None":
    """Slopes with size held fixed, where enough families can have one."""
    if families_tested(study) < FEWEST_TESTED:
        return None
    from analysis.studies.regress import regress  # takes statsmodels, which takes a second

    return regress(sample, METRICS, controls=study.controls)


def _known(study: SizeStudy) -> list[Added]:
    return [row for row in study.rows if row.models]


def _of(study: SizeStudy, *kinds: Adds) -> list[str]:
    rows = sorted(study.rows, key=lambda row: -abs(row.partial.tau or 0))
    return [row.metric for row in rows if row.verdict in kinds]


def _named(metrics: Sequence[str], study: SizeStudy) -> str:
    if len(metrics) == 1:
        return metrics[0]
    if len(metrics) <= _NAMED:
        return f"{', '.join(metrics[:-1])} and {metrics[-1]}"
    return f"{len(metrics)} of {len(_known(study))} metrics"
