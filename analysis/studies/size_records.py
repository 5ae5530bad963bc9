"""What a study of size finds: records for tables, reports and JSON."""

from dataclasses import dataclass
from enum import StrEnum

from analysis.samples.sample import Target
from analysis.statistics.left_out import LeftOutError
from analysis.statistics.matched import MatchedPairs
from analysis.statistics.partial import MeanTau

FEWEST_FAMILIES = 6
"""Families below which no order can be told from chance at 5 %: flipping 5 signs gives no p below 2/32 = .06."""


class Adds(StrEnum):
    """What a metric adds to size, in the order of importance."""

    ADDS = "adds to size"
    REVERSED = "adds to size, with the sign turned round"
    BENT = "adds to a straight line of size, not shown to add to a bent one"
    SIZE = "no more than size"
    NOTHING = "not seen to add anything"
    TOO_FEW = "too few families to say"


@dataclass(frozen=True, slots=True)
class FamilyLeftOut:
    """A family that a partial tau could not be had of.

    Attributes:
        family: Its name.
        models: Its models that have metric and controls.
        too_small: Whether they are too few; else the metric or the score does not vary.
        reason: Why it is left out.
    """

    family: str
    models: int
    too_small: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What one metric adds to the controls.

    Attributes:
        metric: Its name.
        models: Models that have a family, the metric and all controls: those of all numbers below but `matched`.
        missing: Models that have a family and all controls but not the metric: left out.
        raw: Tau within families with nothing held fixed, of families of 4 models or more.
        partial: Tau within families with the controls held fixed, of families with 3 residual degrees of freedom.
        p_adjusted: The p of `partial`, adjusted for all metrics of the table (max-T).
        bent: The same as `partial` with the squares of the controls held fixed too: what is left when both score and
            metric may bend with size.
        over_size: How much stronger the raw tau is than that of the first control, signs apart, in -2..2.
        differences: Error of differences within unseen families, with and without the metric.
        scores: Error of the scores of unseen families.
        matched: Pairs of one architecture and size; of models that have the metric and log10_params.
        left_out: Families without a partial tau.
        verdict: What to make of it.
    """

    metric: str
    models: int
    missing: int
    raw: MeanTau
    partial: MeanTau
    p_adjusted: float | None
    bent: MeanTau
    over_size: MeanTau
    differences: LeftOutError
    scores: LeftOutError
    matched: MatchedPairs
    left_out: tuple[FamilyLeftOut, ...]
    verdict: Adds


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a control says alone.

    Attributes:
        name: The control.
        models: Models that have a family and it.
        tau: Its own tau with the score within families of 4 models or more.
    """

    name: str
    models: int
    tau: MeanTau


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeStudy:
    """What metrics add to size on one score. Signs are those of the score as it was published.

    Attributes:
        target: The score.
        controls: What is held fixed.
        models: Models with a family and all controls.
        without_family: Models that are in no family: left out of all but matched pairs.
        without_controls: Models in a family that lack a control: left out.
        families: Families of `models`.
        baselines: The controls alone.
        rows: One a metric, in the order asked for; none where `models` is 0.
        sentence: The verdict in words, the most important first.
    """

    target: Target
    controls: tuple[str, ...]
    models: int
    without_family: int
    without_controls: int
    families: int
    baselines: tuple[Baseline, ...]
    rows: tuple[Added, ...]
    sentence: str
