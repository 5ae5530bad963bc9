"""How far a metric's agreement runs over choices: a strip a metric, a mark a choice."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes

from analysis.drawing.style import COLOURS, FAINT, INK, MARKERS, NOTE, house_style, new_figure, svg_of
from analysis.samples.choices import DEFAULT
from analysis.studies.effects import Effect
from analysis.studies.sensitivity import Sensitivity
from catalogs.plain import plain_text

_GROUPS = {
    "another average": ("median", "weighted"),
    "fewer layers": (
        *("no first and last", "linear only", "convolutions only", "no embeddings"),
        *("50+ eigenvalues", "100+ eigenvalues", "200+ eigenvalues"),
    ),
    "without large alpha": ("alpha up to 8", "alpha up to 6"),
    "other options": (),
}
"""Choices by kind; those that are in no other are of the last."""

_HEIGHTS = (-0.21, -0.07, 0.07, 0.21)
"""Where in a strip each kind has its marks, so that those of one value do not hide each other."""

_LONGEST = 26
"""Letters of a choice's name that are shown."""

_SAME = 0.005
"""Difference from the default below which the end of a strip is not named."""


def sensitivity_figure(found: Sensitivity, name: str) -> str:
    """Tau with the score, and tau of the ranking with that by default, under every choice.

    Each metric is a strip and each choice a mark, the default a line across; a mark is hollow where the choice loses
    models. The choices at both ends of a strip are named. Without scores only rankings are shown.

    Args:
        found: The comparison, of one metric or more.
        name: Of the figure, unique in its page.
    """
    values: list[tuple[str, Callable[[Effect], float | None]]] = []
    if found.target is not None and any(each.tau is not None for each in found.effects):
        values.append((f"tau with {found.target.score_metric}, {found.target.dataset}", lambda each: each.tau))
    values.append(("tau of the ranking with that by default", lambda each: each.agreement))
    with house_style():
        figure = new_figure(9.6, 1.3 + 0.62 * len(found.metrics))
        several = figure.subplots(1, len(values), sharey=True, squeeze=False)[0]
        for axes, (title, value) in zip(several, values, strict=True):
            for place, metric in enumerate(found.metrics):
                _draw_strip(axes, place, found.of(metric), value)
            axes.set(xlim=(-1.08, 1.08), xlabel=plain_text(title))
            axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["−1", "−½", "0", "½", "1"])
            axes.axvline(0, color=NOTE, linewidth=0.9, zorder=1)
            axes.grid(visible=False, axis="y")
        several[0].set_yticks(range(len(found.metrics)), list(found.metrics))
        several[0].set_ylim(len(found.metrics) - 0.4, -0.6)
        for axes in several:
            axes.tick_params(axis="y", length=0, labelcolor=INK)
        there = dict.fromkeys(_group(each.choice) for each in found.effects if each.choice != DEFAULT)
        handles = [several[-1].plot([], [], color=INK, linewidth=2.4, label="mean over layers")[0]]
        for group in (group for group in _GROUPS if group in there):
            colour, marker, _ = _look(group)
            handles.append(several[-1].plot([], [], color=colour, marker=marker, linestyle="none", label=group)[0])
        hollow = {"color": "none", "markeredgecolor": INK, "marker": "s"}
        handles.append(several[-1].plot([], [], **hollow, label="hollow: fewer models")[0])
        figure.legend(
            handles=handles, loc="outside upper left", ncols=len(handles), columnspacing=1.2, handletextpad=0.4
        )
        return svg_of(figure, name)


def _draw_strip(axes: Axes, place: int, effects: Sequence[Effect], value: Callable[[Effect], float | None]) -> None:
    """One metric: a faint line as far as its values run, marks on it, names at the ends."""
    known = [(number, each) for each in effects if (number := value(each)) is not None]
    if not known:
        axes.annotate("too few models", (0, place), ha="center", va="center", fontsize=8.5, color=NOTE)
        return
    low, high = (end(known, key=lambda pair: pair[0]) for end in (min, max))
    axes.plot([low[0], high[0]], [place, place], color=FAINT, linewidth=6, solid_capstyle="round", zorder=1.2)
    default = next((number for number, each in known if each.choice == DEFAULT), None)
    if default is not None:
        axes.plot([default, default], [place - 0.32, place + 0.32], color=INK, linewidth=2.4, zorder=2)
    for number, each in known:
        if each.choice != DEFAULT:
            colour, marker, height = _look(_group(each.choice))
            inside = "white" if each.n_lost else colour
            axes.scatter(number, place + height, s=22, marker=marker, facecolors=inside, edgecolors=colour, zorder=3)
    for (number, each), side in ((low, -1), (high, 1)):
        if each.choice != DEFAULT and (default is None or abs(number - default) > _SAME):
            _name_end(axes, number, place, each.choice, side)


def _name_end(axes: Axes, number: float, place: int, choice: str, side: int) -> None:
    """Name a choice beside its mark, or below where there is no room up to the frame."""
    room = number * side < 0.5
    axes.annotate(
        plain_text(choice if len(choice) <= _LONGEST else f"{choice[: _LONGEST - 1]}…"),
        (number, place if room else place + 0.33),
        (8 * side, 0) if room else (4 * side, 0),
        textcoords="offset points",
        ha="left" if (side > 0) == room else "right",
        va="center" if room else "top",
        fontsize=7.5,
        color="#374151",
    )


def _group(choice: str) -> str:
    return next((group for group, names in _GROUPS.items() if choice in names), list(_GROUPS)[-1])


def _look(group: str) -> tuple[str, str, float]:
    """Colour, marker and height of a kind of choices."""
    place = list(_GROUPS).index(group)
    return COLOURS[place], MARKERS[place], _HEIGHTS[place]
