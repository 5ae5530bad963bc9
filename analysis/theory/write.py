"""All figures of the theory into a folder."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from analysis.drawing.style import house_style
from analysis.errors import AnalysisError
from analysis.opening.placing import put_in_place
from analysis.theory.noise import marchenko_pastur_figure, tracy_widom_figure
from analysis.theory.phases import phases_figure
from analysis.theory.signals import mean_trap_figure, transition_figure
from analysis.theory.transforms import g_figure, r_figure
from catalogs import unknown_name

FORMATS = ("png", "svg")

FIGURES: dict[str, Callable[[int], Figure]] = {
    "phases": phases_figure,
    "marchenko_pastur": marchenko_pastur_figure,
    "tracy_widom": tracy_widom_figure,
    "transition": transition_figure,
    "mean_trap": mean_trap_figure,
    "r_transforms": r_figure,
    "r_integrals": g_figure,
}
"""Each draws itself from a seed."""


def write_theory_figures(
    folder: Path,
    names: Sequence[str] = (),
    *,
    form: str = "png",
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Path, ...]:
    """Draw figures of the theory into a folder; the same seed gives the same files.

    Args:
        folder: It is made if missing.
        names: Which of `FIGURES`; none for all.
        form: One of `FORMATS`.
        seed: Where the simulations come from, 0 or above.
        progress: Called with each figure's name before it is drawn.

    Returns:
        The files, in the order of the names.

    Raises:
        AnalysisError: There is no such figure or format, the seed is negative, or the folder cannot be written to.
    """
    for name in names:
        if name not in FIGURES:
            raise AnalysisError(unknown_name("figure", name, FIGURES))
    if form not in FORMATS:
        raise AnalysisError(unknown_name("format", form, FORMATS))
    if seed < 0:
        raise AnalysisError(f"need a seed of at least 0; got {seed}.")
    written = []
    for name in dict.fromkeys(names or FIGURES):
        progress(name)
        path = folder / f"{name}.{form}"
        with threadpool_limits(1):  # small matrices: more threads wait for each other, and may change the last bits
            figure = FIGURES[name](seed)
        put_in_place(_encoded(figure, form), path, "figure", "Name another folder.")
        written.append(path)
    return tuple(written)


def _encoded(figure: Figure, form: str) -> bytes:
    buffer = io.BytesIO()
    with house_style():
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(buffer, format=form, dpi=150, metadata=metadata)
    return buffer.getvalue()
