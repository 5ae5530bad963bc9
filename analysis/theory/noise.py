"""The laws of noise beside simulations: Marchenko-Pastur densities, and Tracy-Widom for the largest eigenvalue."""

import numpy as np
import scipy.linalg
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
    new_figure,
    plain_powers,
    shared_legend,
)
from analysis.theory.ensembles import noise, spectrum_of
from setol.random_matrix.edge import NoiseEdge, noise_edge
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.random_matrix.tracy_widom import tracy_widom_cdf, tracy_widom_quantile

ASPECT_RATIOS = (1, 2, 4, 8)
LEVELS = (0.95, 0.99, 0.999)
EDGE_SHAPE = (200, 100)
EDGE_DRAWS = 4000

_N_ROWS = 960
_STEP = 0.05


def marchenko_pastur_figure(seed: int = 0) -> Figure:
    """The Marchenko-Pastur density for four aspect ratios, each on the spectrum of one matrix of noise."""
    with house_style():
        figure = new_figure(9.6, 6.8)
        grid = figure.subplots(2, 2)
        for index, (axes, aspect_ratio) in enumerate(zip(grid.flat, ASPECT_RATIOS, strict=True)):
            law = MarchenkoPastur(aspect_ratio)
            n_cols = _N_ROWS // aspect_ratio
            spectrum = spectrum_of(noise(np.random.default_rng((seed, index)), _N_ROWS, n_cols))
            edges = np.linspace(law.lambda_minus, law.lambda_plus, int(np.clip(n_cols // 15, 10, 40)) + 1)
            axes.hist(
                spectrum.over_n,
                edges,
                density=True,
                color=BAR,
                edgecolor=COLOURS[0],
                linewidth=0.7,
                label="one matrix of noise",
            )
            # Points crowd at both edges, as the sine of an angle does, where the density has its square roots.
            at = (
                law.lambda_minus + (law.lambda_plus - law.lambda_minus) * np.sin(np.linspace(0.01, np.pi / 2, 400)) ** 2
            )
            axes.plot(at, law.density(at), color=COLOURS[1], linewidth=2.2, label="Marchenko-Pastur density")
            for edge in (law.lambda_minus, law.lambda_plus):
                axes.axvline(edge, color=INK, linewidth=1.2, linestyle=DASHED, label="its edges (1 ± √q)²")
            distance = law.ks_distance(spectrum.over_n)
            axes.set_title(f"Q = {aspect_ratio}: {_N_ROWS} × {n_cols}, KS distance {distance:.4f}")
            # At Q = 1 the density is infinite at 0: what lies below a seventh of the eigenvalues may be cut off.
            axes.set_ylim(0, 1.3 * float(law.density(law.quantile(np.linspace(0.14, 1, 200))).max()))
            axes.set(xlabel="eigenvalue of WᵀW / N", ylabel="density")
        shared_legend(figure, 3)
    return figure


def tracy_widom_figure(seed: int = 0) -> Figure:
    """The Tracy-Widom law on the largest eigenvalues of simulated noise: its density, and what lies beyond a level."""
    edge = noise_edge(*EDGE_SHAPE, 1.0)
    deviations = np.sort(edge_deviations(np.random.default_rng(seed), edge))
    s = np.arange(-5.5, 4.5, _STEP)
    cdf = np.array([tracy_widom_cdf(point) for point in s])
    with house_style():
        figure = new_figure(10.4, 4.4)
        density, beyond = figure.subplots(1, 2)
        told = f"{len(deviations)} matrices of noise, {EDGE_SHAPE[0]} × {EDGE_SHAPE[1]}"
        density.hist(deviations, 60, density=True, color=BAR, edgecolor=COLOURS[0], linewidth=0.7, label=told)
        density.plot(
            s[1:] - _STEP / 2, np.diff(cdf) / _STEP, color=COLOURS[1], linewidth=2.2, label="Tracy-Widom, β = 1"
        )
        density.set(xlabel="s = (largest eigenvalue − centre) / scale", ylabel="density", ylim=(0, 0.42))
        density.legend(loc="upper left")
        shares = 1 - (np.arange(len(deviations)) + 0.5) / len(deviations)
        beyond.plot(deviations, shares, ".", markersize=4, color=COLOURS[0], label="share of the matrices beyond s")
        beyond.plot(s, 1 - cdf, color=COLOURS[1], linewidth=2, label="Tracy-Widom, 1 − F(s)")
        for level, style in zip(LEVELS, (DOTTED, DASHED, DASH_DOTTED), strict=True):
            quantile = tracy_widom_quantile(level)
            share = np.mean(deviations > quantile)
            label = f"level {level:g}: s = {quantile:.3f}, {100 * share:.2f} % beyond"
            beyond.axvline(quantile, color=INK, linewidth=1.3, linestyle=style, label=label)
        beyond.set(yscale="log", xlim=(-4, 4.5), ylim=(1e-4, 2), xlabel="s", ylabel="share beyond s")
        plain_powers(beyond.yaxis)
        beyond.legend(loc="lower left", fontsize=8.5, frameon=True, framealpha=1, edgecolor="none")
        density.set_title("the largest eigenvalue of noise")
        beyond.set_title("how often it lies beyond a level")
    return figure


def edge_deviations(rng: np.random.Generator, edge: NoiseEdge) -> NDArray[np.float64]:
    """Largest eigenvalues of simulated noise, as deviations from the centre in Tracy-Widom scales, shape (draws,).

    W^T W of normal entries has the spectrum of B B^T, B bidiagonal with independent chi variables (Dumitriu and
    Edelman, J. Math. Phys. 43, 2002): the same law, without a dense matrix.

    Args:
        rng: Where the draws come from.
        edge: Of the shape `EDGE_SHAPE` and variance 1.
    """
    n_rows, n_cols = EDGE_SHAPE
    diagonal = rng.chisquare(n_rows - np.arange(n_cols), (EDGE_DRAWS, n_cols))
    below = rng.chisquare(np.arange(n_cols - 1, 0, -1), (EDGE_DRAWS, n_cols - 1))
    products = np.sqrt(diagonal[:, :-1] * below)
    diagonal[:, 1:] += below
    last = (n_cols - 1, n_cols - 1)
    largest = [
        scipy.linalg.eigh_tridiagonal(d, e, eigvals_only=True, select="i", select_range=last)[0]
        for d, e in zip(diagonal, products, strict=True)
    ]
    return (np.array(largest) / n_rows - edge.centre) / edge.scale
