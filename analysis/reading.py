"""What the correlations of one group of models say, in plain words; every word of it follows from the numbers."""

from collections.abc import Sequence

from analysis.correlate import BASELINES, FEWEST, FEWEST_ADDED, LIKELY_CHANCE, Correlation, Verdict
from catalogs import counted

_SPELT_OUT = {"log10_params": "the number of parameters", "depth": "depth"}


def reading(group: Sequence[Correlation]) -> str:
    """Say what one group's correlations are worth.

    Args:
        group: All correlations of one dataset, score and family, baselines included, as `correlate` gives them.
    """
    n = max(each.n for each in group)
    if n < FEWEST:
        return f"Too few models to judge: {n}, and {FEWEST} are needed."
    judged = [each for each in group if each.metric not in BASELINES and each.kendall_tau is not None]
    if not judged:
        return f"Nothing to correlate: metrics or scores do not vary, or are known for too few of the {n} models."
    best = max(judged, key=_strength)
    looked_at = counted(len(judged), "metric was", "metrics were")
    told = f"{_going(_equals(judged, best))} best with the score of these {best.n} models"
    told += f" (tau = {best.kendall_tau:.2f}, p = {best.kendall_p:.2g}; {looked_at} looked at)."
    better = [each for each in judged if each.verdict is Verdict.BETTER]
    if better:
        return f"{told} {_something(group, better)}{_after_looking(judged, better)}"
    if not any(_significant(each) for each in judged):
        nothing = f"No metric is significant at n = {n}."
    else:
        nothing = f"No metric orders the models better than their size at n = {n}."
    if best.verdict is Verdict.CHANCE:
        return f"{nothing} {told} That may be chance, so nothing here speaks for a metric."
    return f"{nothing} {told} {_nothing(group, best, len(_equals(judged, best)))}"


def headline(groups: Sequence[Sequence[Correlation]]) -> Sequence[Correlation] | None:
    """The group that is read first: the largest family that can be judged, or else the largest group; None for none."""
    judged = [group for group in groups if group and max(each.n for each in group) >= FEWEST]
    return max(judged, key=lambda group: (group[0].family is not None, max(each.n for each in group)), default=None)


def _significant(each: Correlation) -> bool:
    return each.kendall_p is not None and each.kendall_p <= LIKELY_CHANCE


def _after_looking(judged: Sequence[Correlation], better: Sequence[Correlation]) -> str:
    """What is left of the smallest p where so many metrics were looked at, if that is chance (Bonferroni's bound)."""
    p = min(each.kendall_p or 0.0 for each in better) * len(judged)
    if p <= LIKELY_CHANCE:
        return ""
    n = len(judged)
    return f" With {n} metrics looked at, such a p may be chance (times {n}: {min(p, 1):.2g})."


def _nothing(group: Sequence[Correlation], best: Correlation, n_best: int) -> str:
    rivals = [each for each in _baselines(group) if _strength(each) >= _strength(best) - 1e-12]
    rivals = rivals or _baselines(group)  # the best metric is known for fewer models than the baselines
    verb = "orders" if len(rivals) == 1 else "order"
    add, it = ("the metric adds", "it") if n_best == 1 else ("the metrics add", "them")
    return (
        f"But {_told(rivals)} {verb} them at least as well, so {add} nothing that the size of the models "
        f"does not already order, and the agreement is no evidence for {it}."
    )


def _something(group: Sequence[Correlation], better: Sequence[Correlation]) -> str:
    rivals = _baselines(group)
    order = "One metric orders" if len(better) == 1 else f"{len(better)} metrics order"
    told = f"{order} them better than {_told(rivals) if rivals else 'depth and parameters, which do not vary'}."
    added = [each.added for each in better if each.added is not None]
    if not added:
        return f"{told} Whether that holds for other models, fewer than {FEWEST_ADDED} models cannot say."
    if max(added) <= 0:
        return f"{told} But added to depth and parameters, none makes better predictions of a model left out."
    best = max(better, key=lambda each: each.added or 0)
    saved = f"{100 * max(added):.0f} %"
    return f"{told} Added to depth and parameters, {best.metric} takes {saved} off the leave-one-out error."


def _baselines(group: Sequence[Correlation]) -> list[Correlation]:
    return [each for each in group if each.metric in BASELINES and each.kendall_tau is not None]


def _strength(each: Correlation) -> float:
    return abs(each.kendall_tau or 0.0)


def _equals(judged: Sequence[Correlation], best: Correlation) -> list[str]:
    return [each.metric for each in judged if _strength(each) >= _strength(best) - 1e-12]


def _going(metrics: Sequence[str]) -> str:
    return f"{metrics[0]} goes" if len(metrics) == 1 else f"{', '.join(metrics[:-1])} and {metrics[-1]} go"


def _told(rivals: Sequence[Correlation]) -> str:
    return " and ".join(f"{_SPELT_OUT[each.metric]} (tau = {each.kendall_tau:.2f})" for each in rivals)
