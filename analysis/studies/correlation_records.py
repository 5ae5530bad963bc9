"""What is found about one score: per metric and family, and over families."""

from dataclasses import dataclass
from enum import StrEnum

from analysis.samples.sample import Target
from analysis.statistics.partial import MeanTau
from analysis.statistics.records import Interval


class Verdict(StrEnum):
    """What a correlation is worth, judged in this order."""

    TOO_FEW = "too few to judge"
    UNTESTED = "not tested"
    CONSTANT = "the same for all"
    BASELINE = "baseline"
    NO_MORE = "no better than a baseline"
    CHANCE = "may be chance"
    UNCOMPARED = "not chance, but size is unknown"
    UNRIVALLED = "orders them; no baseline varies"
    BETTER = "better than the baselines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """One metric against one published score in one group of models.

    Signs are those of the metric against the score as it was published: for an error, a metric that is small for
    good models has a positive tau; for an accuracy, a negative one.

    Attributes:
        metric: Its column.
        n: Models that have it.
        kendall_tau: Kendall's tau-b, from 4 models, as are Pearson's r, R2, RMSE and the line.
        kendall_p: Its two-sided p for no association, of this metric alone, from 5 models.
        test: Where that is from: `exact`, `permutation` or `normal`.
        adjusted_p: The p adjusted for all metrics of the group (max-T permutation); None for baselines.
        tau_interval: The 95 % interval of tau, from 8 models.
        smallest_tau: The smallest |tau| that so many models can tell from chance.
        ceiling_tau: The tau that a perfect metric could be expected to reach, as scores have errors.
        spearman_rho: Spearman's rank correlation.
        pearson_r: The correlation.
        r_squared: Share of the scores' variance on the least-squares line.
        r_squared_interval: Its 95 % interval, from 8 models.
        rmse: Root of the mean (over n) squared distance of scores from that line, in the score's unit.
        slope: Of the line of the score on the metric.
        intercept: Of that line, in the score's unit.
        verdict: What to make of it.
    """

    metric: str
    n: int
    kendall_tau: float | None = None
    kendall_p: float | None = None
    test: str | None = None
    adjusted_p: float | None = None
    tau_interval: Interval | None = None
    smallest_tau: float | None = None
    ceiling_tau: float | None = None
    spearman_rho: float | None = None
    pearson_r: float | None = None
    r_squared: float | None = None
    r_squared_interval: Interval | None = None
    rmse: float | None = None
    slope: float | None = None
    intercept: float | None = None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The models of one family, or those of a sample without families.

    Attributes:
        family: Its name, None where there are no families.
        n: Models.
        correlations: The metrics in the order asked for, then the baselines.
    """

    family: str | None
    n: int
    correlations: tuple[Correlation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """One metric over all families that can be described, each counted once.

    Attributes:
        metric: Its column.
        n: Models of these families.
        tau: Mean of the families' taus, its interval by bootstrap over families and its p by flipping their signs.
        adjusted_p: The p adjusted for all metrics of the table (max-T over families); None for baselines.
        r_squared: Mean of the families' R2. Positive for a metric of no worth too: 1 / (n - 1) in a family of n.
        rmse: Mean of the families' RMSE, in the score's unit.
        difference: How much stronger its tau is than that of the metric it is set against; None for none.
    """

    metric: str
    n: int
    tau: MeanTau
    adjusted_p: float | None
    r_squared: float | None
    rmse: float | None
    difference: MeanTau | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlations:
    """All about one score.

    Attributes:
        target: The score.
        n: Models that have it.
        n_without_family: Models of no family where others have one: left out.
        groups: The families by name; one nameless group where there are none.
        together: Over families, where there are several; empty otherwise.
        against: The metric that the others are set against, if any.
    """

    target: Target
    n: int
    n_without_family: int
    groups: tuple[Group, ...]
    together: tuple[Together, ...]
    against: str | None = None
