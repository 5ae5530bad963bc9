"""Layers with alpha below 2 are over-regularized: their tail is larger than the ECS, and the test error suffers."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.drawing.style import DASHED, INK, new_figure
from catalogs import counted
from setol_zoo.lab.claims.drawing import shades
from setol_zoo.lab.claims.error_by_alpha import by_seed
from setol_zoo.lab.claims.evidence import LAYERS, Evidence, Sweep, lacking, whole
from setol_zoo.lab.claims.records import Claim, Outcome, Picture, Table, outcome_of
from setol_zoo.lab.claims.spread import Spread, spread
from setol_zoo.lab.claims.words import between, listed, measured, percent, sentences, signed

_SHOWN = 3
"""Settings of a sweep that are drawn, the strongest."""

_FIRST = 3
"""Epoch from which on they are drawn."""


@dataclass(frozen=True, slots=True)
class Worse:
    """Test error past 2 against that before.

    Attributes:
        value: The strongest value of a sweep, fc1 below 2 in most seeds.
        weaker: The strongest at which it is not.
        rise: Test error of the one minus that of the other, seed by seed.
    """

    value: float
    weaker: float
    rise: Spread


def judge(found: Evidence) -> Claim:
    """Judge it from networks of which all layers learned."""
    found = found.where("all")
    sweeps, layers = found.sweeps(), found.last_layers.dropna(subset=["alpha", "erg_delta"])
    below = layers[layers["alpha"] < 2]
    judged, told = [], []
    if len(layers):
        told.append(f"{len(below)} of {counted(len(layers), 'layer')} end with alpha below 2{_where(below)}")
    if len(below):
        negative, elsewhere = (below["erg_delta"] < 0).mean(), layers[(layers["alpha"] >= 2)]
        if whole(sweeps):
            judged.append(negative > 0.5 and (elsewhere["erg_delta"] > 0).mean() > 0.5)
        told.append(
            f"erg_delta is below 0 in {int((below['erg_delta'] < 0).sum())} of these, and in "
            f"{int((elsewhere['erg_delta'] < 0).sum())} of the {len(elsewhere)} others"
        )
    for sweep in sweeps:
        worse = _against_weaker(found, sweep)
        if worse is None:
            continue
        rise = worse.rise
        if sweep.lacks is None:
            judged.append(bool(rise.interval and rise.interval.low > 0))
        told.append(
            f"Test error at {sweep.title} {worse.value:g}, where most fc1 are below 2, minus that at "
            f"{worse.weaker:g}, where they are not: {signed(100 * rise.mean)}{between(rise.interval, scale=100)} "
            f"percentage points over {counted(rise.n, 'seed')}"
        )
    inside = _within(found)
    if inside:
        told.append(inside)
    return Claim(
        name="over_regularization",
        title="Over-regularization below alpha 2",
        claimed="Where alpha falls below 2 the tail reaches beyond the effective correlation space, erg_delta turns "
        "negative, and the layer is over-regularized: the network generalizes worse.",
        rule="erg_delta is negative in most layers below 2 and positive in most others, and the test error at the "
        "strongest settings with fc1 below 2 exceeds, seed by seed, that of the strongest setting above 2 by more "
        "than its interval.",
        outcome=outcome_of(judged) if len(below) else Outcome.OPEN,  # nothing was over-regularized
        verdict=sentences(told) or "No layer was looked at.",
        missing=_missing(layers, below, sweeps),
        tables=_tables(found, sweeps, below),
        pictures=(Picture("over_regularization", _CAPTION, partial(_draw, found, sweeps)),)
        if len(below) and sweeps
        else (),
    )


_CAPTION = (
    f"Test error against alpha of fc1 along training, a line a network, from epoch {_FIRST} to its last "
    f"(the large mark), at the {_SHOWN} strongest settings of each sweep."
)


def _where(below: pd.DataFrame) -> str:
    places = below.groupby(["layer", "learning_rate", "batch_size"]).size()
    told = [
        f"{layer} at learning rate {rate:g}, batch size {size:g} ({n})" for (layer, rate, size), n in places.items()
    ]
    return f": {listed(told)}" if told else ""


def _mostly_below(found: Evidence, sweep: Sweep) -> dict[float, bool]:
    rows = found.of(sweep, found.last_layers)
    rows = rows[rows["layer"] == "fc1"].dropna(subset=["alpha"])
    return {
        value: bool((own["alpha"] < 2).mean() > 0.5)
        for value in sweep.values
        if len(own := rows[rows[sweep.column] == value])
    }


def _against_weaker(found: Evidence, sweep: Sweep) -> Worse | None:
    by_value = _mostly_below(found, sweep)
    low = [value for value, is_low in by_value.items() if is_low]
    high = [value for value, is_low in by_value.items() if not is_low]
    if not low or not high:
        return None
    rows = found.last_networks
    rise = by_seed(found.at(sweep, low[-1], rows), found.at(sweep, high[-1], rows), "test_error")
    return None if rise is None else Worse(low[-1], high[-1], rise)


def _within(found: Evidence) -> str | None:
    """Along trainings whose fc1 passes 2: test error at the end against the least before."""
    changes = []
    for _, own in found.layer("fc1").dropna(subset=["alpha"]).groupby("training"):
        own = own.sort_values("epoch")
        passed = np.flatnonzero(own["alpha"].to_numpy() < 2)
        if len(passed) and passed[0] > 0 and own["alpha"].iloc[-1] < 2:
            changes.append(own["test_error"].iloc[-1] - own["test_error"].iloc[: passed[0]].min())
    change = spread(changes)
    if change is None:
        return None
    return (
        f"Within {counted(change.n, 'training')} whose fc1 passes 2, the last test error minus the least before it "
        f"passed is {signed(100 * change.mean)}{between(change.interval, scale=100)} percentage points"
    )


def _missing(layers: pd.DataFrame, below: pd.DataFrame, sweeps: tuple[Sweep, ...]) -> tuple[str, ...]:
    if layers.empty:
        return ("No network with all layers trained.",)
    none = () if len(below) else ("No layer with alpha below 2 at the end of training.",)
    return (*none, *lacking(sweeps))


def _tables(found: Evidence, sweeps: tuple[Sweep, ...], below: pd.DataFrame) -> tuple[Table, ...]:
    if below.empty:
        return ()
    rows = []
    for sweep in sweeps:
        for value in sweep.values:
            own = found.at(sweep, value, found.last_layers)
            networks = found.at(sweep, value, found.last_networks)
            for layer in LAYERS:
                here = own[own["layer"] == layer].dropna(subset=["alpha"])
                if (low := here[here["alpha"] < 2]).empty:
                    continue
                rows.append(
                    (
                        f"{sweep.title} {value:g}",
                        layer,
                        f"{len(low)} of {len(here)}",
                        measured(spread(here["alpha"])),
                        measured(spread(here["erg_delta"])),
                        percent(spread(networks["test_error"])),
                        percent(spread(networks["train_error"])),
                    )
                )
    header = ("setting", "layer", "below 2", "alpha", "erg_delta", "test error %", "train error %")
    return (
        Table(
            f"Settings with a layer below 2 at the last epoch; {found.means}.",
            header,
            tuple(rows),
        ),
    )


def _draw(found: Evidence, sweeps: tuple[Sweep, ...]) -> Figure:
    figure = new_figure(9.6, 4.2)
    all_axes = figure.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
    for axes, sweep in zip(all_axes, sweeps, strict=True):
        rows = found.of(sweep, found.layer("fc1"))
        rows = rows[(rows["epoch"] >= _FIRST) & rows["alpha"].notna()].sort_values("epoch")
        shown = sweep.values[-_SHOWN:]
        for value, colour in zip(shown, shades(len(shown)), strict=True):
            own = rows[rows[sweep.column] == value]
            for place, (_, line) in enumerate(own.groupby("training")):
                axes.plot(line["alpha"], 100 * line["test_error"], color=colour, linewidth=1, marker=".", markersize=3)
                last = line.iloc[-1:]
                label = f"{value:g}" if place == 0 else None
                look = {"color": colour, "markersize": 8, "markeredgecolor": "white", "zorder": 4, "label": label}
                axes.plot(last["alpha"], 100 * last["test_error"], "o", **look)
        axes.axvline(2, color=INK, linewidth=0.9, linestyle=DASHED, zorder=1)
        axes.set(xlabel="alpha of fc1", title=f"{sweep.title}, at {sweep.at}")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(title=sweep.title)
    all_axes[0].set_ylabel("test error (percent)")
    return figure
