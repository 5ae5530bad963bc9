"""R(z) of the models of a spectrum, and its integral G(z), each on its domain with its branch cut."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from analysis.drawing.style import COLOURS, DASHED, DOTTED, FAINT, INK, house_style, new_figure
from analysis.theory.ensembles import noise, spectrum_of
from setol.r_transforms.discrete import DiscreteRTransform
from setol.r_transforms.empirical import EmpiricalRTransform
from setol.r_transforms.free_cauchy import FreeCauchyRTransform
from setol.r_transforms.inverse_marchenko_pastur import InverseMarchenkoPasturRTransform
from setol.r_transforms.levy_wigner import LevyWignerRTransform
from setol.r_transforms.marchenko_pastur import MarchenkoPasturRTransform
from setol.r_transforms.protocol import RTransform
from setol.r_transforms.wigner import WignerRTransform
from setol.random_matrix.marchenko_pastur import MarchenkoPastur

_STYLES: tuple[tuple[str, object], ...] = (
    (COLOURS[0], "-"),
    (COLOURS[1], DASHED),
    (COLOURS[2], DOTTED),
)
_POINTS = 600
_ABOVE_ZERO = 1e-300
"""Where the integral begins if 0 itself is outside the domain; G there is 0 to float64."""


@dataclass(frozen=True, slots=True)
class ModelPanel:
    """A model with one or a few settings of its parameters.

    Attributes:
        title: What it is called.
        curves: Its transforms by what the legend calls them; the first one's domain is the panel's.
        span: The real z that are drawn, as far as they are in the domain.
        heights: Limits of R in the picture.
        areas: Limits of G.
        edge: C at the upper edge of the spectrum: only up to it half of G is the exponent of a spherical integral.
        legends: Where the legend lies on the picture of R, and on that of G.
    """

    title: str
    curves: dict[str, RTransform]
    span: tuple[float, float]
    heights: tuple[float, float]
    areas: tuple[float, float]
    edge: float | None = None
    legends: tuple[str, str] = ("upper left", "upper left")

    @property
    def domain(self) -> str:
        """Domain and branch cut in words; the curves share them, but for whole-numbered exponents without a cut."""
        models = list(self.curves.values())
        cuts = [model.branch_cut for model in models if model.branch_cut is not None]
        told = list(dict.fromkeys(map(str, cuts)))
        return f"real z in {models[0].domain}, " + (f"cut {', '.join(told)}" if told else "no cut")


def model_panels(seed: int = 0) -> tuple[ModelPanel, ...]:
    """The models that are drawn; the empirical one is of the spectrum of a seeded matrix of noise."""
    spectrum = spectrum_of(noise(np.random.default_rng(seed), 600, 300))
    law = MarchenkoPastur(spectrum.aspect_ratio)
    edge = float(law.stieltjes(law.lambda_plus).real)
    reference = MarchenkoPasturRTransform(law.aspect_ratio)
    return (
        ModelPanel("bulk and spikes (discrete)", {"mean 2": DiscreteRTransform(2.0)}, (-2, 4), (0, 3), (-4, 8)),
        ModelPanel("free Cauchy", {"a = 1, gamma = 0.5": FreeCauchyRTransform(1.0, 0.5)}, (-2, 4), (0, 2), (-2, 4)),
        ModelPanel(
            "inverse Marchenko-Pastur",
            {f"kappa = {kappa:g}": InverseMarchenkoPasturRTransform(kappa) for kappa in (1.0, 2.0)},
            (-2, 4),
            (0, 2.8),
            (-2, 3.5),
        ),
        ModelPanel(
            "Lévy-Wigner",
            {f"alpha = {alpha:g}": LevyWignerRTransform(alpha) for alpha in (1.5, 2.5, 3.5)},
            (-1, 4),
            (0, 10),
            (0, 12),
            legends=("center right", "upper left"),
        ),
        ModelPanel(
            "Marchenko-Pastur",
            {"Q = 2": reference},
            (-2, 4),
            (0, 6),
            (-2, 6),
            edge,
        ),
        ModelPanel("semicircle (Wigner)", {"variance 1": WignerRTransform(1.0)}, (-2, 4), (-2, 4), (0, 8)),
        ModelPanel(
            "of the eigenvalues themselves",
            {"noise, 600 × 300": EmpiricalRTransform(spectrum.over_n), "its law, Q = 2": reference},
            (-2, 4),
            (0, 6),
            (-2, 10),
            edge,
            ("lower right", "lower right"),
        ),
    )


def r_figure(seed: int = 0) -> Figure:
    """R(z) of the models: Re R, and Im R where there is any."""
    thick = Line2D([], [], color=INK, linewidth=2, label="Re R")
    thin = Line2D([], [], color=INK, linewidth=0.9, label="Im R, from above (z + i0)")
    return _figure(model_panels(seed), "R(z)", _draw_r, (thick, thin))


def g_figure(seed: int = 0) -> Figure:
    """G(z) of the models: the integral of Re R from 0 to z, half of which is the exponent of a spherical integral."""
    return _figure(model_panels(seed), "G(z), integral of Re R from 0", _draw_g)


def _figure(
    panels: tuple[ModelPanel, ...],
    label: str,
    draw: Callable[[Axes, ModelPanel], tuple[tuple[float, float], str]],
    more: tuple[Line2D, ...] = (),
) -> Figure:
    with house_style():
        figure = new_figure(13.2, 6.6)
        grid = figure.subplots(2, 4)
        for axes, panel in zip(grid.flat, panels, strict=False):
            limits, legend = draw(axes, panel)
            _shade(axes, panel)
            axes.set(xlim=panel.span, ylim=limits, xlabel="z")
            axes.set_title(f"{panel.title}\n{panel.domain}", fontsize=9.5)
            axes.legend(loc=legend, fontsize=8.5, frameon=True, framealpha=1, edgecolor="none")
        for axes in grid[:, 0]:
            axes.set_ylabel(label)
        grid[-1, -1].set_axis_off()
        grid[-1, -1].legend(
            handles=[
                Patch(facecolor="#f1f3f5", edgecolor=FAINT, hatch="..", label="outside the domain"),
                Patch(facecolor="white", edgecolor=COLOURS[1], hatch="//////", label="branch cut (foot of the panel)"),
                Line2D([], [], color=INK, linewidth=1.2, linestyle=DOTTED, label="C at the edge of the spectrum"),
                *more,
            ],
            loc="center left",
            fontsize=10,
        )
    return figure


def _draw_r(axes: Axes, panel: ModelPanel) -> tuple[tuple[float, float], str]:
    for (name, model), (colour, style) in zip(panel.curves.items(), _STYLES, strict=False):
        z = _points(panel, model)
        values = model.value(z)
        axes.plot(z, values.real, color=colour, linestyle=style, linewidth=2, label=name)
        if values.imag.any():
            axes.plot(z, values.imag, color=colour, linestyle=style, linewidth=0.9)
    return panel.heights, panel.legends[0]


def _draw_g(axes: Axes, panel: ModelPanel) -> tuple[tuple[float, float], str]:
    for (name, model), (colour, style) in zip(panel.curves.items(), _STYLES, strict=False):
        z = _points(panel, model)
        start = 0.0 if model.domain.contains(np.zeros(1))[0] else _ABOVE_ZERO
        axes.plot(z, model.integral(start, z), color=colour, linestyle=style, linewidth=2, label=name)
    return panel.areas, panel.legends[1]


def _points(panel: ModelPanel, model: RTransform) -> NDArray[np.float64]:
    z = np.linspace(*panel.span, _POINTS)
    own = next(iter(panel.curves.values())).domain
    return z[model.domain.contains(z) & own.contains(z)]


def _shade(axes: Axes, panel: ModelPanel) -> None:
    """What is outside the domain, and along the foot of the panel the branch cut."""
    low, high = panel.span
    domain = next(iter(panel.curves.values())).domain
    for start, end in ((low, domain.lower), (domain.upper, high)):
        if low <= start < end <= high:
            axes.axvspan(start, end, facecolor="#f1f3f5", edgecolor=FAINT, hatch="..", linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.7, zorder=0.5)
    if panel.edge is not None:
        axes.axvline(panel.edge, color=INK, linewidth=1.2, linestyle=DOTTED, zorder=1)
    cuts = {str(model.branch_cut): model.branch_cut for model in panel.curves.values()}
    for row, cut in enumerate(cut for cut in cuts.values() if cut is not None):
        axes.axvspan(
            max(cut.lower, low),
            min(cut.upper, high),
            ymin=0.05 * row,
            ymax=0.05 * row + 0.04,
            facecolor="white",
            edgecolor=COLOURS[1],
            hatch="//////",
            linewidth=0,
            zorder=3,
        )
