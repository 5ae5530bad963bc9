"""What the trained zoo says of each question, judged: within groups, beyond training, without wrong labels, across."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeVar

from analysis.errors import AnalysisError
from analysis.formats import DASH, change, fixed, interval, p_value
from analysis.samples.sample import Sample
from analysis.statistics.left_out import LeftOutError
from analysis.statistics.partial import MeanTau
from analysis.statistics.records import Interval
from analysis.studies.size import LIKELY_CHANCE
from analysis.studies.size_records import FEWEST_FAMILIES, Added, Adds
from catalogs import counted
from setol_zoo.lab.claims.records import Claim, Picture, Table, outcome_of
from setol_zoo.lab.claims.words import listed
from setol_zoo.lab.lab_tables import Tables
from setol_zoo.lab.zoo_figures import draw_networks, draw_taus
from setol_zoo.lab.zoo_sample import METRICS, SET, TRAINING, perfect_fit, true_labels, zoo_sample
from setol_zoo.lab.zoo_study import BEYOND, NORM, Study, study

Row = TypeVar("Row")

JUDGED = ("alpha_mean", "alpha_hat_mean", "erg_delta_mean")
"""The metrics that the theory is about; an outcome is theirs. The others are beside them in every table."""

HELD = {
    "training": "training error and loss",
    "norms": "the two norms",
    "data": "label noise and the share of the data",
    "both": "training and data",
}


def judge_zoo(tables: Tables) -> tuple[tuple[str, ...], tuple[Claim, ...]]:
    """Facts about the zoo, and its questions as claims.

    Args:
        tables: Those of the experiment; they may hold a part of its networks, or none.
    """
    try:
        sample = zoo_sample(tables)
    except AnalysisError as error:
        return (str(error),), ()
    everything = study(sample)
    true = study(sample.where(true_labels(sample)))
    perfect = study(sample.where(perfect_fit(sample)))
    clean = study(sample.where(true_labels(sample) & perfect_fit(sample)))
    of_all = {"all networks": everything, "true labels": true, "no training errors": perfect, "both": clean}
    claims = (
        _within("zoo_within", "Metrics order networks of one group", everything, _pictures(sample, of_all)),
        _within("zoo_true", "Metrics order networks of one group, labels being true", true, ()),
        _beyond("zoo_training", "Metrics add to what training tells", everything),
        _beyond("zoo_labels", "Metrics add to what training tells, labels being true", true),
        _beyond("zoo_perfect", "Metrics tell networks without training errors apart", perfect, alone=True),
        _beyond("zoo_clean", "Metrics tell such networks apart, labels being true", clean, alone=True),
        _across(everything),
    )
    return _facts(tables, sample), claims


def _facts(tables: Tables, sample: Sample) -> tuple[str, ...]:
    diverged = tables.networks["end"].to_pylist().count("diverged")
    error, fit = 100 * sample.score, sample.column("train_error")
    return (
        f"{counted(sample.n, 'trained network')} in {counted(len(sample.family_names), 'group')} of one data set and "
        f"architecture each; {counted(diverged, 'training')} diverged and "
        f"{'is' if diverged == 1 else 'are'} left out.",
        f"Test errors of {error.min():.1f} to {error.max():.1f} percent. {int(true_labels(sample).sum())} networks "
        f"were trained with true labels alone, {int((fit == 0).sum())} get all of their training examples right.",
        "Within a group parameters are constant; batch size, learning rate, weight decay, label noise and the share of "
        "the data vary. Label noise and little data raise the test error by themselves, and move nearly every metric.",
    )


def _within(name: str, title: str, found: Study, pictures: tuple[Picture, ...]) -> Claim:
    tested = {metric: row for metric, row in found.within.items() if row.p is not None}
    judged = [_clear(row.tau.tau, row.p) for _, row in _named(tested, JUDGED)]
    told = [
        f"{metric}: tau {_tau(row.tau)}, p {p_value(row.p)}{_turned(row.tau.tau, row.p)}"
        for metric, row in _named(tested, JUDGED)
    ]
    told += [f"{metric} {_tau(row.tau)}" for metric, row in _named(tested, (*TRAINING, *SET))]
    return Claim(
        name=name,
        title=title,
        claimed="Metrics of the weights alone tell which of two networks has the smaller test error, without any data.",
        rule=f"The mean tau within groups of {listed(JUDGED)} is above 0 (a larger value goes with a larger error), "
        f"and p, as one of {len(METRICS)} metrics, is at most {LIKELY_CHANCE:.2f}.",
        outcome=outcome_of(judged),
        verdict=f"{_networks(found)}. {'; '.join(told)}." if told else "Too few groups to test.",
        missing=() if tested else (_few(found),),
        tables=(_within_table(found),) if found.within else (),
        pictures=pictures,
    )


def _within_table(found: Study) -> Table:
    rows = tuple(
        (
            row.metric,
            str(row.networks),
            _tau(row.tau),
            fixed(row.pooled),
            p_value(row.p),
            _tau(row.over_norm) if row.over_norm else DASH,
        )
        for row in found.within.values()
    )
    return Table(
        f"Kendall's tau of each metric with test error within groups, {_networks(found)}: the mean over groups with "
        "its 95 % interval by bootstrap over groups; over the pairs of all groups together; p, of metrics "
        "adjusted for all of them (max-T), of what training tells and what was set alone; how much stronger than "
        f"{NORM}.",
        ("", "networks", "tau", "pooled", "p", f"stronger than {NORM} by"),
        rows,
    )


def _beyond(name: str, title: str, found: Study, *, alone: bool = False) -> Claim:
    """What metrics add to training; with `alone`, also how they order networks by themselves."""
    rows = found.beyond["training"]
    tested = {metric: row for metric, row in rows.items() if row.verdict is not Adds.TOO_FEW}
    judged = [tested[metric].verdict in (Adds.ADDS, Adds.REVERSED) for metric in JUDGED if metric in tested]
    adding = [metric for metric, row in tested.items() if row.verdict in (Adds.ADDS, Adds.REVERSED)]
    told = [_added(metric, row) for metric, row in _named(tested, JUDGED)]
    others = [_added(metric, tested[metric]) for metric in adding if metric not in JUDGED]
    if alone and tested:
        alone_told = [
            f"{metric} {_tau(row.tau)}, p {p_value(row.p)}{_turned(row.tau.tau, row.p)}"
            for metric, row in _named(found.within, JUDGED)
        ]
        told.append(f"Tau with nothing held fixed: {'; '.join(alone_told)}")
    told += [f"Of the others, these add: {'; '.join(others)}" if others else "None of the others adds"]
    return Claim(
        name=name,
        title=title,
        claimed="Metrics of the weights know something of the test error that training error and training loss do not.",
        rule="The partial tau within groups, training error and loss held fixed, differs from 0 with p at most "
        f"{LIKELY_CHANCE:.2f} as one of {len(METRICS)} metrics, and still does where their squares are held fixed too.",
        outcome=outcome_of(judged),
        verdict=f"{_networks(found)}. {'. '.join(told)}." if tested else "Too few groups to test.",
        missing=() if tested else (_few(found),),
        tables=((_within_table(found),) * alone + (_beyond_table(found),)) if tested else (),
    )


def _beyond_table(found: Study) -> Table:
    rows = []
    for metric in METRICS:
        cells = []
        for held in BEYOND:
            own = found.beyond[held].get(metric)
            cells.append(DASH if own is None else f"{_tau(own.partial)}, p {p_value(own.p_adjusted)}")
        own, slope = found.beyond["training"].get(metric), found.slopes[metric]
        cells.append(DASH if slope.per_sd is None else fixed(100 * slope.per_sd))
        cells.append(DASH if own is None else _change(own.differences))
        rows.append((metric, *cells))
    return Table(
        f"What is left of tau within groups, {_networks(found)}, with something held fixed (95 % interval by bootstrap "
        "over groups; p adjusted for all metrics). Then, training held fixed: by how many percentage points test error "
        "changes with a standard deviation more of the metric; how the squared error of differences within a group "
        "that was left out changes by knowing the metric too.",
        ("", *(f"given {HELD[held]}" for held in BEYOND), "points", "error, group left out"),
        tuple(rows),
    )


def _across(found: Study) -> Claim:
    own = found.across
    tested = {metric: row for metric, row in own.items() if row.p is not None}
    judged = [_clear(row.tau, row.p) for _, row in _named(tested, JUDGED)]
    told = [
        f"{metric}: tau {fixed(row.tau)} over {counted(row.groups, 'group')}, p {p_value(row.p)}"
        f"{_turned(row.tau, row.p)}"
        for metric, row in _named(tested, JUDGED)
    ]
    told += [f"{metric} {fixed(own[metric].tau)}" for metric in ("log10_params", *TRAINING) if metric in own]
    table = Table(
        f"Groups by their means, {_networks(found)}: tau with test error over the pairs of groups of one data set; p "
        "adjusted for all metrics (max-T, permutation within data sets); and how the squared error of the test errors "
        "of a group that was left out changes, with its 95 % interval, by knowing the metric beside data set, "
        "parameters, training error and training loss.",
        ("", "groups", "tau", "p", "error, group left out"),
        tuple(
            (
                metric,
                str(row.groups),
                fixed(row.tau),
                p_value(row.p),
                _change(row.left_out),
            )
            for metric, row in own.items()
        ),
    )
    return Claim(
        name="zoo_across",
        title="Metrics order groups",
        claimed="The metrics compare networks of different architectures too.",
        rule=f"The tau of groups' means within data sets of {listed(JUDGED)} is above 0, with p at most "
        f"{LIKELY_CHANCE:.2f} as one of {len(METRICS)} metrics.",
        outcome=outcome_of(judged),
        verdict="; ".join(told) + "." if told else "Too few groups to test.",
        missing=() if tested else (_few(found),),
        tables=(table,) if tested else (),
    )


def _pictures(sample: Sample, studies: dict[str, Study]) -> tuple[Picture, ...]:
    return (
        Picture(
            "zoo_taus",
            "Tau within groups with test error, as it is and with training error and loss held fixed: means over "
            "groups and 95 % intervals by bootstrap over groups.",
            partial(draw_taus, studies),
        ),
        Picture(
            "zoo_networks",
            "Every network: test error against the mean alpha of its layers, a panel a group.",
            partial(draw_networks, sample),
        ),
    )


def _named(rows: Mapping[str, Row], names: Sequence[str]) -> list[tuple[str, Row]]:
    return [(name, rows[name]) for name in names if name in rows]


def _clear(tau: float | None, p: float | None) -> bool:
    """Whether a larger value goes with a larger error beyond chance."""
    return tau is not None and p is not None and tau > 0 and p <= LIKELY_CHANCE


def _turned(tau: float | None, p: float | None) -> str:
    """Said of a metric whose larger values go with smaller errors beyond chance."""
    return ", the other way round" if tau is not None and _clear(-tau, p) else ""


def _networks(found: Study) -> str:
    return f"{counted(found.sample.n, 'network')} in {counted(len(found.sample.family_names), 'group')}"


def _few(found: Study) -> str:
    return f"{_networks(found)} of 4 or more; {FEWEST_FAMILIES} groups are the fewest that can show anything."


def _tau(found: MeanTau) -> str:
    return f"{fixed(found.tau)} {interval(found.interval)}".strip()


def _added(metric: str, row: Added) -> str:
    return f"{metric}: partial tau {_tau(row.partial)}, p {p_value(row.p_adjusted)}"


def _change(found: LeftOutError) -> str:
    """How the squared error changes, with its interval, in percent."""
    ends = found.interval
    if found.removed is None or ends is None:
        return change(found.removed)
    return f"{change(found.removed)} {interval(Interval(-100 * ends.high, -100 * ends.low, ends.level), 0)}"
