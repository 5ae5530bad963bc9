"""Alpha and erg_delta fall as training gets stronger: larger learning rates, smaller batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from analysis.formats import fixed
from catalogs import counted
from setol_zoo.lab.claims.by_setting import Beside, Deviation, beside, deviation, spreads
from setol_zoo.lab.claims.drawing import LAYER_LOOKS, Line, Panel, draw_panels, marks
from setol_zoo.lab.claims.evidence import LAYERS, Evidence, Sweep, lacking
from setol_zoo.lab.claims.records import Claim, Picture, Table, outcome_of, table_of
from setol_zoo.lab.claims.spread import Ranks, Spread, ranks
from setol_zoo.lab.claims.words import between, listed, measured, ranked, sentences

_COLUMNS = ("alpha", "erg_delta")
_TOWARDS = {"learning_rate": "rises", "batch_size": "falls"}


@dataclass(frozen=True, slots=True)
class Trend:
    """How a column of fc1 goes along a sweep.

    Attributes:
        column: Which.
        first: At the weakest training.
        last: At the strongest.
        link: With the strength of training, over networks.
    """

    column: str
    first: Spread
    last: Spread
    link: Ranks

    def __str__(self) -> str:
        """Such as `alpha falls from 3.65 ± 0.02 to 1.93 ± 0.03 (Spearman ...)`."""
        goes = "falls" if self.link.falls else "rises" if self.link.rises else "goes, without a trend,"
        return f"{self.column} {goes} from {measured(self.first)} to {measured(self.last)} ({ranked(self.link)})"


def judge(found: Evidence) -> Claim:
    """Judge it from the last epochs of networks of which all layers learned."""
    found = found.where("all")
    sweeps = [sweep for sweep in found.sweeps() if len(found.of(sweep, found.last_layers))]
    judged, told = [], []
    for sweep in sweeps:
        trends = [trend for column in _COLUMNS if (trend := _trend(found, sweep, column))]
        judged += [trend.link.falls for trend in trends if sweep.lacks is None]
        if trends:
            told.append(
                f"As the {sweep.title} {_TOWARDS[sweep.column]} from {sweep.values[0]:g} to {sweep.values[-1]:g}, "
                f"fc1's {listed([str(trend) for trend in trends])}"
            )
    compared = {
        (column, layer): [each for sweep in sweeps for each in _beside(found, sweep, layer, column)]
        for column in _COLUMNS
        for layer in LAYERS
    }
    apart = {key: far for key, each in compared.items() if (far := deviation(each))}
    told += [f"{column} of {layer} {_far(far)}" for (column, layer), far in apart.items() if layer == "fc1"]
    return Claim(
        name="alpha_by_setting",
        title="Alpha and erg_delta fall as training gets stronger",
        claimed="Larger learning rates and smaller batches make the tails heavier: alpha of fc1 falls from 3.6 to "
        "just below 2, and erg_delta with it from 1 to 0; fc2 likewise from 2.5 to 2.1.",
        rule="Spearman's correlation of fc1's alpha, and of its erg_delta, with the strength of training lies below "
        "0 with its whole interval, in every sweep.",
        outcome=outcome_of(judged),
        verdict=sentences(told) or "Too few networks to rank.",
        missing=_missing(found, sweeps),
        tables=(*(_table(found, sweep) for sweep in sweeps), *([_apart_table(apart)] if apart else [])),
        pictures=(_picture(found, sweeps),) if sweeps else (),
    )


def _trend(found: Evidence, sweep: Sweep, column: str) -> Trend | None:
    rows = found.of(sweep, found.last_layers)
    rows = rows[rows["layer"] == "fc1"]
    link = ranks(rows[sweep.column] * (-1 if sweep.column == "batch_size" else 1), rows[column])
    ours = list(spreads(found, sweep, rows, column).values())
    return Trend(column, ours[0], ours[-1], link) if link else None


def _far(far: Deviation) -> str:
    return (
        f"is {fixed(far.mean)} from the published on average over {counted(far.n, 'setting')}, at most "
        f"{fixed(abs(far.worst.off or 0))} ({far.worst.setting})"
    )


def _apart_table(apart: Mapping[tuple[str, str], Deviation]) -> Table:
    rows = [
        (
            f"{column} {layer}",
            str(far.n),
            fixed(far.mean),
            f"{fixed(far.worst.ours.mean)}{between(far.worst.ours.interval)}",
            fixed(far.worst.published),
            far.worst.setting,
            f"{far.held} of {far.intervals}",
        )
        for (column, layer), far in apart.items()
    ]
    header = ("", "settings", "mean distance", "farthest: ours", "published", "at", "within our interval")
    caption = "How far the means over seeds lie from the published, and how often their interval holds these."
    return Table(caption, header, tuple(rows))


def _beside(found: Evidence, sweep: Sweep, layer: str, column: str) -> tuple[Beside, ...]:
    rows = found.last_layers
    return beside(found, sweep, rows[rows["layer"] == layer], column, f"{column}_{layer}")


def _missing(found: Evidence, sweeps: list[Sweep]) -> tuple[str, ...]:
    has = {sweep.column for sweep in sweeps}
    absent = [
        words for name, words in (("learning_rate", "learning rates"), ("batch_size", "batch sizes")) if name not in has
    ]
    none = (f"No sweep over {listed(absent)} with all layers trained.",) if absent else ()
    return (*none, *(lacking(sweeps) if sweeps else ()))


def _table(found: Evidence, sweep: Sweep) -> Table:
    told = [
        {each.value: each for each in _beside(found, sweep, layer, column)} for column in _COLUMNS for layer in LAYERS
    ]
    header = [sweep.title, "seeds"]
    for column in _COLUMNS:
        for layer in LAYERS:
            header += [f"{column} {layer}", "published"]
    rows = []
    for value in sweep.values:
        here = [each.get(value) for each in told]
        counts = [each.ours.n for each in here if each]
        cells = [f"{value:g}", str(max(counts, default=0))]
        for each in here:
            cells += [measured(each.ours if each else None), fixed(each.published if each else None)]
        rows.append(tuple(cells))
    caption = f"Last epoch, {found.means}, {sweep.at}."
    return table_of(caption, header, rows)


def _picture(found: Evidence, sweeps: list[Sweep]) -> Picture:
    def lines(column: str, sweep: Sweep) -> list[Line]:
        told = [(layer, _beside(found, sweep, layer, column)) for layer in LAYERS]
        return [
            Line(
                layer,
                *LAYER_LOOKS[layer],
                {each.value: each.ours for each in here},
                {each.value: each.published for each in here if each.published is not None},
            )
            for layer, here in told
            if here
        ]

    panels = [
        Panel("alpha", partial(lines, "alpha"), level=2),
        Panel("erg_delta", partial(lines, "erg_delta"), level=0),
    ]
    return Picture(
        "alpha_by_setting",
        "Alpha and erg_delta at the end of training, weak training on the left, strong on the right."
        f"{marks(sweeps, panels)} The thin dashed lines are the ideal of the theory, alpha 2 and erg_delta 0.",
        partial(draw_panels, sweeps, panels),
    )
