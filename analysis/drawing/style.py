"""One look for all figures, and how a figure becomes text to put in a page."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from catalogs.plain import plain_text

# Okabe and Ito's palette, which readers with any colour vision can tell apart; yellow is left out, too pale in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
OTHER = "#8a8f98"
INK = "#1f2328"
FAINT = "#c9ced6"
NOTE = "#6b7280"
DASHED = (0, (6, 2))
DOTTED = (0, (1, 1.5))
DASH_DOTTED = (0, (8, 2, 1.5, 2))
BAR = "#d3e3f0"
"""Fill of a histogram, pale enough for any line on it."""

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so texts are measured alike on every machine
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#6b7280",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ebef",
    "grid.linewidth": 0.8,
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "text.parse_math": False,  # a model's name may hold a dollar
    "svg.fonttype": "none",
    "svg.hashsalt": "setol-zoo",
}
_FONTS = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"


@contextmanager
def house_style() -> Iterator[None]:
    """The look, for the time of drawing one figure."""
    with mpl.rc_context(_STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that can measure its own texts; the caller is in the house style."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def svg_of(figure: Figure, name: str) -> str:
    """A figure as an SVG element that can stand in a page beside others.

    Args:
        figure: The figure; the caller is in the house style.
        name: Put before every id, so that no two figures of a page share one.

    Returns:
        The element, the same text for the same figure; no date, no outer reference.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=200, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = buffer.getvalue()
    svg = plain_text(svg[svg.index("<svg") :], keep="\t\r\n\u200b")  # the last stands before labels of ours
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", svg)
    svg = re.sub(r"'DejaVu Sans'(, sans-serif)?", _FONTS, svg)
    return re.sub(r'<svg ([^>]*?)width="[^"]*"', rf'<svg role="img" \1class="figure" data-name="{name}"', svg, count=1)


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    others: Sequence[tuple[float, float]] = (),
    *,
    only_with_room: bool = False,
) -> None:
    """Write a text beside each point, where it covers the least of points, texts and the frame.

    The texts leave the layout as it is.

    Args:
        axes: Its limits are final and its figure has been laid out.
        points: In data coordinates.
        texts: One a point.
        others: Points without a text, which are not to be covered either.
        only_with_room: Leave out texts that find no place where they cover nearly nothing.
    """
    canvas = axes.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    renderer = canvas.get_renderer()
    if not points:
        return
    places = [tuple(place) for place in axes.transData.transform(points)]
    drawn = [*places, *map(tuple, axes.transData.transform(others) if others else ())]
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in drawn]
    frame = axes.get_window_extent(renderer)
    for (x, y), text in zip(points, texts, strict=True):
        label = axes.annotate(text, (x, y), xytext=(0, 0), textcoords="offset points", fontsize=8.5, color="#374151")
        label.set_in_layout(False)  # else panels would shrink when the figure is laid out again to be saved
        costs = []
        for dx, dy, horizontal, vertical in _OFFSETS:
            label.set(position=(dx, dy), ha=horizontal, va=vertical)
            costs.append(_cost(label.get_window_extent(renderer), taken, frame))
        dx, dy, horizontal, vertical = _OFFSETS[costs.index(min(costs))]
        label.set(position=(dx, dy), ha=horizontal, va=vertical)
        box = label.get_window_extent(renderer)
        if only_with_room and min(costs) > _ROOM * box.width * box.height:
            label.remove()
        else:
            taken.append(box)


_ROOM = 0.05
"""Share of a text that may lie on other things, or outside the frame, where it is to have room."""

MOST_OUTLINED = 30
"""Marks beyond which they are small and without an outline: outlines would hide each other."""


def mark_at_foot(axes: Axes, points: NDArray[np.float64], height: float, marker: str, colour: str, label: str) -> None:
    """Mark single points of the first axis near the foot of the frame: at their density they would not be seen.

    Args:
        axes: Where to.
        points: On the first axis, in data coordinates, shape (n,); none leaves the picture as it is.
        height: In shares of the frame.
        marker: One of matplotlib's.
        colour: Of the marks.
        label: For the legend.
    """
    few = len(points) <= MOST_OUTLINED
    if len(points):
        axes.plot(
            points,
            np.full(len(points), height),
            marker,
            markersize=7 if few else 4.5,
            color=colour,
            markeredgecolor="white",
            markeredgewidth=0.7 if few else 0,
            transform=axes.get_xaxis_transform(),
            label=label,
        )


def shared_legend(figure: Figure, columns: int) -> None:
    """One legend below all panels, each text once."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=columns)


def plain_powers(*several: Any) -> None:
    """Label logarithmic axes with plain numbers near 1 and powers of ten elsewhere."""
    for axis in several:
        axis.set_major_formatter(FuncFormatter(_power_of_ten))
        axis.set_minor_formatter(NullFormatter())


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power_of_ten(value: float, _: int | None = None) -> str:
    exponent = round(np.log10(value))
    if -2 <= exponent <= 2:
        return f"{value:g}"
    return "10" + str(exponent).translate(_SUPERSCRIPT)


_OFFSETS = (
    (7, 0, "left", "center"),
    (-7, 0, "right", "center"),
    (0, 7, "center", "bottom"),
    (0, -7, "center", "top"),
    (6, 5, "left", "bottom"),
    (6, -5, "left", "top"),
    (-6, 5, "right", "bottom"),
    (-6, -5, "right", "top"),
    (0, 18, "center", "bottom"),
    (0, -18, "center", "top"),
)


def _cost(box: Bbox, taken: Sequence[Bbox], frame: Bbox) -> float:
    """Area of a label on other things, and outside the frame, where it would be cut off or run into the next panel."""
    overlaps = (Bbox.intersection(box, other) for other in taken)
    covered = sum(overlap.width * overlap.height for overlap in overlaps if overlap)
    inside = Bbox.intersection(box, frame)
    outside = box.width * box.height - (inside.width * inside.height if inside else 0.0)
    return float(covered + 2 * outside)
