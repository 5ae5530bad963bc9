"""Correlation traps appear at the extremes only: in fc1, at the largest learning rate and the smallest batch."""

from dataclasses import dataclass
from functools import partial

import pandas as pd

from analysis.formats import fixed
from catalogs import counted
from setol_zoo.lab.claims.by_setting import spreads
from setol_zoo.lab.claims.drawing import LAYER_LOOKS, Line, Panel, draw_panels, marks
from setol_zoo.lab.claims.evidence import LAYERS, Evidence, Sweep, lacking
from setol_zoo.lab.claims.published import published
from setol_zoo.lab.claims.records import Claim, Outcome, Picture, Table
from setol_zoo.lab.claims.words import listed, measured, sentences


@dataclass(frozen=True, slots=True)
class Trapped:
    """How many networks of one setting have a trap in one layer.

    Attributes:
        sweep: Which sweep.
        value: Of the sweep.
        layer: Which layer.
        n: Networks.
        trapped: Those with a trap.
    """

    sweep: Sweep
    value: float
    layer: str
    n: int
    trapped: int

    @property
    def most(self) -> bool:
        """Whether more than half of them have."""
        return 2 * self.trapped > self.n

    @property
    def place(self) -> str:
        """`fc1 at batch size 1`."""
        return f"{self.layer} at {self.sweep.title} {self.value:g}"


def judge(found: Evidence) -> Claim:
    """Judge it from the last epochs of networks of which all layers learned."""
    found = found.where("all")
    sweeps, rows, how = found.sweeps(), _with_traps(found.last_layers), _how(found.last_layers)
    counts = [
        _count(found, sweep, value, layer, rows) for sweep in sweeps for layer in LAYERS for value in sweep.values
    ]
    counts = [each for each in counts if each.n]
    there = [each for each in counts if each.most]
    outcome, told = Outcome.OPEN, ["No layer was looked at"]
    if counts:
        outcome = _outcome([each for each in counts if each.sweep.lacks is None])
        told = [_sentence(there, how)]
        single = [each for each in counts if each.trapped and not each.most]
        if single:
            told.append(
                "In half of the seeds or fewer: "
                + listed([f"{each.place} ({each.trapped} of {each.n})" for each in single])
            )
        if found.comparable:
            own = published().numbers["traps"]
            told.append(
                f"Published: {own['layer']} in all runs at learning rate {own['learning_rate'][0]:g} and at batch "
                f"size {own['batch_size'][0]}, no other"
            )
    return Claim(
        name="traps",
        title="Traps appear at the extremes",
        claimed="Eigenvalues that survive a permutation of the entries (correlation traps) appear in fc1 at the "
        "largest learning rate and at the smallest batch, in no weaker training, and never in fc2.",
        rule="More than half of the seeds have a trap in fc1 at the strongest setting of every sweep, and at no "
        "other setting and in no other layer.",
        outcome=outcome,
        verdict=sentences(told),
        missing=lacking(sweeps),
        tables=tuple(_table(found, sweep, rows, counts) for sweep in sweeps) if counts else (),
        pictures=(_picture(found, sweeps),) if counts and found.last_layers["trap_theta"].notna().any() else (),
    )


def _outcome(counts: list[Trapped]) -> Outcome:
    """By settings of sweeps that reach both ends."""
    if not counts:
        return Outcome.OPEN
    expected = [each for each in counts if each.layer == "fc1" and each.value == each.sweep.values[-1]]
    there = [each for each in counts if each.most]
    if not any(each in expected for each in there):
        return Outcome.NOT_SEEN
    return Outcome.SEEN if there == expected else Outcome.PARTLY


def _how(rows: pd.DataFrame) -> str:
    counted_so = "n_traps" in rows and rows["n_traps"].notna().any()
    return "by permutation" if counted_so else "by the mean of the entries (trap_theta above 1)"


def _with_traps(rows: pd.DataFrame) -> pd.DataFrame:
    """With a column `trapped`: by permuted entries where these were made, else by the mean of the entries."""
    by_mean = rows["trap_theta"].astype(float) > 1
    if "n_traps" not in rows:
        return rows.assign(trapped=by_mean)
    permuted = rows["n_traps"].astype(float)
    return rows.assign(trapped=(permuted >= 0.5).where(permuted.notna(), by_mean))


def _count(found: Evidence, sweep: Sweep, value: float, layer: str, rows: pd.DataFrame) -> Trapped:
    own = found.at(sweep, value, rows[rows["layer"] == layer])
    return Trapped(sweep, value, layer, len(own), int(own["trapped"].sum()))


def _sentence(there: list[Trapped], how: str) -> str:
    if not there:
        return f"No setting has a trap in most of its seeds, {how}"
    return f"Traps, {how}: " + listed([f"{each.place} ({each.trapped} of {counted(each.n, 'seed')})" for each in there])


def _table(found: Evidence, sweep: Sweep, rows: pd.DataFrame, counts: list[Trapped]) -> Table:
    thetas = {layer: spreads(found, sweep, rows[rows["layer"] == layer], "trap_theta") for layer in LAYERS}
    header, cells = [sweep.title], []
    for layer in LAYERS:
        header += [f"with a trap in {layer}", f"trap_theta {layer}"]
    for value in sweep.values:
        here = [f"{value:g}"]
        for layer in LAYERS:
            own = next((each for each in counts if (each.sweep, each.value, each.layer) == (sweep, value, layer)), None)
            here += [f"{own.trapped} of {own.n}" if own else fixed(None), measured(thetas[layer].get(value))]
        cells.append(tuple(here))
    return Table(
        f"Networks with a trap at the last epoch, and trap_theta ({found.means}), {sweep.at}.",
        tuple(header),
        tuple(cells),
    )


def _picture(found: Evidence, sweeps: tuple[Sweep, ...]) -> Picture:
    def lines(sweep: Sweep) -> list[Line]:
        rows = found.last_layers
        return [
            Line(layer, *LAYER_LOOKS[layer], spreads(found, sweep, rows[rows["layer"] == layer], "trap_theta"), {})
            for layer in LAYERS
        ]

    panels = [Panel("trap_theta", lines, level=1)]
    return Picture(
        "traps",
        "trap_theta at the end of training: the mean of the entries against their spread. Above the dashed line, at "
        f"1, it makes an eigenvalue of its own.{marks(sweeps, panels)}",
        partial(draw_panels, sweeps, panels, 3.4),
    )
