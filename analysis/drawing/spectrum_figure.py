"""Pictures of one spectrum with its fit: its density on logarithmic axes, and its shape on a linear one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from analysis.drawing.noise_figure import NoiseComparison, draw_noise
from analysis.drawing.style import BAR, COLOURS, NOTE, house_style, new_figure, plain_powers, svg_of


@dataclass(frozen=True, slots=True)
class FittedSpectrum:
    """A pooled spectrum with what was fitted to it, all in the scale of the fit.

    Attributes:
        evals: Eigenvalues times the kernel factor, shape (n,), zeros included.
        alpha: Exponent of the tail.
        lambda_min: Where the tail begins.
        n_tail: Eigenvalues in the tail.
        ecs_edge: Where the effective correlation space begins.
    """

    evals: NDArray[np.float64]
    alpha: float
    lambda_min: float
    n_tail: int
    ecs_edge: float

    @classmethod
    def of_row(cls, evals: NDArray[np.float64], row: Mapping[str, Any]) -> "FittedSpectrum":
        """Take the fit from a row of `layers`: alpha, lambda_min, n_tail, erg_lambda_min (trace scale)."""
        edge = row["erg_lambda_min"] * evals.mean()
        return cls(evals, row["alpha"], row["lambda_min"], row["n_tail"], edge)

    @property
    def start(self) -> float:
        """Where a picture begins: far below both edges lies what neither the fit nor the ECS sees."""
        return min(self.ecs_edge, self.lambda_min) / 30

    @property
    def shown(self) -> NDArray[np.float64]:
        """The eigenvalues that a picture shows."""
        return self.evals[self.evals >= self.start]

    def density(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """The fitted density, its mass that of the tail in the whole spectrum, at points from lambda_min up."""
        height = self.n_tail / len(self.evals) * (self.alpha - 1) / self.lambda_min
        return height * (at / self.lambda_min) ** -self.alpha


def spectrum_figure(
    evals: NDArray[np.float64], row: Mapping[str, Any], name: str, noise: NoiseComparison | None = None
) -> str:
    """One spectrum on logarithmic axes, with the fitted tail, its edge and that of the ECS; beside it, noise.

    Args:
        evals: The pooled spectrum, scaled as the row's lambdas are, shape (n,).
        row: Of `layers`: alpha, lambda_min, n_tail, erg_lambda_min (trace scale).
        name: Of the figure, unique in its page.
        noise: What noise would look like; without it there is one panel.
    """
    spectrum = FittedSpectrum.of_row(evals, row)
    with house_style():
        figure = new_figure(9.6, 4.8 if noise else 4.4)
        axes, *beside = figure.subplots(1, 2 if noise else 1, squeeze=False).flat
        draw_log_log(axes, spectrum)
        if noise:
            draw_noise(beside[0], noise)
        if hidden := len(evals) - len(spectrum.shown):
            axes.set_title(f"{hidden} smaller eigenvalues not shown", loc="right", fontsize=8.5, color=NOTE)
        figure.legend(loc="outside upper left", ncols=3)
        return svg_of(figure, name)


def draw_log_log(axes: Axes, spectrum: FittedSpectrum) -> None:
    """Density per unit of eigenvalue, both axes logarithmic: a power law is a straight line."""
    edges = _bins(spectrum)
    counts, _ = np.histogram(spectrum.shown, edges)
    density = counts / np.diff(edges) / len(spectrum.evals)
    filled = counts > 0
    low = density[filled].min() / 2
    axes.stairs(np.where(filled, density, low), edges, baseline=low, fill=True, color=BAR)
    axes.plot(np.sqrt(edges[1:] * edges[:-1])[filled], density[filled], "o", markersize=3.6, color=COLOURS[0])
    tail = np.geomspace(spectrum.lambda_min, spectrum.evals.max(), 100)
    told = f"power law, alpha = {spectrum.alpha:.2f}: {spectrum.n_tail} of {len(spectrum.evals)} eigenvalues"
    axes.plot(tail, spectrum.density(tail), color=COLOURS[1], linewidth=2.4, label=told)
    draw_edges(axes, spectrum)
    axes.set(xscale="log", yscale="log", ylim=(low, None), xlabel="eigenvalue", ylabel="density")
    plain_powers(axes.xaxis, axes.yaxis)


def draw_log_linear(axes: Axes, spectrum: FittedSpectrum) -> None:
    """Share of the eigenvalues per decade, only the first axis logarithmic: where most of them lie."""
    edges = _bins(spectrum)
    counts, _ = np.histogram(spectrum.shown, edges)
    axes.stairs(counts / np.diff(np.log10(edges)) / len(spectrum.evals), edges, fill=True, color=BAR)
    axes.stairs(counts / np.diff(np.log10(edges)) / len(spectrum.evals), edges, color=COLOURS[0], linewidth=1)
    tail = np.geomspace(spectrum.lambda_min, spectrum.evals.max(), 100)
    axes.plot(tail, spectrum.density(tail) * tail * np.log(10), color=COLOURS[1], linewidth=2.4)
    draw_edges(axes, spectrum)
    axes.set(xscale="log", ylim=(0, None), xlabel="eigenvalue", ylabel="share per decade")
    plain_powers(axes.xaxis)


def draw_edges(axes: Axes, spectrum: FittedSpectrum) -> None:
    """The two edges: where the tail begins, and where the ECS does."""
    label = "lambda_min, where it begins"
    axes.axvline(spectrum.lambda_min, color=COLOURS[1], linestyle=(0, (4, 3)), label=label)
    label = "ECS begins: det X = 1"
    axes.axvline(spectrum.ecs_edge, color=COLOURS[2], linestyle=(0, (1, 1.5)), linewidth=2, label=label)


def _bins(spectrum: FittedSpectrum) -> NDArray[np.float64]:
    shown = spectrum.shown
    bins = int(np.clip(2 * len(shown) ** 0.5, 12, 60))
    return np.geomspace(shown.min(), shown.max() * (1 + 1e-12), bins)
