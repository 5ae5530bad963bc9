"""Figures of one analysis: alpha by depth, and each layer's spectrum with its fit."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from setol_zoo.analysis_result import Analysis


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that shows itself in a notebook, opens no window, and is kept by `save`.

    Attributes:
        figure: The matplotlib figure, to be changed at will.
    """

    figure: "Figure"

    def save(self, path: str | Path) -> Path:
        """Write the figure; the suffix (.png, .svg, .pdf) says as what. Folders are made."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._drawn(path.suffix.removeprefix(".") or "png"))
        return path

    def _repr_png_(self) -> bytes:
        return self._drawn("png")

    def _drawn(self, form: str) -> bytes:
        from analysis.drawing.style import house_style

        buffer = io.BytesIO()
        with house_style():
            self.figure.savefig(buffer, format=form, dpi=150)
        return buffer.getvalue()


def depth_picture_of(analysis: "Analysis") -> Picture:
    """Alpha of all layers with a fitted tail, in the model's order.

    Raises:
        AnalysisError: No layer has one.
    """
    from analysis import AnalysisError
    from analysis.drawing.pictures import depth_picture

    rows = fitted_rows(analysis)
    if not rows:
        raise AnalysisError(f"there is nothing to draw. {analysis.reading}")
    return Picture(depth_picture(rows, analysis.order))


def layer_picture_of(analysis: "Analysis", row: Mapping[str, Any]) -> Picture:
    """The spectrum of one layer with its fit, how well other tails would fit, and what noise would look like.

    Args:
        analysis: The analysis.
        row: One of `fitted_rows`.
    """
    from analysis.drawing.pictures import layer_picture
    from analysis.drawing.stored_layer import layer_of_lists

    spectra = analysis._evals
    keys = list(zip(spectra["tensor"].to_pylist(), spectra["part"].to_pylist(), strict=True))
    stored = layer_of_lists(spectra, keys.index((row["tensor"], row["part"])), row, analysis.options)
    return Picture(layer_picture(stored.evals, row, analysis.options, stored.noise))


def fitted_rows(analysis: "Analysis") -> list[dict[str, Any]]:
    """Rows of `layers` with a fitted tail, each with the model's name."""
    rows = analysis.to_arrow().to_pylist()
    return [{"name": analysis.name, **row} for row in rows if row["status"] == "ok"]
