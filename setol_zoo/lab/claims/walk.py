"""Over training, a layer's alpha and erg_delta walk to (2, 0) together."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.drawing.style import DASHED, INK, new_figure
from analysis.formats import fixed
from setol_zoo.lab.claims.drawing import beyond_frame, frame_alphas, shades
from setol_zoo.lab.claims.evidence import LAYERS, Evidence, Sweep, lacking, whole
from setol_zoo.lab.claims.records import Claim, Outcome, Picture, Table, outcome_of
from setol_zoo.lab.claims.spread import Spread, crossing, spread
from setol_zoo.lab.claims.words import between, measured, sentences

_NEAR = 0.1
"""How far from 2 the place may lie where erg_delta is 0, and the last alpha of the strongest training."""

_AROUND = 0.5
"""Alphas this far from 2 decide where erg_delta is 0."""

_FIRST = 1
"""The walk begins after the first epoch: an untrained layer has no tail to speak of."""


@dataclass(frozen=True, slots=True)
class Walk:
    """One layer of one training.

    Attributes:
        training: Which.
        alpha: After the first epoch and after the last.
        erg_delta: The same.
        together: Pearson's correlation of the two over the epochs; None below 4 epochs.
    """

    training: str
    alpha: tuple[float, float]
    erg_delta: tuple[float, float]
    together: float | None

    @property
    def falls(self) -> bool:
        """Whether both end below where they began."""
        return self.alpha[1] < self.alpha[0] and self.erg_delta[1] < self.erg_delta[0]


def judge(found: Evidence) -> Claim:
    """Judge it by fc1 of networks of which all layers learned, at every kept epoch."""
    found = found.where("all")
    sweeps = found.sweeps()
    own = _from_first(found.layer("fc1"))
    walks = walks_of(own)
    judged, told = [], []
    if walks:
        falling = sum(walk.falls for walk in walks)
        judged.append(falling >= 0.95 * len(walks))
        links = [walk.together for walk in walks if walk.together is not None]
        told.append(
            f"Both fall from the first epoch to the last in fc1 of {falling} of {len(walks)} trainings"
            + (f"; along a training they correlate with {fixed(float(np.median(links)))} (median)" if links else "")
        )
    near = own[(own["alpha"] - 2).abs() < _AROUND]
    if zero := crossing(near["alpha"], near["erg_delta"], near["training"]):
        judged.append(abs(zero.mean - 2) <= _NEAR)
        told.append(f"erg_delta of fc1 is 0 where alpha is {_at(zero)}, by {zero.n} trainings that come near")
    elif walks:
        lowest = own.loc[own["erg_delta"].idxmin()]
        judged.append(False)
        told.append(
            f"too few trainings reach erg_delta 0 to say at which alpha; the least is {fixed(lowest['erg_delta'])}, "
            f"at alpha {fixed(lowest['alpha'])}"
        )
    for sweep in sweeps:
        rows = found.at(sweep, sweep.values[-1], found.last_layers)
        ends = {layer: rows[rows["layer"] == layer] for layer in LAYERS}
        if len(ends["fc1"]):
            told.append(
                f"At {sweep.title} {sweep.values[-1]:g} " + " and ".join(_end(layer, ends[layer]) for layer in LAYERS)
            )
    return Claim(
        name="walk",
        title="The walk to (2, 0)",
        claimed="Over training the tail grows into the effective correlation space: alpha falls towards 2 and "
        "erg_delta, with it, towards 0, which it reaches where alpha is 2.",
        rule="In fc1 both fall in at least 95 % of the trainings, and a straight line through the epochs with alpha "
        f"within {_AROUND:g} of 2 has erg_delta 0 at an alpha within {_NEAR:g} of 2.",
        outcome=outcome_of(judged) if walks and whole(sweeps) else Outcome.OPEN,
        verdict=sentences(told) or "No layer was followed over two epochs.",
        missing=lacking(sweeps) if walks else ("No network with all layers trained has two kept epochs.",),
        tables=tuple(_table(found, sweep) for sweep in sweeps) if walks else (),
        pictures=(Picture("walk", _caption(found, sweeps), partial(_draw, found, sweeps)),) if walks and sweeps else (),
    )


def walks_of(rows: pd.DataFrame) -> list[Walk]:
    """Begin and end of each training that has two epochs with a tail, of rows of one layer."""
    walks = []
    for name, own in rows.groupby("training", sort=False):
        own = own.dropna(subset=["alpha", "erg_delta"]).sort_values("epoch")
        if len(own) < 2:
            continue
        alpha, delta = own["alpha"].to_numpy(), own["erg_delta"].to_numpy()
        varies = len(own) >= 4 and np.ptp(alpha) > 0 and np.ptp(delta) > 0
        together = float(np.corrcoef(alpha, delta)[0, 1]) if varies else None
        walks.append(Walk(str(name), (alpha[0], alpha[-1]), (delta[0], delta[-1]), together))
    return walks


def _from_first(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["epoch"] >= _FIRST]


def _at(zero: Spread) -> str:
    return f"{fixed(zero.mean)}{between(zero.interval)}"


def _end(layer: str, rows: pd.DataFrame) -> str:
    alpha, delta = spread(rows["alpha"]), spread(rows["erg_delta"])
    return f"{layer} ends at ({measured(alpha)}, {measured(delta)})"


def _table(found: Evidence, sweep: Sweep) -> Table:
    header = [sweep.title, "trainings"]
    for layer in LAYERS:
        header += [f"alpha {layer}", f"erg_delta {layer}", f"r {layer}"]
    rows = []
    for value in sweep.values:
        cells, counts = [], [0]
        for layer in LAYERS:
            walks = walks_of(found.at(sweep, value, _from_first(found.layer(layer))))
            counts.append(len(walks))
            cells += [_ends([walk.alpha for walk in walks]), _ends([walk.erg_delta for walk in walks])]
            links = [walk.together for walk in walks if walk.together is not None]
            cells.append(fixed(float(np.mean(links)) if links else None))
        rows.append((f"{value:g}", str(max(counts)), *cells))
    first = "Means over seeds" if found.networks["seed"].nunique() > 1 else "One seed"
    caption = f"{first} after the first epoch and the last, {sweep.at}; correlation of the two over the epochs."
    return Table(caption, tuple(header), tuple(rows))


def _ends(pairs: list[tuple[float, float]]) -> str:
    if not pairs:
        return fixed(None)
    first, last = np.mean(pairs, axis=0)
    return f"{fixed(float(first))} → {fixed(float(last))}"


def _caption(found: Evidence, sweeps: tuple[Sweep, ...]) -> str:
    swept = sweeps[0]
    return (
        f"Alpha against erg_delta of one seed, a line a training of the {swept.title} sweep (at {swept.at}) from its "
        "first epoch to its last (the large mark). Where the dashed lines cross, at (2, 0), the theory puts an ideal "
        f"layer.{beyond_frame(_from_first(found.of(swept, found.layers))['alpha'])}"
    )


def _draw(found: Evidence, sweeps: tuple[Sweep, ...]) -> Figure:
    sweep = sweeps[0]
    figure = new_figure(9.6, 4.4)
    both = figure.subplots(1, 2)
    colours = shades(len(sweep.values))
    for axes, layer in zip(both, LAYERS, strict=True):
        rows = found.of(sweep, _from_first(found.layer(layer)))
        for value, colour in zip(sweep.values, colours, strict=True):
            own = rows[rows[sweep.column] == value]
            _draw_one(axes, own[own["seed"] == own["seed"].min()], colour, f"{sweep.title} {value:g}")
        axes.axvline(2, color=INK, linewidth=0.9, linestyle=DASHED, zorder=1)
        axes.axhline(0, color=INK, linewidth=0.9, linestyle=DASHED, zorder=1)
        frame_alphas(axes, rows["alpha"], rows["erg_delta"])
        axes.set(xlabel="alpha", title=layer)
    both[0].set_ylabel("erg_delta")
    handles, labels = both[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower left", ncols=4)
    return figure


def _draw_one(axes: Axes, rows: pd.DataFrame, colour: str, label: str) -> None:
    own = rows.sort_values("epoch")
    axes.plot(own["alpha"], own["erg_delta"], color=colour, linewidth=1, marker=".", markersize=3.5)
    last = own.iloc[-1:]
    axes.plot(
        last["alpha"],
        last["erg_delta"],
        "o",
        color=colour,
        markersize=8,
        markeredgecolor="white",
        label=label,
        zorder=4,
    )
