"""The verdict of a study of size, in words."""

from collections import Counter
from collections.abc import Sequence

from analysis.studies.size_records import FEWEST_FAMILIES, Added, Adds, Baseline, SizeStudy


def sentence(rows: Sequence[Added], baselines: Sequence[Baseline], nothing: str | None) -> str:
    """What a study found, the most important first.

    Args:
        rows: One a metric.
        baselines: The controls.
        nothing: Why nothing can be said, as the end of a sentence; None where there are models to study.
    """
    if nothing:
        return f"What the metrics add to size cannot be said: {nothing}."
    held = " and ".join("size" if one.name == "log10_params" else one.name for one in baselines)
    said = [_said(verdict, held, [row for row in rows if row.verdict is verdict]) for verdict in Adds]
    alone = [
        f"{one.name} alone has tau {one.tau.tau:+.2f} within {_count(one.tau.families, 'family', 'families')}."
        for one in baselines
        if one.tau.tau is not None
    ]
    if not alone and not any(said):
        return f"{held[:1].upper()}{held[1:]} alone orders nothing: it is the same for all models of a family."
    return " ".join([*filter(None, said), *alone])


def families_tested(study: SizeStudy) -> int:
    """Families that can say what is added to size."""
    return max((row.partial.families for row in study.rows), default=0)


def brief(study: SizeStudy) -> str:
    """The study's sentence, but without all metrics by name where nothing can be said of any."""
    families = families_tested(study)
    if not study.rows or families >= FEWEST_FAMILIES:
        return study.sentence
    enough = _count(families, "family has", "families have")
    return (
        f"That takes {FEWEST_FAMILIES} families of at least 5 models that have size and metric, in which metric and "
        f"score vary; {enough} them here{_why_left_out(study)}."
    )


def _why_left_out(study: SizeStudy) -> str:
    """The commonest reason of the families that the best of the metrics has no partial tau of."""
    best = max(study.rows, key=lambda row: row.partial.families)
    reasons = Counter("too few models" if one.too_small else one.reason for one in best.left_out)
    if not reasons:
        return ""
    reason, number = reasons.most_common(1)[0]
    return f" (not in {number}: {reason})"


def _said(verdict: Adds, held: str, rows: Sequence[Added]) -> str:
    if not rows:
        return ""
    names = ", ".join(row.metric for row in rows)
    match verdict:
        case Adds.ADDS:
            return f"Beyond {held}, within families: {'; '.join(_effect(row) for row in rows)}."
        case Adds.REVERSED:
            return f"Beyond {held}, but the other way round than at first sight: {'; '.join(map(_effect, rows))}."
        case Adds.BENT:
            return (
                f"Beyond a straight line of {held}, but not shown beyond a bent one, which both score and metric may "
                f"follow: {'; '.join(map(_effect, rows))}."
            )
        case Adds.SIZE:
            return f"No more than {held} is seen in {names}{_could(rows)}."
        case Adds.NOTHING:
            return f"Not seen to add anything to {held}: {names}{_could(rows)}."
        case Adds.TOO_FEW:
            most = max(row.partial.families for row in rows)
            return (
                f"What {names} add{'s' if len(rows) == 1 else ''} to {held} cannot be said with "
                f"{_count(most, 'family', 'families')} that can be tested; {FEWEST_FAMILIES} are the fewest that can "
                f"show anything at 5 %."
            )


def _effect(row: Added) -> str:
    interval = row.partial.interval
    ends = "" if interval is None else f" [{interval.low:+.2f}, {interval.high:+.2f}]"
    told = f"{row.metric} (partial tau {row.partial.tau:+.2f}{ends} over {row.partial.families} families"
    removed = row.differences.removed
    if removed is None:
        return f"{told})"
    sure = row.differences.interval is not None and row.differences.interval.low > 0
    if removed <= 0:
        return f"{told}, yet differences within unseen families are not predicted better)"
    hedge = "" if sure else ", which may be chance"
    return f"{told}; {removed:.0%} of the squared error within unseen families goes away{hedge})"


def _could(rows: Sequence[Added]) -> str:
    """The smallest effect that would have been seen."""
    found = [row.partial.detectable for row in rows if row.partial.detectable is not None]
    if not found:
        return ""
    low, high = f"{min(found):.2f}", f"{max(found):.2f}"
    span = low if low == high else f"{low} to {high}"
    return f" (one tested alone would have been found four times in five at a partial tau of {span})"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
