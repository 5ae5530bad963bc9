"""A folder of pictures of one model: every fitted layer's spectrum, and alpha by depth."""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.drawing.noise_figure import NoiseComparison, draw_noise
from analysis.drawing.scan_curve import draw_scan, scan_curve
from analysis.drawing.spectrum_figure import FittedSpectrum, draw_log_linear, draw_log_log
from analysis.drawing.stored_layer import stored_layer
from analysis.drawing.style import COLOURS, INK, MARKERS, NOTE, house_style, label_points, new_figure, shared_legend
from analysis.opening.literals import sql_text
from analysis.opening.placing import put_in_place
from analysis.opening.results import Results
from analysis.order import layer_order
from catalogs.plain import plain_text

FORMATS = ("png", "svg")

MOST_ERRORS = 150
"""Layers beyond which standard errors are left out: they would hide the points."""

_LAYERS = """
SELECT *, row_number() OVER (ORDER BY line) AS place FROM (
SELECT model, name, file, tensor, layer, part, tap, kind, n_rows, n_cols, n_slices, n_evals, evals_factor,
       alpha, alpha_sigma, lambda_min, d_ks, d_ww, n_tail, erg_lambda_min, mp_lambda_plus, phase, phase_decided_by,
       status, row_number() OVER (ORDER BY file, "row", tap) AS line
FROM layers WHERE model = {model}) WHERE status = 'ok' ORDER BY line
"""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def write_pictures(
    results: Results,
    model: str,
    folder: Path,
    *,
    form: str = "png",
    first: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Path, ...]:
    """Draw one model into a folder of its own.

    Args:
        results: Open results.
        model: Key of the model.
        folder: The model's folder is made in it, under the model's name.
        form: One of `FORMATS`.
        first: Of how many layers of the model to draw those with a fit: the first ones in its order, which are those
            that a table of as many rows shows. None draws all.
        progress: Called with each layer's name before it is drawn.

    Returns:
        The files: `alpha_by_depth`, of all layers with a fit, then a file a layer, numbered by its place in that
        picture. None without any fit.

    Raises:
        AnalysisError: The folder cannot be written to.
    """
    rows = results.rows(_LAYERS.format(model=sql_text(model)))
    if not rows:
        return ()
    place = folder / safe_name(rows[0]["name"])
    by_depth = depth_picture(rows, layer_order(row["file"] for row in rows))
    written = [_write(by_depth, place / f"alpha_by_depth.{form}")]
    digits = len(str(len(rows)))
    chosen = [row for row in rows if first is None or row["line"] <= first]
    for row, figure in _layer_pictures(results, chosen, progress):
        name = safe_name(_layer_text(row))
        written.append(_write(figure, place / f"layer_{row['place']:0{digits}}_{name}.{form}"))
    return tuple(written)


def safe_name(text: str) -> str:
    """A name that every file system takes: letters, digits, dot, dash and underscore, at most 100 of them."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:100].strip(".") or "unnamed"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def layer_picture(
    evals: NDArray[np.float64],
    row: Mapping[str, Any],
    metrics: Mapping[str, Any],
    noise: NoiseComparison | None = None,
) -> Figure:
    """One layer: its density on logarithmic axes, its shape on a linear one, d_ww against lambda_min, and noise.

    Args:
        evals: The pooled spectrum, scaled as the row's lambdas are, ascending, shape (n,).
        row: Of `layers`, with a fit.
        metrics: Metric options of the configuration: least_eigenvalue, small_sample.
        noise: What noise would look like; without it there are three panels.
    """
    spectrum = FittedSpectrum.of_row(evals, row)
    seen = evals[evals > metrics["least_eigenvalue"]]
    curve = scan_curve(seen, keep=row["lambda_min"], small_sample=metrics["small_sample"])
    with house_style():
        figure = new_figure(*((11.6, 8.6) if noise else (13.2, 4.6)))
        log_log, log_linear, scan, *beside = figure.subplots(*((2, 2) if noise else (1, 3))).flat
        draw_log_log(log_log, spectrum)
        draw_log_linear(log_linear, spectrum)
        draw_scan(scan, curve, spectrum)
        for axes in (log_log, log_linear, scan):
            axes.set_xlim(spectrum.shown.min(), spectrum.evals.max() * 1.15)
        if noise:
            draw_noise(beside[0], noise)
        if hidden := len(evals) - len(spectrum.shown):
            log_linear.set_title(f"{hidden} smaller eigenvalues not shown", loc="right", fontsize=8.5, color=NOTE)
        size = f"{row['n_rows']} × {row['n_cols']}" + (f" × {row['n_slices']} taps" if row["n_slices"] > 1 else "")
        told = f"alpha {row['alpha']:.2f} ± {row['alpha_sigma']:.2f}, D {row['d_ks']:.4f}, d_ww {row['d_ww']:.4f}"
        figure.suptitle(
            f"{plain_text(row['name'])}   {_layer_text(row)}   {row['kind']}, {size}   {told}",
            x=0.01,
            ha="left",
            size=12,
        )
        shared_legend(figure, 3 if noise else 5)
    return figure


def depth_picture(rows: Sequence[Mapping[str, Any]], order: str) -> Figure:
    """Alpha along one model's layers, with standard errors.

    What lies far above the others is drawn as a triangle on the upper edge, and the farthest are named.

    Args:
        rows: Of `layers`, those with a fit, in the model's order. Tables are drawn, but as in `model_metrics` they
            are not in the median.
        order: What order that is, see `layer_order`.
    """
    kinds = sorted({row["kind"] for row in rows}, key=lambda kind: -sum(row["kind"] == kind for row in rows))
    alphas = np.array([row["alpha"] for row in rows])
    top = 1.1 * max(6.5, float(np.quantile(alphas, 0.97)))
    counted = [row["alpha"] for row in rows if row["kind"] != "table"]
    few = len(rows) <= MOST_ERRORS
    with house_style():
        figure = new_figure(10.8, 4.6)
        axes = figure.subplots()
        axes.axhspan(2, 6, color="#e6f0e6", zorder=0, label="2 to 6, HTSR's range")
        if counted:
            axes.axhline(np.median(counted), color=INK, linewidth=1.2, label=f"median {np.median(counted):.2f}")
        for kind, colour, marker in zip(kinds, COLOURS * 2, MARKERS * 2, strict=False):
            own = [(place, row) for place, row in enumerate(rows, 1) if row["kind"] == kind]
            places, values = [place for place, _ in own], [row["alpha"] for _, row in own]
            axes.errorbar(
                places,
                values,
                [row["alpha_sigma"] for _, row in own] if few else None,
                fmt=marker,
                markersize=5 if few else 3,
                color=colour,
                ecolor=colour,
                elinewidth=0.9,
                label=f"{kind} ({len(own)}{', not in the median' if kind == 'table' else ''})",
            )
        axes.set(xlim=(0, len(rows) + 1), ylim=(1, top), xlabel=f"fitted matrix, {order}", ylabel="alpha")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if outside := np.flatnonzero(alphas > top).tolist():
            axes.plot([i + 1 for i in outside], [top] * len(outside), "^", color=INK, markersize=7, clip_on=False)
            axes.set_title(
                f"▲ {len(outside)} above the frame, up to {alphas.max():.1f}", loc="right", fontsize=8.5, color=NOTE
            )
        axes.set_title(f"{plain_text(rows[0]['name'])}   alpha by depth", loc="left", fontsize=12)
        figure.legend(loc="outside lower left", ncols=6)
        figure.canvas.draw()
        ranked = np.argsort(alphas, kind="stable").tolist()
        far = [i for i in ranked[:3] if alphas[i] < 2]
        far += [i for i in ranked if 6 < alphas[i] < top][-3:]
        farthest = ranked[-min(3, len(outside)) :] if outside else []
        texts = [_layer_text(rows[i]) for i in far]
        texts += [f"{_layer_text(rows[i])} {alphas[i]:.1f}" for i in farthest]
        drawn = [(i + 1, min(alphas[i], top)) for i in range(len(rows))]
        label_points(axes, [drawn[i] for i in (*far, *farthest)], texts, drawn)
        for text in axes.texts:
            text.set_path_effects([withStroke(linewidth=3, foreground="white")])
    return figure


def _layer_pictures(
    results: Results, rows: Sequence[Mapping[str, Any]], progress: Callable[[str], None]
) -> Iterator[tuple[Mapping[str, Any], Figure]]:
    metrics = results.configuration.options["metrics"]
    for row in rows:
        progress(_layer_text(row))
        stored = stored_layer(results, row)
        yield row, layer_picture(stored.evals, row, metrics, stored.noise)


def _layer_text(row: Mapping[str, Any]) -> str:
    return plain_text(row["layer"] + (f".{row['part']}" if row["part"] else ""))


def _write(figure: Figure, path: Path) -> Path:
    """Put a picture in place whole."""
    buffer = io.BytesIO()
    with house_style():
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(buffer, format=path.suffix[1:], dpi=150, metadata=metadata)
    put_in_place(buffer.getvalue(), path, "picture", "Name another folder.")
    return path
