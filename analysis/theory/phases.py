"""A gallery of the 5+1 phases: a drawn layer of each, its laws, the verdict and what decided it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.drawing.style import (
    BAR,
    COLOURS,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    INK,
    house_style,
    mark_at_foot,
    new_figure,
    plain_powers,
    shared_legend,
)
from analysis.theory.ensembles import SyntheticLayer, synthetic_layers
from setol import PowerLawFit, Reason
from setol.random_matrix.variance import Bulk

_BINS = 36
_POINTS = 400


def phases_figure(seed: int = 0) -> Figure:
    """Six synthetic layers on logarithmic axes, each with its Marchenko-Pastur law, edge, spikes and power law."""
    layers = synthetic_layers(seed)
    with house_style():
        figure = new_figure(10.4, 11.6)
        grid = figure.subplots(3, 2)
        for axes, layer in zip(grid.flat, layers, strict=True):
            draw_phase(axes, layer)
        for axes in grid[-1]:
            axes.set_xlabel("eigenvalue of WᵀW / N")
        for axes in grid[:, 0]:
            axes.set_ylabel("density")
        shared_legend(figure, 3)
    return figure


def draw_phase(axes: Axes, layer: SyntheticLayer) -> None:
    """One layer, in the 1/N scale: density, laws, and above it how it was made and what the rule says."""
    n_rows, evals = layer.spectrum.n_rows, layer.spectrum.over_n
    shown = evals[evals > 0]
    edges = np.geomspace(shown[0], shown[-1] * (1 + 1e-12), _BINS)
    counts, _ = np.histogram(shown, edges)
    density = counts / np.diff(edges) / len(evals)
    low = density[counts > 0].min() / 2
    axes.stairs(np.maximum(density, low), edges, baseline=low, fill=True, color=BAR)
    axes.stairs(np.maximum(density, low), edges, baseline=low, color=COLOURS[0], linewidth=0.9)
    top = density.max()
    evidence = None if isinstance(layer.verdict, Reason) else layer.verdict.evidence
    if isinstance(layer.bulk, Bulk) and evidence is not None and evidence.spikes:
        law, spikes = layer.bulk.law, evidence.spikes
        at = np.geomspace(max(law.lambda_minus, edges[0]), law.lambda_plus, _POINTS)
        bulk = law.density(at) * (1 - spikes.n_spikes / len(evals))
        top = max(top, bulk.max())
        axes.plot(at, bulk, color=INK, linewidth=1.8, linestyle=DASHED, label="Marchenko-Pastur bulk")
        threshold = spikes.threshold / n_rows
        axes.axvline(threshold, color=COLOURS[3], linestyle=DASH_DOTTED, label="its edge (Tracy-Widom, 99 %)")
        beyond = evals[len(evals) - spikes.n_spikes :]
        mark_at_foot(axes, beyond, 0.03, "v", COLOURS[0], "spikes beyond it")
    if isinstance(layer.tail, PowerLawFit):
        accepted = evidence is not None and evidence.tail_accepted
        _draw_tail(axes, layer.tail, accepted, n_rows, len(evals))
    axes.set(xscale="log", yscale="log", ylim=(low, 2 * top))
    plain_powers(axes.xaxis, axes.yaxis)
    axes.set_title(_told(layer, len(evals) - len(shown)), fontsize=9)


def _told(layer: SyntheticLayer, n_zeros: int) -> str:
    hidden = f" ({n_zeros} zeros not shown)" if n_zeros else ""
    if isinstance(layer.verdict, Reason):
        return f"{layer.name}: {layer.recipe}{hidden}\n→ no verdict: {layer.verdict}"
    return f"{layer.name}: {layer.recipe}{hidden}\n→ {layer.verdict.phase}: {layer.verdict.decided_by}"


def _draw_tail(axes: Axes, tail: PowerLawFit, accepted: bool, n_rows: int, n_evals: int) -> None:
    """The power law, its mass that of the tail in the whole spectrum, from the raw into the 1/N scale."""
    at = np.geomspace(tail.lambda_min, tail.lambda_max, 100)
    density = tail.n_tail / n_evals * (tail.alpha - 1) / tail.lambda_min * (at / tail.lambda_min) ** -tail.alpha
    axes.plot(
        at / n_rows,
        density * n_rows,
        color=COLOURS[1],
        linewidth=2.6 if accepted else 1.8,
        linestyle="-" if accepted else DOTTED,
        label="power law, accepted" if accepted else "power law, not accepted",
    )
