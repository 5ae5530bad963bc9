"""What a regression of a score on metrics comes to, by metric and method."""

from dataclasses import dataclass
from enum import StrEnum

from analysis.samples.sample import Target
from analysis.statistics.records import Interval


class Method(StrEnum):
    """How a slope within (or between) families is estimated."""

    TWO_STAGE = "two-stage slope"
    TAU = "two-stage tau"
    RANDOM = "random slopes"
    FIXED = "fixed effects"
    CORRECTED = "de-attenuated"
    BETWEEN = "between families"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionRow:
    """One estimate. Numbers are None where `reason` says why, or where the method does not give them.

    Attributes:
        metric: The metric.
        method: How it was estimated.
        models: Models that took part.
        families: Families that took part.
        estimate: Slope, in `scale` per unit of the metric; for tau, tau.
        per_sd: Slope, in `scale` per standard deviation of the metric within families (given the controls).
        standard_error: Of the estimate.
        interval: Of the estimate, 95 %.
        p: Two-sided, by flipping the signs of families: of their slopes or taus (two-stage), or of their residuals
            (fixed effects, by the wild cluster bootstrap).
        p_t: Two-sided, by Student's t over families (two-stage).
        p_adjusted: p for the number of metrics that were asked for (two-stage slope; max-T).
        spread: Standard deviation of families' slopes beyond what chance within families gives; of taus, the plain one.
        positive: Share of families with a slope or tau above 0.
        reliability: Share of the metric's variance within families that is no error (de-attenuated).
        reason: Why something is None.
    """

    metric: str
    method: Method
    models: int
    families: int
    estimate: float | None = None
    per_sd: float | None = None
    standard_error: float | None = None
    interval: Interval | None = None
    p: float | None = None
    p_t: float | None = None
    p_adjusted: float | None = None
    spread: float | None = None
    positive: float | None = None
    reliability: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRegression:
    """All estimates for one metric.

    Attributes:
        metric: The metric.
        rows: One a `Method`, in its order.
        missing: Models in families that lack the metric or a control: left out.
        too_small: Families with no residual degree of freedom for a slope.
        flat: Families in which the metric is the same for all, or follows from the controls.
        reversed: Whether within families and between them the signs are opposite and both intervals clear of 0
            (Simpson's paradox); None where one of the two has no interval.
        sentence: What to make of it.
    """

    metric: str
    rows: tuple[RegressionRow, ...]
    missing: int
    too_small: tuple[str, ...]
    flat: tuple[str, ...]
    reversed: bool | None
    sentence: str

    def row(self, method: Method) -> RegressionRow:
        """The estimate by one method."""
        return next(row for row in self.rows if row.method is method)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regressed:
    """Metrics regressed on one score. Signs are those of the score as published.

    Attributes:
        target: The score.
        scale: What slopes count: the score's unit, or `logit`, or `log perplexity`.
        controls: Columns that are held fixed.
        models: Models in a family.
        without_family: Models in none: left out.
        metrics: One a metric, in the order asked for.
    """

    target: Target
    scale: str
    controls: tuple[str, ...]
    models: int
    without_family: int
    metrics: tuple[MetricRegression, ...]

    @property
    def rows(self) -> tuple[RegressionRow, ...]:
        """All estimates, metric by metric."""
        return tuple(row for metric in self.metrics for row in metric.rows)

    @property
    def tests(self) -> int:
        """The p-values that somebody may read, but for the adjusted ones, which are of the same tests."""
        return sum((row.p is not None) + (row.p_t is not None) for row in self.rows)
