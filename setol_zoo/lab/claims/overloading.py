"""One layer that has to learn alone: its error follows its alpha, and past 2 runs of one setting go different ways."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.drawing.style import DASHED, INK, new_figure, shared_legend
from analysis.formats import fixed
from catalogs import counted
from setol_zoo.lab.claims.drawing import beyond_frame, frame_alphas, shades
from setol_zoo.lab.claims.evidence import Evidence
from setol_zoo.lab.claims.last_alphas import SPLIT, last_alphas
from setol_zoo.lab.claims.published import published
from setol_zoo.lab.claims.records import Claim, Outcome, Part, Picture, Table, outcome_of, table_of
from setol_zoo.lab.claims.spread import ranks, spread
from setol_zoo.lab.claims.words import alone, percent, percent_of, sentences

_FIRST = 5
"""The paper leaves out the first four epochs."""

_WIDTH = 0.05
"""Of its bins in alpha."""

_ONE_CURVE = 0.003
"""Learning rates lie on one curve where their mean train errors in a bin differ by no more (standard deviation)."""

_STEADY = 0.9
"""Rank correlation over bins from which on the train error rises with alpha; bins share runs, so it has no interval."""

_RISE = 2.7
"""Published: percentage points of test error a unit of alpha above 2."""

_ALL_OF_IT = 3
"""Parts of the rule: one curve, rising with alpha, seeds that split."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Epochs of a layer with nearly the same alpha.

    Attributes:
        alpha: The middle.
        train_errors: Their mean at each learning rate.
        test_errors: The same.
    """

    alpha: float
    train_errors: tuple[float, ...]
    test_errors: tuple[float, ...]


def judge(found: Evidence) -> Claim:
    """Judge it from networks of which fc1 alone, or fc2 alone, learned."""
    one, two = found.where("fc1").layer("fc1"), found.where("fc2").layer("fc2")
    parts = [part for part in (_first_layer(found, one), last_alphas(found, two)) if part]
    judged = [each for part in parts for each in part.judged]
    told = [each for part in parts for each in part.told]
    absent = [layer for layer, rows in (("fc1", one), ("fc2", two)) if rows.empty]
    shown = [(layer, rows) for layer, rows in (("fc1", one), ("fc2", two)) if len(rows)]
    return Claim(
        name="overloading",
        title="One layer alone: overloading and hysteresis",
        claimed="With fc1 alone learning, train and test error are functions of its alpha, the same for all learning "
        "rates, and bend where alpha is 2. With fc2 alone, too small for the task, alpha falls far below 2, and then "
        "the runs of one setting end at very different alphas.",
        rule=f"fc1: within bins of {_WIDTH:g} in alpha the mean train errors of the learning rates have a standard "
        f"deviation of at most {100 * _ONE_CURVE:g} percentage points (median over bins), and over the bins they rise "
        f"with alpha (rank correlation of at least {_STEADY:g}). fc2: at some learning rate all seeds fall below "
        f"alpha 1.8 and the last alphas have a standard deviation above {SPLIT:g}. Seen takes all three.",
        outcome=_outcome(judged),
        verdict=sentences(told) or "No network with one layer trained.",
        missing=_missing(absent, len(judged)),
        tables=tuple(part.table for part in parts),
        pictures=(Picture("overloading", _caption(shown, found.comparable), partial(_draw, shown, found.comparable)),)
        if shown
        else (),
    )


def _caption(shown: Sequence[tuple[str, pd.DataFrame]], comparable: bool) -> str:
    crosses = " Crosses: published." if comparable and "fc1" in [layer for layer, _ in shown] else ""
    late = [alpha for _, rows in shown for alpha in rows.loc[rows["epoch"] >= _FIRST, "alpha"]]
    return (
        f"Errors against the alpha of the one layer that learns, along training from epoch {_FIRST} on; a line a "
        f"network, the large mark its last epoch.{crosses}{beyond_frame(late)}"
    )


def _missing(absent: Sequence[str], n_judged: int) -> tuple[str, ...]:
    if absent:
        return (f"No network was trained with {alone(absent)}{',' * (len(absent) > 1)} learning.",)
    return () if n_judged else ("fc1 alone takes two learning rates or more, fc2 alone two seeds or more.",)


def _outcome(judged: Sequence[bool]) -> Outcome:
    """Seen only where all of the rule could be judged."""
    outcome = outcome_of(judged)
    return Outcome.PARTLY if outcome is Outcome.SEEN and len(judged) < _ALL_OF_IT else outcome


def bins_of(rows: pd.DataFrame) -> list[Bin]:
    """Mean errors of each learning rate in bins of alpha that two learning rates or more reach."""
    own = rows[(rows["epoch"] >= _FIRST) & rows["alpha"].notna()]
    places = np.floor(own["alpha"] / _WIDTH)
    means = own.groupby([places.rename("place"), "learning_rate"])[["train_error", "test_error"]].mean().reset_index()
    return [
        Bin((place + 0.5) * _WIDTH, tuple(here["train_error"]), tuple(here["test_error"]))
        for place, here in means.groupby("place")
        if len(here) >= 2
    ]


def _first_layer(found: Evidence, rows: pd.DataFrame) -> Part | None:
    if rows.empty:
        return None
    judged, told, bins = [], [], bins_of(rows)
    late = rows[(rows["epoch"] >= _FIRST) & rows["alpha"].notna()]
    link = ranks([each.alpha for each in bins], [np.mean(each.train_errors) for each in bins])
    if bins:
        spreads = [float(np.std(each.train_errors, ddof=1)) for each in bins]
        judged.append(float(np.median(spreads)) <= _ONE_CURVE)
        told.append(
            f"fc1 alone: in {counted(len(bins), 'bin')} of alpha that two learning rates or more reach, the standard "
            f"deviation between them is {percent_of(float(np.median(spreads)))} percentage points of train error "
            "(median)"
        )
    if link:
        judged.append(link.rho >= _STEADY)
        told.append(f"Over the bins train error and alpha have a rank correlation of {fixed(link.rho)}")
    slopes = [_slope(late[late["alpha"] >= 2]), _slope(late[late["alpha"] < 2])]
    if slopes[0] is not None:
        known = f" (published: {_RISE:g} above 2)" if found.comparable else ""
        below = "" if slopes[1] is None else f", {percent_of(slopes[1], 1)} below 2"
        told.append(
            f"Test error rises by {percent_of(slopes[0], 1)} percentage points a unit of alpha above 2{below}{known}"
        )
    return Part(tuple(judged), tuple(told), _curve_table(found, late))


def _slope(rows: pd.DataFrame) -> float | None:
    if len(rows) < 5 or np.ptp(rows["alpha"]) < 0.1:
        return None
    return float(np.polyfit(rows["alpha"], rows["test_error"], 1)[0])


def _curve_table(found: Evidence, rows: pd.DataFrame) -> Table:
    known = {row["alpha"]: row for row in published().numbers["overloading"]["fc1"]} if found.comparable else {}
    grid = sorted({*known, 1.6, 1.8, 2.0, 2.5, 3.0}, reverse=True)
    cells = []
    for alpha in grid:
        here = rows[(rows["alpha"] - alpha).abs() <= _WIDTH]
        row = known.get(alpha, {})
        cells.append(
            (
                f"{alpha:g}",
                str(here["training"].nunique()),
                percent(spread(here["train_error"])),
                percent_of(row.get("train_error")),
                percent(spread(here["test_error"])),
                percent_of(row.get("test_error")),
            )
        )
    header = ("alpha of fc1", "trainings", "train error %", "published", "test error %", "published")
    caption = (
        f"fc1 alone: errors at epochs with alpha within {_WIDTH:g}, all learning rates, mean ± standard deviation."
    )
    return table_of(caption, header, cells)


def _draw(shown: Sequence[tuple[str, pd.DataFrame]], comparable: bool) -> Figure:
    figure = new_figure(9.6, 0.5 + 3.4 * len(shown))
    grid = figure.subplots(len(shown), 2, squeeze=False)
    known = {"fc1": published().numbers["overloading"]["fc1"]} if comparable else {}
    rates = sorted({rate for _, rows in shown for rate in rows["learning_rate"]})
    colours = dict(zip(rates, shades(len(rates)), strict=True))
    for row, (layer, rows) in zip(grid, shown, strict=True):
        own = rows[(rows["epoch"] >= _FIRST) & rows["alpha"].notna()].sort_values("epoch")
        for axes, column in zip(row, ("train_error", "test_error"), strict=True):
            for (rate, _), line in own.groupby(["learning_rate", "training"]):
                axes.plot(
                    line["alpha"], 100 * line[column], color=colours[rate], linewidth=0.9, marker=".", markersize=2.5
                )
                last = line.iloc[-1:]
                look = {"markersize": 7, "markeredgecolor": "white", "color": colours[rate], "zorder": 4}
                axes.plot(last["alpha"], 100 * last[column], "o", label=f"learning rate {rate:g}", **look)
            points = [(each["alpha"], 100 * each[column]) for each in known.get(layer, ()) if column in each]
            if points:
                axes.plot(*zip(*points, strict=True), "x", color=INK, markersize=8, zorder=5, label="published")
            axes.axvline(2, color=INK, linewidth=0.9, linestyle=DASHED, zorder=1)
            frame_alphas(axes, own["alpha"], 100 * own[column])
            axes.set(xlabel=f"alpha of {layer}", title=f"{layer} alone")
            axes.set_ylabel(f"{column.replace('_', ' ')} (percent)")
    shared_legend(figure, 4)
    return figure
