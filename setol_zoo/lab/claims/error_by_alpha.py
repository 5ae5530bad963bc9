"""Test error is least near alpha 2.4, and rises when alpha passes 2."""

from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from analysis.drawing.style import COLOURS, DASHED, INK, MARKERS, new_figure, shared_legend
from analysis.formats import fixed
from setol_zoo.lab.claims.by_setting import beside, deviation, spreads
from setol_zoo.lab.claims.evidence import Evidence, Sweep, lacking
from setol_zoo.lab.claims.published import published
from setol_zoo.lab.claims.records import Claim, Outcome, Picture, Table, outcome_of, table_of
from setol_zoo.lab.claims.spread import Spread, spread
from setol_zoo.lab.claims.words import between, measured, percent, percent_of, sentences, signed

_LONGER = 0.25
"""Share of the published epochs by which ours have to exceed them to be looked at then."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a sweep has its least test error, and what it is where alpha has passed 2.

    Attributes:
        sweep: Which.
        best: The value with the least mean test error.
        error: Test error there.
        alpha: Of fc1 there.
        beyond: Values at which fc1's mean alpha is below 2.
        rise: Test error at the last of these minus that at the best, seed by seed; None where there is none.
    """

    sweep: Sweep
    best: float
    error: Spread
    alpha: Spread
    beyond: tuple[float, ...]
    rise: Spread | None

    @property
    def judged(self) -> tuple[bool, ...]:
        """Whether the least error is at 2 or above, and, where alpha passes 2, whether the error rises then."""
        least = self.alpha.mean >= 2
        rises = self.rise is not None and self.rise.interval is not None and self.rise.interval.low > 0
        return (least, rises) if self.beyond else (least,)


def judge(found: Evidence) -> Claim:
    """Judge it from the last epochs of networks of which all layers learned."""
    found = found.where("all")
    turns = [turn for sweep in found.sweeps() if (turn := _turn(found, sweep))]
    whole = [turn for turn in turns if turn.sweep.lacks is None]
    told = []
    for turn in turns:
        told.append(
            f"Over the {turn.sweep.title} test error is least at {turn.best:g}: {percent(turn.error)} % "
            f"({_n(turn.error)}), where fc1's alpha is {measured(turn.alpha)}{_as_published(found, turn.sweep)}"
        )
        if not turn.beyond:
            told.append("no setting of this sweep has a mean alpha below 2")
        elif turn.rise:
            told.append(
                f"at {turn.beyond[-1]:g}, with alpha below 2, it differs from that by "
                f"{signed(100 * turn.rise.mean)}{between(turn.rise.interval, scale=100)} percentage points"
            )
        else:
            told.append("its least is where alpha has passed 2")
    passed = any(turn.beyond for turn in whole)
    compared = [
        each for turn in turns for each in beside(found, turn.sweep, found.last_networks, "test_error", "test_error")
    ]
    if far := deviation(compared):
        told.append(
            f"Test error is {percent_of(far.mean)} percentage points from the published on average over {far.n} "
            f"settings, at most {percent_of(abs(far.worst.off or 0))} ({far.worst.setting}); the interval of our mean "
            f"holds the published value at {far.held} of {far.intervals}"
        )
    told += [sentence for turn in turns for sentence in _at_their_end(found, turn.sweep)]
    return Claim(
        name="error_by_alpha",
        title="Test error against alpha",
        claimed="Test error falls as alpha falls, is least just above 2 (1.64 % at alpha 2.47), and rises when alpha "
        "passes 2 (1.8 to 2.0 % at alpha 1.95).",
        rule="In every sweep the least test error is at a setting whose alpha of fc1 is 2 or above, and where alpha "
        "is below 2 it is higher by more than its interval. Open where no setting has alpha below 2.",
        outcome=outcome_of([part for turn in whole for part in turn.judged]) if passed else Outcome.OPEN,
        verdict=sentences(told) or "No sweep to look at.",
        missing=(*lacking([turn.sweep for turn in turns]), *(_NOT_PASSED if whole and not passed else ())),
        tables=tuple(_table(found, turn.sweep) for turn in turns),
        pictures=(
            Picture("error_by_alpha", _caption(found, turns), partial(_draw, found, [turn.sweep for turn in turns])),
        )
        if turns
        else (),
    )


_NOT_PASSED = ("No setting has a mean alpha of fc1 below 2.",)


def _caption(found: Evidence, turns: list[Turn]) -> str:
    told = any(_as_published(found, turn.sweep) for turn in turns)
    setting = "a small mark a network, a large one a setting (mean over seeds)"
    return (
        f"Test error against alpha of fc1 at the last epoch: "
        f"{setting if found.networks['seed'].nunique() > 1 else 'a mark a network'}, joined from weak training "
        f"(right) to strong (left).{' Hollow: published.' if told else ''}"
    )


def _turn(found: Evidence, sweep: Sweep) -> Turn | None:
    rows, layers = found.last_networks, found.last_layers
    errors = spreads(found, sweep, rows, "test_error")
    alphas = spreads(found, sweep, layers[layers["layer"] == "fc1"], "alpha")
    both = [value for value in sweep.values if value in errors and value in alphas]
    if len(both) < 2:
        return None
    best = min(both, key=lambda value: errors[value].mean)
    beyond = tuple(value for value in both if alphas[value].mean < 2)
    rise = None
    if beyond and beyond[-1] != best:
        rise = by_seed(found.at(sweep, beyond[-1], rows), found.at(sweep, best, rows), "test_error")
    return Turn(sweep, best, errors[best], alphas[best], beyond, rise)


def by_seed(rows: pd.DataFrame, others: pd.DataFrame, column: str) -> Spread | None:
    """How much larger a column is in some networks than in others of the same seeds."""
    first, second = (each.drop_duplicates("seed").set_index("seed")[column] for each in (rows, others))
    return spread((first - second).dropna())


def _at_their_end(found: Evidence, sweep: Sweep) -> list[str]:
    """Where the published runs ended clearly before ours: what ours were like then."""
    epochs, told = spreads(found, sweep, found.last_networks, "epoch"), []
    for value, ours in epochs.items():
        theirs = found.told(sweep, value, "epochs")
        if theirs is None or ours.mean - theirs < _LONGER * theirs:
            continue
        rows = found.at(sweep, value, found.layer("fc1"))
        then = rows[rows["epoch"] == round(theirs)]
        if len(then):
            told.append(
                f"At {sweep.title} {value:g} ours learned for {fixed(ours.mean, 0)} epochs, the published for "
                f"{fixed(theirs, 0)}: at that epoch ours had a test error of {percent(spread(then['test_error']))} %, "
                f"a train error of {percent(spread(then['train_error']))} % (published "
                f"{percent_of(found.told(sweep, value, 'train_error'))} %) and alpha {measured(spread(then['alpha']))}"
            )
    return told


def _n(found: Spread) -> str:
    return "1 seed" if found.n == 1 else f"{found.n} seeds"


def _as_published(found: Evidence, sweep: Sweep) -> str:
    own = published()
    if not found.comparable or sweep.fixed != getattr(own, sweep.other):
        return ""
    best = min(own.numbers["sweep"][sweep.column], key=lambda row: row["test_error"])
    return f" (published: {percent_of(best['test_error'])} % at {best['value']:g}, alpha {fixed(best['alpha_fc1'])})"


def _table(found: Evidence, sweep: Sweep) -> Table:
    rows, layers = found.last_networks, found.last_layers
    alphas = spreads(found, sweep, layers[layers["layer"] == "fc1"], "alpha")
    columns = {name: spreads(found, sweep, rows, name) for name in ("test_error", "train_error", "epoch")}
    cells = []
    for value in sweep.values:
        here = {name: by_value.get(value) for name, by_value in columns.items()}
        n = here["test_error"].n if here["test_error"] else 0
        told = {name: found.told(sweep, value, name) for name in ("test_error", "train_error", "epochs")}
        cells.append(
            (
                f"{value:g}",
                str(n),
                measured(alphas.get(value)),
                percent(here["test_error"]),
                percent_of(told["test_error"]),
                percent(here["train_error"]),
                percent_of(told["train_error"]),
                measured(here["epoch"], 0),
                fixed(told["epochs"], 0),
            )
        )
    header = (
        sweep.title,
        "seeds",
        "alpha fc1",
        "test error %",
        "published",
        "train error %",
        "published",
        "epochs",
        "published",
    )
    caption = f"Last epoch, {found.means}, {sweep.at}."
    return table_of(caption, header, cells)


def _draw(found: Evidence, sweeps: list[Sweep]) -> Figure:
    figure = new_figure(9.6, 4.2)
    all_axes = figure.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
    rows, layers = found.last_networks, found.last_layers
    alphas_of = layers[layers["layer"] == "fc1"]
    for place, (axes, sweep) in enumerate(zip(all_axes, sweeps, strict=True)):
        colour, marker = COLOURS[place], MARKERS[place]
        points = found.of(sweep, alphas_of)
        axes.plot(points["alpha"], 100 * points["test_error"], ".", color=colour, alpha=0.6, markersize=5)
        errors, alphas = spreads(found, sweep, rows, "test_error"), spreads(found, sweep, alphas_of, "alpha")
        both = [value for value in errors if value in alphas]
        x, y = [alphas[value].mean for value in both], [100 * errors[value].mean for value in both]
        axes.plot(x, y, color=colour, marker=marker, markersize=7, label=f"{sweep.title}")
        told = [
            (found.told(sweep, value, "alpha_fc1"), found.told(sweep, value, "test_error")) for value in sweep.values
        ]
        known = [(alpha, 100 * error) for alpha, error in told if alpha is not None and error is not None]
        if known:
            look = {"color": colour, "marker": marker, "markerfacecolor": "white", "linestyle": DASHED, "linewidth": 1}
            axes.plot(*zip(*known, strict=True), **look, label=f"{sweep.title}, published")
        axes.axvline(2, color=INK, linewidth=0.9, linestyle=DASHED)
        for value, one, other in zip(both, x, y, strict=True):
            axes.annotate(f"{value:g}", (one, other), (0, 9), textcoords="offset points", ha="center", fontsize=8.5)
        axes.set(xlabel="alpha of fc1", title=f"{sweep.title}, at {sweep.at}")
        axes.margins(0.1, 0.15)
    all_axes[0].set_ylabel("test error (percent)")
    shared_legend(figure, 4)
    return figure
