"""The layer quality of each model of the R-transform falls with the batch size, as the published one does."""

import math
from functools import partial

from matplotlib.figure import Figure

from analysis.drawing.style import COLOURS, DASHED, INK, MARKERS, new_figure, shared_legend
from analysis.formats import fixed
from setol_zoo.lab.claims.by_setting import spreads
from setol_zoo.lab.claims.drawing import Line, draw_line, strength_axis
from setol_zoo.lab.claims.evidence import LAYERS, Evidence, Sweep, lacking
from setol_zoo.lab.claims.published import published
from setol_zoo.lab.claims.records import Claim, Outcome, Picture, Table, outcome_of
from setol_zoo.lab.claims.spread import Ranks, Spread, ranks
from setol_zoo.lab.claims.words import between, listed, measured, sentences

_MODELS = {
    "log_q2_empirical": "without a model",
    "log_q2_discrete": "discrete",
    "log_q2_free_cauchy": "free Cauchy",
    "log_q2_inverse_marchenko_pastur": "inverse Marchenko-Pastur",
    "log_q2_levy_wigner": "Lévy-Wigner",
    "log_q2_cumulant": "cumulants",
}


def judge(found: Evidence) -> Claim:
    """Judge it from the batch-size sweep of networks of which all layers learned, at the last epoch."""
    found = found.where("all")
    sweep = next((sweep for sweep in found.sweeps() if sweep.column == "batch_size"), None)
    models = (
        [name for name in _MODELS if name in found.layers and found.last_layers[name].notna().any()] if sweep else []
    )
    judged, told = [], []
    if sweep and models:
        for layer in LAYERS:
            links = {name: link for name in models if (link := _link(found, sweep, layer, name))}
            falling = [name for name, link in links.items() if link.falls]
            judged += [link.falls for link in links.values()] if sweep.lacks is None else []
            told.append(f"{layer}: the quality falls as batches grow under {_named(falling)}" + _others(links))
        told += _ratios(found, sweep, models)
    return Claim(
        name="quality",
        title="Layer quality under each R-transform",
        claimed="The computed quality of a layer is the larger the smaller the batch: that of fc1 falls from 125 to "
        "14 percent from batches of 1 to 32, that of fc2 from 79 to 67.",
        rule="Under every model, and in both layers, the quality falls with the batch size: Spearman's interval lies "
        "below 0. The published scale is not stated, so ratios are compared, not values.",
        outcome=outcome_of(judged) if models else Outcome.OPEN,
        verdict=sentences(told) or "No layer has a quality.",
        missing=lacking([sweep])
        if sweep and models
        else ("No batch-size sweep with all layers trained, or no quality columns.",),
        tables=tuple(_table(found, sweep, layer, models) for layer in LAYERS) if sweep and models else (),
        pictures=(Picture("quality", _caption(found), partial(_draw, found, sweep, models)),)
        if sweep and models
        else (),
    )


def _caption(found: Evidence) -> str:
    known = ", and the published one (dashed, hollow)" if found.comparable else ""
    bars = " Bars: standard deviation of log10 over seeds." if found.networks["seed"].nunique() > 1 else ""
    return (
        "Layer quality squared against the batch size, relative to the largest batch: each model of the R-transform"
        f"{known}.{bars}"
    )


def _link(found: Evidence, sweep: Sweep, layer: str, name: str) -> Ranks | None:
    rows = found.of(sweep, found.last_layers)
    rows = rows[rows["layer"] == layer]
    return ranks(rows["batch_size"], rows[name])


def _named(names: list[str]) -> str:
    return f"{len(names)} ({listed([_MODELS[name] for name in names])})" if names else "none of the models"


def _others(links: dict[str, Ranks]) -> str:
    rest = [
        f"{_MODELS[name]} {'rises' if link.rises else 'is undecided'}, {fixed(link.rho)}{between(link.interval)}"
        for name, link in links.items()
        if not link.falls
    ]
    return f" of {len(links)} that could be ranked" + (f"; {listed(rest)}" if rest else "")


def _means(found: Evidence, sweep: Sweep, layer: str, name: str) -> dict[float, Spread]:
    rows = found.last_layers
    return dict(spreads(found, sweep, rows[rows["layer"] == layer], name))


def _ratios(found: Evidence, sweep: Sweep, models: list[str]) -> list[str]:
    """How many times larger the quality is at the smallest batch than at the largest."""
    small, large = sweep.values[-1], sweep.values[0]
    told = []
    for layer in LAYERS:
        ratios = {}
        for name in models:
            means = _means(found, sweep, layer, name)
            if small in means and large in means:
                ratios[name] = 10 ** (means[small].mean - means[large].mean)
        if not ratios:
            continue
        theirs = [published().quality(layer, value) if found.comparable else None for value in (small, large)]
        known = f"; published {fixed(theirs[0] / theirs[1], 1)}" if theirs[0] and theirs[1] else ""
        each = listed([f"{_MODELS[name]} {fixed(ratio, 1)}" for name, ratio in ratios.items()])
        told.append(f"Quality squared of {layer} at batches of {small:g} over that at {large:g}: {each}{known}")
    return told


def _table(found: Evidence, sweep: Sweep, layer: str, models: list[str]) -> Table:
    means = {name: _means(found, sweep, layer, name) for name in models}
    theirs = {value: published().quality(layer, value) if found.comparable else None for value in sweep.values}
    header = ["batch size", *(_MODELS[name] for name in models)]
    if any(theirs.values()):
        header.append("published %")
    rows = []
    for value in sweep.values:
        cells = [f"{value:g}", *(measured(means[name].get(value)) for name in models)]
        rows.append((*cells, fixed(theirs[value], 1)) if any(theirs.values()) else tuple(cells))
    caption = f"{layer}: log10 of the quality squared at the last epoch, {found.means}, {sweep.at}."
    return Table(caption, tuple(header), tuple(rows))


def _draw(found: Evidence, sweep: Sweep, models: list[str]) -> Figure:
    figure = new_figure(9.6, 4.2)
    both = figure.subplots(1, 2, sharey=True)
    for axes, layer in zip(both, LAYERS, strict=True):
        for place, name in enumerate(models):
            means = _means(found, sweep, layer, name)
            if sweep.values[0] not in means:
                continue
            base = means[sweep.values[0]].mean
            relative = {value: Spread(each.n, each.mean - base, each.sd, None) for value, each in means.items()}
            draw_line(axes, Line(_MODELS[name], COLOURS[place], MARKERS[place], relative, {}))
        theirs = {
            value: told for value in sweep.values if found.comparable and (told := published().quality(layer, value))
        }
        if sweep.values[0] in theirs:
            points = {value: math.log10(told / theirs[sweep.values[0]]) for value, told in theirs.items()}
            look = {"color": INK, "marker": "X", "markerfacecolor": "white", "linestyle": DASHED, "linewidth": 1.2}
            axes.plot(list(points), list(points.values()), **look, label="published")
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_title(layer)
        strength_axis(axes, sweep)
    both[0].set_ylabel("log10 of quality squared, relative")
    shared_legend(figure, 4)
    return figure
