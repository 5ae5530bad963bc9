"""Panels that several claims draw: a quantity along a sweep, beside what was published, and the words of a legend."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from analysis.drawing.style import COLOURS, DASHED, INK, MARKERS, new_figure, shared_legend
from setol_zoo.lab.claims.evidence import Sweep
from setol_zoo.lab.claims.spread import Spread

LAYER_LOOKS = {"fc1": (COLOURS[0], MARKERS[0]), "fc2": (COLOURS[1], MARKERS[1])}


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity along a sweep.

    Attributes:
        label: For the legend.
        colour: Of line and marks.
        marker: One of matplotlib's.
        values: By value of the sweep.
        published: The same, published.
    """

    label: str
    colour: str
    marker: str
    values: Mapping[float, Spread]
    published: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """A quantity, the same for every sweep.

    Attributes:
        title: Of the axis.
        lines: Of a sweep.
        level: Where a thin line is drawn across.
        log: Whether the axis is logarithmic.
    """

    title: str
    lines: Callable[[Sweep], Sequence[Line]]
    level: float | None = None
    log: bool = False


def draw_panels(sweeps: Sequence[Sweep], panels: Sequence[Panel], height: float = 2.9) -> Figure:
    """A row a quantity, a column a sweep; what was published is hollow and dashed."""
    figure = new_figure(9.6, 0.5 + height * len(panels))
    grid = figure.subplots(len(panels), len(sweeps), squeeze=False, sharey="row", sharex="col")
    for row, panel in zip(grid, panels, strict=True):
        for axes, sweep in zip(row, sweeps, strict=True):
            if panel.level is not None:
                axes.axhline(panel.level, color=INK, linewidth=0.9, linestyle=DASHED)
            for line in panel.lines(sweep):
                draw_line(axes, line)
            if panel.log:
                axes.set_yscale("log")
        row[0].set_ylabel(panel.title)
    for axes, sweep in zip(grid[-1], sweeps, strict=True):
        strength_axis(axes, sweep)
    shared_legend(figure, 4)
    return figure


def marks(sweeps: Sequence[Sweep], panels: Sequence[Panel], published: str = "published") -> str:
    """What a caption says of the bars and the hollow marks of such panels, each where some are drawn."""
    lines = [line for panel in panels for sweep in sweeps for line in panel.lines(sweep)]
    bars = any(each.sd is not None for line in lines for each in line.values.values())
    hollow = any(line.published for line in lines)
    return " Bars: standard deviation over seeds." * bars + f" Hollow: {published}." * hollow


def draw_line(axes: Axes, line: Line) -> None:
    """Means over seeds with their standard deviation as bars, and the published values."""
    if line.published:
        axes.plot(
            list(line.published),
            list(line.published.values()),
            color=line.colour,
            marker=line.marker,
            markersize=7,
            markerfacecolor="white",
            linestyle=DASHED,
            linewidth=1,
            label=f"{line.label}, published",
        )
    if line.values:
        axes.errorbar(
            list(line.values),
            [each.mean for each in line.values.values()],
            [each.sd or 0 for each in line.values.values()],
            color=line.colour,
            marker=line.marker,
            markersize=5,
            capsize=2.5,
            elinewidth=1,
            label=line.label,
            zorder=3,
        )


def strength_axis(axes: Axes, sweep: Sweep) -> None:
    """A logarithmic axis with the values of a sweep, the strongest training on the right."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(list(sweep.values)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ends = np.array([sweep.values[0], sweep.values[-1]])
    reach = 1.25
    axes.set_xlim(*(ends * [1 / reach, reach] if ends[0] < ends[1] else ends * [reach, 1 / reach]))
    axes.set_xlabel(f"{sweep.title}, at {sweep.at}")


def shades(n: int) -> list[str]:
    """So many colours in an order that shows, light to dark: for the values of a sweep."""
    return [to_hex(colormaps["viridis"](place)) for place in np.linspace(0.88, 0.05, n)]


_WIDEST = 6.5
"""Alphas that are drawn: above, there is hardly a tail."""


def beyond_frame(alphas: ArrayLike) -> str:
    """What a caption says of lines that `frame_alphas` cuts."""
    cut = np.nanmax(np.asarray(alphas, dtype=np.float64), initial=0) >= _WIDEST
    return " Lines that leave the frame began at larger alphas, which are not shown." * bool(cut)


def frame_alphas(axes: Axes, alphas: ArrayLike, others: ArrayLike) -> None:
    """Show alphas from below 2 to 6.5 at most, and what belongs to them on the other axis."""
    x, y = np.asarray(alphas, dtype=np.float64), np.asarray(others, dtype=np.float64)
    shown = (x < _WIDEST) & np.isfinite(y)
    if not shown.any():
        return
    axes.set_xlim(min(1.8, x[shown].min() - 0.1), x[shown].max() + 0.2)
    low, high = min(0.0, y[shown].min()), y[shown].max()
    axes.set_ylim(low - 0.04 * (high - low), high + 0.06 * (high - low))
