"""What a rank-one signal does to noise: the transition of Baik, Ben Arous and Péché, and the trap a mean makes."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.drawing.style import (
    BAR,
    COLOURS,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    INK,
    house_style,
    mark_at_foot,
    new_figure,
    shared_legend,
)
from analysis.theory.ensembles import noise, spectrum_of
from setol import Reason
from setol.random_matrix.bbp import detection_threshold, outlier_position, overlaps
from setol.random_matrix.edge import noise_edge
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.random_matrix.traps import mean_trap

SHAPE = (400, 200)
TRAP_SHAPE = (1000, 500)
TRAP_THETAS = (0.5, 1.0, 2.0)

_STRENGTHS = np.linspace(0.2, 2.0, 13)
_REPLICAS = 4


@dataclass(frozen=True, slots=True)
class SimulatedSignals:
    """Noise of variance 1 with one signal, shape (strengths, replicas) each.

    Attributes:
        outliers: Largest eigenvalue, 1/N scale.
        left: Squared overlap of its left singular vector with the signal's, of length N.
        right: That of the right one, of length M.
    """

    outliers: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]


def simulate_signals(rng: np.random.Generator, strengths: NDArray[np.float64], replicas: int) -> SimulatedSignals:
    """Draw noise with a signal of each strength, several times.

    Args:
        rng: Where noise and directions come from.
        strengths: theta in units of sigma sqrt(N), shape (strengths,).
        replicas: Draws at each strength.
    """
    n_rows, n_cols = SHAPE
    found = np.empty((3, len(strengths), replicas))
    for index in np.ndindex(len(strengths), replicas):
        u, v = rng.standard_normal(n_rows), rng.standard_normal(n_cols)
        u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
        weights = noise(rng, n_rows, n_cols) + strengths[index[0]] * np.sqrt(n_rows) * np.outer(u, v)
        last = (n_cols - 1, n_cols - 1)
        evals, vectors = scipy.linalg.eigh(weights.T @ weights, subset_by_index=last)
        right = vectors[:, -1]
        left = weights @ right / np.sqrt(evals[-1])
        found[(slice(None), *index)] = evals[-1] / n_rows, (left @ u) ** 2, (right @ v) ** 2
    return SimulatedSignals(*found)


def transition_figure(seed: int = 0) -> Figure:
    """Where the outlier of a signal lies, and what its singular vectors keep of the signal, against its strength."""
    aspect_ratio = SHAPE[0] / SHAPE[1]
    law, critical = MarchenkoPastur(aspect_ratio), detection_threshold(aspect_ratio)
    drawn = simulate_signals(np.random.default_rng(seed), _STRENGTHS, _REPLICAS)
    theta = np.union1d(np.linspace(0.1, 2.1, 300), critical)
    kept = [overlaps(each, aspect_ratio) for each in theta]
    with house_style():
        figure = new_figure(10.4, 4.6)
        position, overlap = figure.subplots(1, 2)
        simulated = f"outlier, mean and range of {_REPLICAS} simulations"
        position.plot(theta, [outlier_position(each, law) for each in theta], color=COLOURS[1], label="outlier, theory")
        _draw_range(position, drawn.outliers, COLOURS[0], "o", simulated)
        position.axhline(law.lambda_plus, color=INK, linewidth=1, linestyle=DASHED, label="lambda_plus")
        position.set(xlabel="strength theta", ylabel="largest eigenvalue of WᵀW / N")
        position.set_title(f"where the outlier lies: {SHAPE[0]} × {SHAPE[1]}, one signal")
        for values, side, colour, marker, style in (
            (drawn.left, "left", COLOURS[0], "o", "-"),
            (drawn.right, "right", COLOURS[2], "s", DASHED),
        ):
            theory = [getattr(each, side) for each in kept]
            overlap.plot(theta, theory, color=colour, linestyle=style, label=f"{side} singular vector, theory")
            _draw_range(overlap, values, colour, marker, f"{side} singular vector, simulations")
        overlap.set(xlabel="strength theta", ylabel="squared overlap with the signal", ylim=(-0.03, 1))
        overlap.set_title("what its vectors keep of the signal")
        for axes in (position, overlap):
            label = f"transition, q^(1/4) = {critical:.3f}"
            axes.axvline(critical, color=INK, linewidth=1.2, linestyle=DOTTED, label=label)
            axes.set_xlim(0.1, 2.1)
        shared_legend(figure, 3)
    return figure


def mean_trap_figure(seed: int = 0) -> Figure:
    """Noise with a mean: below, at and above the strength from which the mean makes an eigenvalue of its own."""
    n_rows, n_cols = TRAP_SHAPE
    law = MarchenkoPastur(n_rows / n_cols)
    threshold = noise_edge(n_rows, n_cols, 1.0).threshold()
    at = law.quantile(np.linspace(0, 1, 300))
    with house_style():
        figure = new_figure(12, 4.4)
        panels = figure.subplots(1, 3, sharex=True, sharey=True)
        for index, (axes, wanted) in enumerate(zip(panels, TRAP_THETAS, strict=True)):
            # A hair below, so that rounding does not lift 1, the transition itself, above it.
            mean = (1 - 1e-12) * wanted / np.sqrt(n_cols) / law.aspect_ratio**0.25
            trap = mean_trap(mean, 1.0, n_rows, n_cols)
            drawn = noise(np.random.default_rng((seed, index)), n_rows, n_cols)
            evals = spectrum_of((drawn - drawn.mean()) / drawn.std() + mean).over_n
            axes.hist(
                evals,
                np.linspace(0, 5, 101),
                density=True,
                color=BAR,
                edgecolor=COLOURS[0],
                linewidth=0.7,
                label="spectrum",
            )
            axes.plot(at, law.density(at), color=INK, linestyle=DASHED, label="Marchenko-Pastur density")
            axes.axvline(threshold, color=COLOURS[3], linestyle=DASH_DOTTED, label="edge of noise (Tracy-Widom, 99 %)")
            mark_at_foot(axes, evals[-1:], 0.04, "v", COLOURS[0], "largest eigenvalue")
            seen = (
                "none" if isinstance(trap, Reason) or trap.lambda_trap is None else f"{trap.lambda_trap / n_rows:.2f}"
            )
            if not isinstance(trap, Reason) and trap.lambda_trap is not None:
                axes.axvline(
                    trap.lambda_trap / n_rows,
                    color=COLOURS[1],
                    linewidth=2,
                    linestyle=DOTTED,
                    label="trap, by theory",
                )
            axes.set_title(
                f"trap_theta = {wanted:g}: mean = {mean:.4f} sd\ntrap by theory {seen}, seen {evals[-1]:.2f}"
            )
            axes.set(xlabel="eigenvalue of WᵀW / N")
        panels[0].set(ylabel="density", xlim=(0, 5), ylim=(0, 1.15 * law.density(at).max()))
        shared_legend(figure, 5)
    return figure


def _draw_range(axes: Axes, values: NDArray[np.float64], colour: str, marker: str, label: str) -> None:
    mean = values.mean(axis=1)
    spread = np.abs(np.stack([values.min(axis=1), values.max(axis=1)]) - mean)
    axes.errorbar(
        _STRENGTHS, mean, spread, fmt=marker, markersize=5, color=colour, ecolor=colour, elinewidth=1, label=label
    )
