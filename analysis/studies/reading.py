"""What the correlations of one group of models say, in plain words; every word of it follows from the numbers."""

from collections.abc import Sequence

from analysis.statistics.records import FEWEST_TESTED
from analysis.studies.correlation_records import Correlation, Group, Verdict
from analysis.studies.size import BASELINES, LIKELY_CHANCE
from catalogs import counted

_SPELT_OUT = {"log10_params": "the number of parameters", "depth": "depth"}


def reading(group: Group) -> str:
    """Say what one group's correlations are worth."""
    n = max((each.n for each in group.correlations), default=0)
    if n < FEWEST_TESTED:
        return f"Too few models to judge: {n}, and {FEWEST_TESTED} are needed."
    judged = [each for each in group.correlations if each.metric not in BASELINES and each.kendall_p is not None]
    if not judged:
        return _nothing_judged(group, n)
    best = max(judged, key=_strength)
    numbers = _numbers(best, len(judged))
    told = f"{_going(_equals(judged, best))} best with the score of these {best.n} models ({numbers})."
    better = [each for each in judged if each.verdict is Verdict.BETTER]
    if better:
        return f"{told} {_something(group, better)}"
    if any(each.verdict is Verdict.UNRIVALLED for each in judged):
        return f"{told} No baseline varies among them, so size explains none of it, and no metric had it to beat."
    if any(each.verdict is Verdict.UNCOMPARED for each in judged):
        return f"{told} Whether size orders them as well cannot be said: how many parameters they have is unknown."
    if not any(_significant(each) for each in judged):
        nothing = f"No metric is significant at n = {n}."
    else:
        nothing = f"No metric orders the models better than their size at n = {n}."
    if best.verdict is Verdict.CHANCE:
        least = "" if best.smallest_tau is None else f"; {n} models cannot show a tau below {best.smallest_tau:.2f}"
        return f"{nothing} {told} That may be chance, so nothing here speaks for a metric{least}."
    return f"{nothing} {told} {_nothing(group, best, len(_equals(judged, best)))}"


def headline(groups: Sequence[Group]) -> Group | None:
    """The group that is read first: the largest that can be judged; None for none."""
    judged = [group for group in groups if _n(group) >= FEWEST_TESTED]
    return max(judged, key=lambda group: (group.family is not None, _n(group)), default=None)


def _n(group: Group) -> int:
    return max((each.n for each in group.correlations), default=0)


def _nothing_judged(group: Group, n: int) -> str:
    if any(each.verdict is Verdict.UNTESTED for each in group.correlations):
        return f"Not tested, as there are so many families; asked for alone, its {n} models are."
    rivals = _baselines(group)
    if rivals and all(each.metric in BASELINES for each in group.correlations):
        return f"No metric is looked at; {_told(rivals)} is what one has to beat on these {n} models."
    return f"Nothing to correlate: metrics or scores do not vary, or are known for too few of the {n} models."


def _numbers(best: Correlation, looked_at: int) -> str:
    told = f"tau = {best.kendall_tau:.2f}, p = {best.kendall_p:.2g}"
    if looked_at == 1 or best.adjusted_p is None:
        return f"{told}; {counted(looked_at, 'metric was', 'metrics were')} looked at"
    return f"{told}; p = {best.adjusted_p:.2g} as the best of {looked_at} metrics that were looked at"


def _significant(each: Correlation) -> bool:
    p = each.kendall_p if each.adjusted_p is None else each.adjusted_p
    return p is not None and p <= LIKELY_CHANCE


def _nothing(group: Group, best: Correlation, n_best: int) -> str:
    rivals = [each for each in _baselines(group) if _strength(each) >= _strength(best) - 1e-12]
    rivals = rivals or _baselines(group)  # the best metric is known for fewer models than the baselines
    verb = "orders" if len(rivals) == 1 else "order"
    add, it = ("the metric adds", "it") if n_best == 1 else ("the metrics add", "them")
    return (
        f"But {_told(rivals)} {verb} them at least as well, so {add} nothing that the size of the models "
        f"does not already order, and the agreement is no evidence for {it}."
    )


def _something(group: Group, better: Sequence[Correlation]) -> str:
    rivals = _baselines(group)
    order = "One metric orders" if len(better) == 1 else f"{len(better)} metrics order"
    told = f"{order} them better than {_told(rivals) or 'the baselines'}."
    return f"{told} Whether that holds for other models, one family cannot say." if group.family else told


def _baselines(group: Group) -> list[Correlation]:
    return [each for each in group.correlations if each.metric in BASELINES and each.kendall_tau is not None]


def _strength(each: Correlation) -> float:
    return abs(each.kendall_tau or 0.0)


def _equals(judged: Sequence[Correlation], best: Correlation) -> list[str]:
    return [each.metric for each in judged if _strength(each) >= _strength(best) - 1e-12]


def _going(metrics: Sequence[str]) -> str:
    return f"{metrics[0]} goes" if len(metrics) == 1 else f"{', '.join(metrics[:-1])} and {metrics[-1]} go"


def _told(rivals: Sequence[Correlation]) -> str:
    return " and ".join(f"{_SPELT_OUT[each.metric]} (tau = {each.kendall_tau:.2f})" for each in rivals)
