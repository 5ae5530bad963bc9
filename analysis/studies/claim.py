"""Whether what was tested was claimed in advance, and how many tests there were: one quiet line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.opening.results import Results
from analysis.studies.correlation_records import Correlations
from analysis.studies.looks import Look, Selections, note
from analysis.studies.protocol import Chosen, excluded, outcome, protocol, standing
from analysis.studies.size_records import SizeStudy


@dataclass(frozen=True, slots=True)
class Claim:
    """What stands behind the p-values of a look.

    Attributes:
        protocol: Hash of the protocol.
        primary: What its claim came to, None where it was not looked at.
        told: The line.
    """

    protocol: str
    primary: str | None
    told: str


def claim(opened: Results | None, pairs: Sequence[tuple[Correlations, SizeStudy]], look: Look) -> Claim:
    """Note a look at results and say what it is worth.

    Args:
        opened: The results; None for tables, where no look can be noted.
        pairs: What was computed.
        look: What was chosen, with the tests that were made besides; those of the pairs are counted here.
    """
    fixed = protocol()
    tests = look.tests + sum(count_tests(found, study) for found, study in pairs)
    counted = Selections(1, tests, noted=False)
    primary = None
    if opened is not None:
        counted = note(opened.folders, replace(look, tests=tests))
        pretrain = _pretraining(opened)
        for found, study in pairs:
            target = study.target
            chosen = Chosen(
                metric=fixed.column,
                dataset=target.dataset,
                split=target.split,
                score_metric=target.score_metric,
                pretrain=pretrain.get(target.dataset, (None,)),
                family=look.family,
                controls=study.controls,
                exclude=excluded(group.family for group in found.groups),
            )
            row = next((row for row in study.rows if row.metric == fixed.column), None)
            if row is not None and standing(fixed, chosen).primary:
                came_to = outcome(fixed, tau=row.partial.tau, p=row.partial.p, higher_is_better=target.higher_is_better)
                primary = str(came_to)
    first = (
        f"primary claim (protocol {fixed.sha256}: {fixed.column}, {fixed.dataset}): {primary}; all else is exploratory"
        if primary
        else f"exploratory (the primary claim of protocol {fixed.sha256} is another)"
    )
    return Claim(fixed.sha256, primary, f"{first}. {counted}")


def count_tests(found: Correlations, study: SizeStudy) -> int:
    """The p-values that somebody may read, but for the adjusted ones, which are of the same tests."""
    own = sum(each.kendall_p is not None for group in found.groups for each in group.correlations)
    together = sum(each.tau.p is not None for each in found.together)
    against = sum(each.difference is not None and each.difference.p is not None for each in found.together)
    beyond_size = sum(
        p is not None for row in study.rows for p in (row.partial.p, row.bent.p, row.over_size.p, row.matched.p)
    )
    return own + together + against + beyond_size


def _pretraining(opened: Results) -> dict[str, tuple[str | None, ...]]:
    """The classes of pretraining of the models of each data set."""
    rows = opened.rows("SELECT dataset, list(DISTINCT coalesce(pretrain, '')) AS classes FROM scored_models GROUP BY 1")
    return {row["dataset"]: tuple(name or None for name in row["classes"]) for row in rows}
