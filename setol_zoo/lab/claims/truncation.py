"""Cut to its ECS a network errs no more than before; cut to its tails it does, the less the stronger the training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from analysis.drawing.style import COLOURS, MARKERS
from analysis.formats import fixed
from catalogs import counted
from setol_zoo.lab.claims.by_setting import Beside, deviation, spreads
from setol_zoo.lab.claims.drawing import Line, Panel, draw_panels, marks
from setol_zoo.lab.claims.evidence import Evidence, Sweep, lacking, whole
from setol_zoo.lab.claims.published import published
from setol_zoo.lab.claims.records import PUBLISHED, Claim, Outcome, Picture, Table, outcome_of, table_of
from setol_zoo.lab.claims.spread import ranks, spread
from setol_zoo.lab.claims.words import measured, percent, percent_of, ranked, sentences

_CUTS = {"ecs": "ECS", "tail": "tail"}
_PARTS = ("train", "test")

_FREE = 0.001
"""A change of the test error, as a fraction, that counts as none: twice what the figures of the paper resolve."""

_EARLY = (1, 3)
"""Epochs in which the paper's ECS truncation lowers the train error."""


def judge(found: Evidence) -> Claim:
    """Judge it from the last epochs of networks of which all layers learned."""
    found = _with_changes(found.where("all"))
    cut = found.last_networks.dropna(subset=["ecs_test", "tail_test"])
    sweeps = found.sweeps() if len(cut) else ()
    judged, told = [], []
    if len(cut):
        free = spread(cut["ecs_test"])
        worst = cut.loc[cut["ecs_test"].abs().idxmax()]
        held = [spreads(found, sweep, cut, "ecs_test") for sweep in whole(sweeps)]
        if held:
            judged.append(all(abs(each.mean) <= _FREE for by_value in held for each in by_value.values()))
        told.append(
            f"Cutting all hidden layers to their ECS changes the test error by {measured(free, 3, scale=100)} "
            f"percentage points ({_of(len(cut))}), most by "
            f"{fixed(100 * worst['ecs_test'], 2)} at learning rate {worst['learning_rate']:g}, batch size "
            f"{worst['batch_size']:g}"
        )
    for sweep in sweeps:
        rows = found.of(sweep, cut)
        strength = rows[sweep.column] * (-1 if sweep.column == "batch_size" else 1)
        link, by_value = ranks(strength, rows["tail_test"]), spreads(found, sweep, rows, "tail_test")
        ends = [by_value[value] for value in (sweep.values[0], sweep.values[-1]) if value in by_value]
        if link and len(ends) == 2:
            judged += [link.falls] if sweep.lacks is None else []
            told.append(
                f"Cutting to the tails adds {' and '.join(measured(each, 2, scale=100) for each in ends)} percentage "
                f"points at {sweep.title} {sweep.values[0]:g} and {sweep.values[-1]:g} ({ranked(link)})"
            )
    told += _apart(found, sweeps)
    told += _early(found)
    told += _held_out(found, sweeps)
    return Claim(
        name="truncation",
        title="What truncation costs",
        claimed="The effective correlation space (ECS) holds what a layer has learned: with every layer cut to it, "
        "but the output, the test error stays. Cut to the power-law tail it rises by 0.65 percentage points where "
        "alpha is large, and by 0.05 where alpha is 2, where tail and ECS are the same.",
        rule=f"The mean change of the test error by cutting to the ECS is at most {100 * _FREE:g} percentage points "
        "at every setting; that by cutting to the tails falls with the strength of training (Spearman's interval "
        "below 0) in every sweep.",
        outcome=outcome_of(judged) if len(cut) else Outcome.OPEN,
        verdict=sentences(told) or "No network was truncated.",
        missing=lacking(sweeps) if len(cut) else ("No truncated network with all layers trained.",),
        tables=tuple(_table(found, sweep) for sweep in sweeps),
        pictures=(_picture(found, sweeps),) if sweeps else (),
    )


def _of(n: int) -> str:
    return "1 network" if n == 1 else f"mean ± standard deviation over {n} networks"


def _with_changes(found: Evidence) -> Evidence:
    """With a column `ecs_test` and the like: error of the truncated network minus that of the full one."""
    rows: pd.DataFrame = found.networks.copy()
    for cut in _CUTS:
        for part in _PARTS:
            rows[f"{cut}_{part}"] = rows[f"{cut}_{part}_error"].astype(float) - rows[f"{part}_error"].astype(float)
    return replace(found, networks=rows)


def _apart(found: Evidence, sweeps: Sequence[Sweep]) -> list[str]:
    """How far the added test errors lie from the published."""
    told = []
    for cut, words in _CUTS.items():
        compared = [
            Beside(sweep, value, each, _told(found, sweep, value, f"{cut}_test"))
            for sweep in sweeps
            for value, each in spreads(found, sweep, found.last_networks, f"{cut}_test").items()
        ]
        if far := deviation(compared):
            worst = far.worst
            told.append(
                f"What cutting to the {words} adds is {percent_of(far.mean)} points from the published on average "
                f"over {counted(far.n, 'setting')}, most at {worst.setting}: {percent(worst.ours)} against "
                f"{percent_of(worst.published)}"
            )
    return told


def _early(found: Evidence) -> list[str]:
    low, high = _EARLY
    rows = found.networks[found.networks["epoch"].between(low, high)].dropna(subset=["ecs_train"])
    change = spread(rows["ecs_train"])
    if change is None:
        return []
    known = " (published: −0.4 to −0.6)" if found.comparable else ""
    return [
        f"In epochs {low} to {high} cutting to the ECS changes the train error by {measured(change, 2, scale=100)} "
        f"percentage points{known}"
    ]


def _held_out(found: Evidence, sweeps: Sequence[Sweep]) -> list[str]:
    """Whether the published train errors after the ECS cut are those of all examples, the held-out ones among them."""
    sweep = next((each for each in sweeps if each.column == "learning_rate"), None)
    if sweep is None:
        return []
    share = float(found.networks["held_out"].iloc[0])
    ours = spreads(found, sweep, found.last_networks, "ecs_train")
    known = [
        (each.mean, added, share * error)
        for value, each in ours.items()
        if (added := _told(found, sweep, value, "ecs_train")) is not None
        and (error := found.told(sweep, value, "test_error")) is not None
    ]
    if not known:
        return []
    own, theirs, held = zip(*known, strict=True)
    apart = max(abs(first - second) for first, second in zip(theirs, held, strict=True))
    return [
        f"To the train error the ECS cut adds {percent_of(min(own))} to {percent_of(max(own))} points here, and "
        f"{percent_of(min(theirs))} to {percent_of(max(theirs))} in the paper: within {percent_of(apart)} points of "
        f"{100 * share:g} % of its test errors, which is what the held-out {100 * share:g} % of the training examples "
        "would add if they were counted"
    ]


def _told(found: Evidence, sweep: Sweep, value: float, name: str) -> float | None:
    own = published()
    same = found.comparable and sweep.column == "learning_rate" and sweep.fixed == own.batch_size
    return own.truncation(value, name) if same else None


def _table(found: Evidence, sweep: Sweep) -> Table:
    names = [f"{cut}_{part}" for cut in _CUTS for part in _PARTS]
    by_name = {name: spreads(found, sweep, found.last_networks, name) for name in names}
    header = [sweep.title, "seeds"]
    for words in _CUTS.values():
        for part in _PARTS:
            header += [f"{words}, {part}", PUBLISHED]
    rows = []
    for value in sweep.values:
        here = {name: by_name[name].get(value) for name in names}
        cells = [f"{value:g}", str(max((each.n for each in here.values() if each), default=0))]
        for name in names:
            told = _told(found, sweep, value, name)
            cells.append(measured(here[name], 2, scale=100))
            cells.append(percent_of(told))
        rows.append(tuple(cells))
    caption = (
        "Error of the truncated network minus that of the full one, in percentage points, last epoch, "
        f"{found.means}, {sweep.at}."
    )
    return table_of(caption, header, rows)


def _picture(found: Evidence, sweeps: tuple[Sweep, ...]) -> Picture:
    def lines(part: str, sweep: Sweep) -> list[Line]:
        told = []
        for place, (cut, words) in enumerate(_CUTS.items()):
            ours = spreads(found, sweep, found.last_networks, f"{cut}_{part}")
            theirs = {value: _told(found, sweep, value, f"{cut}_{part}") for value in sweep.values}
            known: Mapping[float, float] = {value: 100 * each for value, each in theirs.items() if each is not None}
            look = (COLOURS[(2, 1)[place]], MARKERS[place])
            told.append(
                Line(f"cut to the {words}", *look, {value: each.times(100) for value, each in ours.items()}, known)
            )
        return told

    titles = {"train": "added train error (points)", "test": "added test error (points)"}
    panels = [Panel(title, partial(lines, part), level=0) for part, title in titles.items()]
    return Picture(
        "truncation",
        "Errors that truncation adds, in percentage points, at the end of training: all hidden layers cut at once."
        f"{marks(sweeps, panels, 'published, for the learning rates')}",
        partial(draw_panels, sweeps, panels),
    )
