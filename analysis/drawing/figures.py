"""Figures of many models or layers: metrics against scores, alpha against ERG, alpha by model and along it.

Each function takes rows and returns an SVG element as text. Nothing here reads results, and
nothing is kept in pyplot.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.drawing.short_names import short_names
from analysis.drawing.style import COLOURS, INK, MARKERS, OTHER, house_style, label_points, new_figure, svg_of

Row = Mapping[str, Any]

MOST_LABELS = 24
"""Points beyond which their names are left out: they would hide each other."""

MOST_VECTORS = 4000
"""Points beyond which they are drawn as an image: a page with every one of 100,000 as a shape is slow."""

_BOXES = 40


def score_figure(rows: Sequence[Row], panels: Mapping[str, str], name: str) -> str:
    """Published scores against several metrics side by side, a point a model.

    Args:
        rows: Of `scored_models`, all of one dataset and score: name, family, score, score_metric, unit, metrics.
        panels: Title by column, a panel each.
        name: Of the figure, unique in its page.
    """
    looks = _looks(rows)
    many = len(rows) * len(panels) > MOST_VECTORS
    with house_style():
        figure = new_figure(9.6, 3.7 if len(looks) == 1 else 4.1)
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (column, title) in zip(all_axes, panels.items(), strict=True):
            for family, (colour, marker) in looks.items():
                members = [row for row in rows if _family(row, looks) == family and row[column] is not None]
                x, y = [row[column] for row in members], [row["score"] for row in members]
                look: dict[str, Any] = {
                    "color": colour,
                    "marker": marker,
                    "label": _legend_text(family),
                    "linewidths": 0,
                }
                axes.scatter(x, y, s=12 if many else 34, rasterized=many, **look)
            axes.set_xlabel(title)
            axes.margins(0.16, 0.12)
            axes.xaxis.set_major_locator(MaxNLocator(5))
        all_axes[0].set_ylabel(f"{rows[0]['score_metric']} ({rows[0]['unit']})")
        if len(looks) > 1:
            handles, labels = all_axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5))
        if len(rows) <= MOST_LABELS:
            figure.canvas.draw()
            names = [row["name"] for row in rows]
            short = dict(zip(names, short_names(names), strict=True))
            for axes, column in zip(all_axes, panels, strict=True):
                known = [row for row in rows if row[column] is not None]
                points = [(row[column], row["score"]) for row in known]
                label_points(axes, points, [short[row["name"]] for row in known], only_with_room=True)
        return svg_of(figure, name)


def erg_figure(rows: Sequence[Row], name: str) -> str:
    """Alpha against the distance of the tail's edge from the ECS, a point a layer.

    Args:
        rows: Of `layers`, those with a fit: family, alpha, erg_delta.
        name: Of the figure, unique in its page.
    """
    looks = _looks(rows)
    alpha, delta = _values(rows, "alpha"), _values(rows, "erg_delta")
    x_limits, y_limits = (1.0, _upper(alpha)), (-max(_upper(-delta), 0.06 * _upper(delta)), _upper(delta))
    inside = (alpha <= x_limits[1]) & (delta >= y_limits[0]) & (delta <= y_limits[1])
    many = len(rows) > MOST_VECTORS
    with house_style():
        figure = new_figure(9.6, 5.2)
        axes = figure.subplots()
        axes.axvline(2, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.axhline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        for rank, (family, (colour, marker)) in enumerate(looks.items()):
            own = np.array([_family(row, looks) == family for row in rows], dtype=bool)
            axes.scatter(
                alpha[own],
                delta[own],
                s=5 if many else 14 if rank == 0 else 20,  # the largest family lies below, the small ones on top
                color=colour,
                marker=marker,
                linewidths=0,
                alpha=0.45 if many or rank == 0 else 0.85,
                label=_legend_text(f"{family} ({np.count_nonzero(own)})"),
                rasterized=many,
                zorder=1.5 if colour == OTHER else 2,
            )
        axes.set(xlim=x_limits, ylim=y_limits, xlabel="alpha", ylabel="erg_delta (mean eigenvalue 1)")
        legend = figure.legend(loc="outside upper left", ncols=min(4, len(looks)))
        for handle in legend.legend_handles:
            if isinstance(handle, PathCollection):
                handle.set_alpha(1)
                handle.set_sizes([34])
        axes.annotate("alpha = 2", (2, 1), (4, -10), xycoords=("data", "axes fraction"), textcoords="offset points")
        axes.annotate("ERG", (1, 0), (4, -3), xycoords=("axes fraction", "data"), textcoords="offset points")
        if not inside.all():
            note = f"{np.count_nonzero(~inside)} of {len(inside)} layers lie outside the frame"
            axes.set_title(note, loc="right", fontsize=8.5, color="#6b7280")
        return svg_of(figure, name)


def alpha_figure(rows: Sequence[Row], name: str) -> str:
    """The alphas of each model's layers: all of them, the quartiles as a bar, the median as a line.

    Args:
        rows: Of `layers`, those with a fit: name, family, alpha, in the order in which models are to be shown. With
            more than 40 models a row of the figure is a family; of more than 40 families, those of the fewest layers
            share the last row.
        name: Of the figure, unique in its page.
    """
    looks = _looks(rows)
    key = "name" if len({row["name"] for row in rows}) <= _BOXES else "family"
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key] or "no family", []).append(row)
    if len(groups) > _BOXES:
        largest = set(sorted(groups, key=lambda each: -len(groups[each]))[: _BOXES - 1])
        others = [row for each, members in groups.items() if each not in largest for row in members]
        shown = {each: members for each, members in groups.items() if each in largest}
        groups = shown | {f"{len(groups) - len(shown)} other families": others}
    limit = _upper(_values(rows, "alpha"))
    rng = np.random.default_rng(0)
    with house_style():
        figure = new_figure(9.6, 0.9 + 0.3 * len(groups))
        axes = figure.subplots()
        axes.grid(visible=False, axis="y")
        axes.axvline(2, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        for position, members in enumerate(groups.values()):
            alpha = _values(members, "alpha")
            colour, _ = looks[_family(members[0], looks)]
            low, median, high = np.quantile(alpha, [0.25, 0.5, 0.75])
            axes.barh(position, high - low, left=low, height=0.62, color=colour, alpha=0.22)
            axes.scatter(
                alpha,
                position + rng.uniform(-0.24, 0.24, len(alpha)),
                s=7 if len(alpha) < 300 else 3,
                color=colour,
                alpha=0.6,
                linewidths=0,
                rasterized=len(rows) > MOST_VECTORS,
            )
            axes.plot([median, median], [position - 0.34, position + 0.34], color=INK, linewidth=2)
            if beyond := np.count_nonzero(alpha > limit):
                axes.annotate(
                    f"{beyond} more ›",
                    (1, position),
                    (6, 0),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    va="center",
                    fontsize=8.5,
                    color="#4b5563",
                )
        axes.set_yticks(range(len(groups)), list(groups))
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set(xlim=(1, limit), ylim=(len(groups) - 0.4, -0.6), xlabel="alpha")
        return svg_of(figure, name)


def depth_figure(rows: Sequence[Row], name: str) -> str:
    """Alpha along the models: the median over their layers in each tenth of the way from the first to the last.

    Args:
        rows: Of `layers`, those with a fit: name, family, position (0 to 1), alpha. A panel is a family; those beyond
            the sixth are left out.
        name: Of the figure, unique in its page.
    """
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row["family"] or "no family", []).append(row)
    shown = dict(sorted(families.items(), key=lambda item: -len({row["name"] for row in item[1]}))[:6])
    columns = min(3, len(shown))
    n_rows = -(-len(shown) // columns)
    with house_style():
        figure = new_figure(9.6, 0.4 + 2.9 * n_rows)
        grid = figure.subplots(n_rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(shown) :]:
            axes.set_visible(False)
        for axes, (family, members) in zip(grid.flat, shown.items(), strict=False):
            models: dict[str, list[Row]] = {}
            for row in members:
                models.setdefault(row["name"], []).append(row)
            axes.axhline(2, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            for index, (model, layers) in enumerate(zip(short_names(list(models)), models.values(), strict=True)):
                x, y = _tenths(_values(layers, "position"), _values(layers, "alpha"))
                few = len(models) <= len(COLOURS)
                axes.plot(
                    x,
                    y,
                    color=COLOURS[index] if few else OTHER,
                    marker=MARKERS[index] if few else None,
                    markersize=4,
                    linewidth=1.3 if few else 0.7,
                    alpha=0.95 if few else 0.5,
                    label=_legend_text(model) if few else None,
                )
            axes.set_title(family if len(models) <= len(COLOURS) else f"{family} ({len(models)} models)")
            if len(models) <= len(COLOURS):
                axes.legend(fontsize=7.5, ncols=1 if len(models) < 4 else 2, loc="upper center")
        top = max(max(line.get_ydata()) for axes in grid.flat for line in axes.get_lines())
        grid[0, 0].set(xlim=(0, 1), ylim=(1, top * 1.35))
        for axes in grid[-1]:
            axes.set_xlabel("first   →   last layer")
        for axes in grid[:, 0]:
            axes.set_ylabel("alpha (median)")
        for axes in grid.flat:
            axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
        return svg_of(figure, name)


def _legend_text(text: str) -> str:
    """A label that matplotlib does not take for a hidden one, as it does those that begin with an underscore."""
    return text if not text.startswith("_") else f"\u200b{text}"


def _looks(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each family, the largest first; families beyond the palette share grey."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["family"] or "no family"] = counts.get(row["family"] or "no family", 0) + 1
    ranked = sorted(counts, key=lambda family: (-counts[family], family))
    looks = dict(zip(ranked, zip(COLOURS, MARKERS, strict=True), strict=False))
    if len(ranked) > len(looks):
        looks[f"{len(ranked) - len(looks)} other families"] = (OTHER, ".")
    return looks


def _family(row: Row, looks: Mapping[str, tuple[str, str]]) -> str:
    family = row["family"] or "no family"
    return family if family in looks else list(looks)[-1]


def _values(rows: Sequence[Row], column: str) -> NDArray[np.float64]:
    return np.array([row[column] for row in rows], dtype=np.float64)


def _upper(values: NDArray[np.float64]) -> float:
    """Where an axis may end: past all values, or past 98.5 % of them if the rest lies far out."""
    top, most = float(values.max()), float(np.quantile(values, 0.985))
    return 1.06 * (top if top <= 1.5 * abs(most) else most) if top > 0 else 0.3


def _tenths(position: NDArray[np.float64], alpha: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Middle and median alpha of each tenth of the depth that has layers."""
    tenth = np.minimum((position * 10).astype(int), 9)
    there = sorted(set(tenth.tolist()))
    return [(each + 0.5) / 10 for each in there], [float(np.median(alpha[tenth == each])) for each in there]
