"""Pictures of the trained zoo: the tau of every metric, and every network."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from analysis.drawing.style import COLOURS, INK, MARKERS, new_figure, shared_legend
from analysis.samples.sample import Sample
from analysis.statistics.partial import MeanTau
from setol_zoo.lab.zoo_sample import METRICS, SET, TRAINING
from setol_zoo.lab.zoo_study import Study

_COLUMNS = 4
"""Panels of groups beside each other."""


def draw_taus(studies: Mapping[str, Study]) -> Figure:
    """Tau within groups on the left, with training error and loss held fixed on the right; a colour a choice of nets.

    Args:
        studies: By what networks they are of.
    """
    names = (*METRICS, *TRAINING, *SET)
    figure = new_figure(9.6, 0.9 + 0.42 * len(names))
    left, right = figure.subplots(1, 2, sharey=True)
    for place, (told, found) in enumerate(studies.items()):
        if not found.within:
            continue
        offset = 0.19 * (place - (len(studies) - 1) / 2)
        for axes, taus in ((left, _raw(found)), (right, _partial(found))):
            rows = [(index + offset, taus[name]) for index, name in enumerate(names) if name in taus]
            shown = [(height, tau) for height, tau in rows if tau.tau is not None]
            ends = [tau.interval for _, tau in shown]
            means = np.array([tau.tau for _, tau in shown], dtype=np.float64)
            low = [mean - end.low if end else 0.0 for mean, end in zip(means, ends, strict=True)]
            high = [end.high - mean if end else 0.0 for mean, end in zip(means, ends, strict=True)]
            axes.errorbar(
                means,
                [height for height, _ in shown],
                xerr=[low, high],
                color=COLOURS[place],
                marker=MARKERS[place],
                markersize=5,
                linestyle="none",
                elinewidth=1.2,
                label=f"{told} ({found.sample.n})",
            )
    for axes, title in ((left, "tau with test error"), (right, "given training error and loss")):
        axes.axvline(0, color=INK, linewidth=0.9)
        axes.set(xlim=(-1, 1), xlabel=title)
    left.set_yticks(range(len(names)), names)
    left.set_ylim(len(names) - 0.4, -0.6)
    left.axhline(len(METRICS) - 0.5, color=INK, linewidth=0.6)
    right.axhline(len(METRICS) - 0.5, color=INK, linewidth=0.6)
    shared_legend(figure, len(studies))
    return figure


def draw_networks(sample: Sample, metric: str = "alpha_mean") -> Figure:
    """Test error against a metric, a panel a group; networks trained with wrong labels are orange.

    Args:
        sample: The networks.
        metric: A column of it.
    """
    names = sample.family_names
    rows = -(-len(names) // _COLUMNS)
    figure = new_figure(9.6, 0.7 + 1.9 * rows)
    grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    noisy = sample.column("label_noise") > 0
    for place, (axes, name) in enumerate(zip(grid, names, strict=False)):
        own = sample.family_codes == place
        for wrong, told in ((False, "true labels"), (True, "some labels wrong")):
            chosen = own & (noisy == wrong)
            look = {"color": COLOURS[int(wrong)], "marker": MARKERS[int(wrong)], "markersize": 4, "linestyle": "none"}
            axes.plot(sample.column(metric)[chosen], 100 * sample.score[chosen], label=told, **look)
        axes.set_yscale("log")
        axes.set_title(name, fontsize=7.5)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if str(f"{value:g}")[0] in "235" else "")
        axes.tick_params(which="both", labelsize=8)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel(metric, fontsize=10)
    figure.supylabel("test error (percent)", fontsize=10)
    shared_legend(figure, 2)
    return figure


def _raw(found: Study) -> dict[str, MeanTau]:
    return {metric: row.tau for metric, row in found.within.items()}


def _partial(found: Study) -> dict[str, MeanTau]:
    return {metric: row.partial for metric, row in found.beyond["training"].items()}
