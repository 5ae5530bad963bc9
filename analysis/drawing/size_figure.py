"""What each metric adds to size, as a forest plot: tau within families before and after size is held fixed."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from analysis.drawing.style import COLOURS, FAINT, INK, NOTE, OTHER, house_style, new_figure, svg_of
from analysis.statistics.partial import MeanTau
from analysis.studies.size_records import Added, Adds, Baseline, SizeStudy
from catalogs.plain import plain_text

_ADDING = (Adds.ADDS, Adds.REVERSED)


def size_figure(study: SizeStudy, rows: Sequence[Added], name: str) -> str:
    """Mean tau with the score over families: a row a metric, below the row of each control alone.

    A ring is the tau as it stands, a square that with size held fixed, its bar the interval by bootstrap over families;
    the square is filled where the metric adds to size. Dotted lines: as strong as size alone, either way round.

    Args:
        study: Of one score.
        rows: Its metrics, in the order in which they are to stand.
        name: Of the figure, unique in its page.
    """
    controls = [one for one in study.baselines if one.tau.tau is not None]
    count = len(controls) + len(rows)
    with house_style():
        figure = new_figure(9.6, 1.35 + 0.3 * count)
        axes = figure.subplots()
        axes.grid(visible=False, axis="y")
        axes.axvline(0, color=INK, linewidth=1, zorder=1)
        for place, one in enumerate(controls):
            _draw_control(axes, place, one)
        for place, row in enumerate(rows, start=len(controls)):
            _draw_metric(axes, place, row)
        axes.set_yticks(range(count), [plain_text(one.name) for one in controls] + [row.metric for row in rows])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set(xlim=(-1.04, 1.04), ylim=(count - 0.4, -0.6))
        axes.set_xticks([-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1])
        axes.set_xticklabels(["−1", "−.75", "−.5", "−.25", "0", ".25", ".5", ".75", "1"])
        left, right = ("smaller", "larger") if study.target.higher_is_better else ("larger", "smaller")
        middle = f"tau with {study.target.score_metric} within families"
        apart = 8 * "\u00a0"  # plain spaces become one in a page
        axes.set_xlabel(plain_text(f"← {left} is better{apart}{middle}{apart}{right} is better →"))
        _add_legend(axes)
        return svg_of(figure, name)


def _draw_control(axes: Axes, place: int, one: Baseline) -> None:
    """A control alone, with lines at its strength on both sides."""
    tau = one.tau.tau or 0.0
    axes.axhspan(place - 0.5, place + 0.5, color="#f3f5f7", zorder=0, linewidth=0)
    if place == 0:
        for end in (-tau, tau):
            axes.axvline(end, color=NOTE, linewidth=1.2, linestyle=(0, (1, 1.5)), zorder=1)
    _draw_bar(axes, place, one.tau, INK)
    axes.plot(tau, place, "D", markersize=6.5, color=INK, zorder=4)


def _draw_metric(axes: Axes, place: int, row: Added) -> None:
    adds = row.verdict in _ADDING
    colour = COLOURS[0] if adds else "#4b5563"
    if row.raw.tau is not None and row.partial.tau is not None:
        axes.plot([row.raw.tau, row.partial.tau], [place, place], color=FAINT, linewidth=1.2, zorder=1.5)
    if row.raw.tau is not None:
        face: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": OTHER, "markeredgewidth": 1.4}
        axes.plot(row.raw.tau, place, "o", markersize=6.5, zorder=3, **face)
    if row.partial.tau is None:
        axes.annotate("no family has a partial tau", (0.02, place), va="center", fontsize=8.5, color=NOTE)
        return
    _draw_bar(axes, place, row.partial, colour)
    filled: dict[str, Any] = {
        "markerfacecolor": colour if adds else "white",
        "markeredgecolor": colour,
        "markeredgewidth": 1.5,
    }
    axes.plot(row.partial.tau, place, "s", markersize=7, zorder=4, **filled)


def _draw_bar(axes: Axes, place: int, mean: MeanTau, colour: str) -> None:
    if mean.interval is not None:
        axes.plot([mean.interval.low, mean.interval.high], [place, place], color=colour, linewidth=2, zorder=2)


def _add_legend(axes: Axes) -> None:
    ring: dict[str, Any] = {"marker": "o", "linestyle": "none", "markerfacecolor": "white", "markeredgecolor": OTHER}
    square: dict[str, Any] = {"marker": "s", "markersize": 7, "linewidth": 2}
    handles = [
        axes.plot([], [], "D", color=INK, markersize=6.5, label="a control alone (dotted: as strong)")[0],
        axes.plot([], [], markersize=6.5, markeredgewidth=1.4, label="metric, raw tau", **ring)[0],
        axes.plot([], [], color="#4b5563", markerfacecolor="white", label="partial tau, size held fixed", **square)[0],
        axes.plot([], [], color=COLOURS[0], label="the same, adds to size", **square)[0],
    ]
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.legend(handles=handles, loc="outside upper left", ncols=4, columnspacing=1.4, handletextpad=0.5)
