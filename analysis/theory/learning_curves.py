"""Learning curves, learnability, spectra on the sphere, and predictions against measurements, as pictures."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from analysis.drawing.style import (
    COLOURS,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    INK,
    MARKERS,
    NOTE,
    house_style,
    new_figure,
    plain_powers,
)
from analysis.opening.placing import put_in_place
from setol.field_theory import LearningCurve, Spectrum
from setol.field_theory.features import EmpiricalModes

Vector = NDArray[np.float64]

_LINES = ("solid", DASHED, DOTTED, DASH_DOTTED)
_BAND = 0.03
_MOST_DEGREES = 6


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredErrors:
    """Errors that were measured, with their standard errors (NaN where there is one data set)."""

    n_examples: Vector
    error: Vector
    standard_error: Vector


def curve_figure(curves: Mapping[str, LearningCurve], measured: MeasuredErrors | None = None) -> Figure:
    """Error against examples, a line a theory; below, each theory over what was measured.

    Args:
        curves: By method, all of the same numbers of examples.
        measured: Points of the same numbers of examples.
    """
    with house_style():
        figure = new_figure(7.2, 5.6 if measured else 4.2)
        panels = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 1]) if measured else [figure.subplots()]
        top = panels[0]
        for (method, curve), colour, line in zip(curves.items(), COLOURS, _LINES, strict=False):
            label = method.replace("_", " ")
            top.plot(curve.n_examples, curve.error, color=colour, linestyle=line, label=label)
            if measured:
                panels[1].plot(curve.n_examples, curve.error / measured.error - 1, color=colour, linestyle=line)
        if measured:
            spread = np.nan_to_num(measured.standard_error)
            style: dict[str, Any] = {"fmt": "o", "color": INK, "markersize": 5, "capsize": 2, "linestyle": "none"}
            top.errorbar(measured.n_examples, measured.error, spread, label="measured, exact test error", **style)
            below = panels[1]
            below.errorbar(measured.n_examples, 0 * spread, spread / measured.error, **style)
            below.axhspan(-_BAND, _BAND, color="#e8ebef", zorder=0)
            below.annotate("±3 %", (1.01, 0), xycoords=("axes fraction", "data"), va="center", color=NOTE, fontsize=8.5)
            below.set_ylabel("theory / measured - 1")
        top.set(xscale="log", yscale="log", ylabel="mean squared error")
        panels[-1].set_xlabel("training examples")
        _plain_numbers(top.xaxis, top.yaxis)
        top.legend()
    return figure


def learnability_figure(curve: LearningCurve) -> Figure:
    """How much of each degree is learned: a staircase, as a degree needs about d times the examples of the one below.

    Args:
        curve: Of any method.
    """
    with house_style():
        figure = new_figure(7.2, 3.8)
        axes = figure.subplots()
        for degree in range(min(curve.learnability.shape[1], _MOST_DEGREES)):
            axes.plot(
                curve.n_examples,
                curve.learnability[:, degree],
                color=COLOURS[degree % len(COLOURS)],
                marker=MARKERS[degree % len(MARKERS)],
                markersize=4.5,
                label=f"degree {degree}",
            )
        axes.set(xscale="log", xlabel="training examples", ylabel="learned share of the amplitude", ylim=(-0.03, 1.03))
        _plain_numbers(axes.xaxis)
        figure.legend(loc="outside right upper")
    return figure


def spectrum_figure(spectrum: Spectrum) -> Figure:
    """Eigenvalues by degree under the bound that holds for every network: the diagonal over the degeneracy.

    Args:
        spectrum: On the sphere.
    """
    with house_style():
        figure = new_figure(7.2, 4.0)
        axes = figure.subplots()
        degree = np.arange(len(spectrum.eigenvalues))
        there = spectrum.eigenvalues > 0
        axes.plot(
            degree,
            spectrum.total / spectrum.degeneracies,
            color=NOTE,
            linestyle=DASHED,
            label="bound for any network: diagonal / degeneracy",
        )
        axes.plot(degree[there], spectrum.eigenvalues[there], "o", color=COLOURS[0], label="eigenvalue")
        axes.set(yscale="log", xlabel="degree", ylabel="eigenvalue (squared output)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        plain_powers(axes.yaxis)
        axes.legend()
    return figure


def agreement_figure(predicted: Sequence[float], measured: Vector) -> Figure:
    """Predicted against measured errors of many networks.

    Args:
        predicted: In the order of `measured`.
        measured: Both in squared units of the target.
    """
    with house_style():
        figure = new_figure(5.2, 5.0)
        axes = figure.subplots()
        ends = [min(*predicted, *measured), max(*predicted, *measured)]
        axes.plot(ends, ends, color=NOTE, linestyle=DASHED, label="equal")
        axes.plot(measured, predicted, "o", markersize=4.5, color=COLOURS[0], alpha=0.6, label="a network with a ridge")
        best = int(np.argmin(predicted))
        axes.plot(measured[best], predicted[best], "D", markersize=8, color=COLOURS[1], label="predicted best")
        axes.set(xscale="log", yscale="log", xlabel="measured error", ylabel="predicted error")
        _plain_numbers(axes.xaxis, axes.yaxis)
        axes.legend()
    return figure


def features_figure(
    modes: EmpiricalModes, n_examples: Vector, predicted: Vector, measured: MeasuredErrors | None = None
) -> Figure:
    """A kernel on real examples: its eigenvalues and the target's power by rank, and the learning curve beside them.

    Args:
        modes: Of the pool.
        n_examples: Of the curve.
        predicted: Errors.
        measured: Points of the same numbers of examples.
    """
    with house_style():
        figure = new_figure(8.6, 3.9)
        left, right = figure.subplots(1, 2)
        rank = np.arange(1, len(modes.target_power) + 1)
        power = np.cumsum(modes.target_power[::-1])[::-1] + modes.power_beyond
        left.plot(rank, modes.spectrum.eigenvalues / modes.spectrum.total, color=COLOURS[0], label="eigenvalue")
        left.plot(rank, power / power[0], color=COLOURS[1], linestyle=DASHED, label="target beyond the rank")
        left.set(xscale="log", yscale="log", xlabel="rank", ylabel="share of the whole")
        _plain_numbers(left.xaxis)
        plain_powers(left.yaxis)
        right.plot(n_examples, predicted, color=COLOURS[0], label="predicted")
        if measured:
            spread = np.nan_to_num(measured.standard_error)
            right.errorbar(
                n_examples, measured.error, spread, fmt="o", color=INK, markersize=5, capsize=2, label="measured"
            )
        right.set(xscale="log", yscale="log", xlabel="training examples", ylabel="mean squared error")
        _plain_numbers(right.xaxis, right.yaxis)
        left.legend()
        right.legend()
    return figure


def _plain_numbers(*several: Axis) -> None:
    """Label logarithmic axes of few decades at 1, 2 and 5, and more densely below one decade."""
    for axis in several:
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 4, 5, 7)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, put in place whole.

    Raises:
        AnalysisError: It cannot be written.
    """
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    put_in_place(buffer.getvalue(), path, "figure", "Name another folder.")
    return path
