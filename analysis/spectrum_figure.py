"""The figure of one spectrum with its fit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from analysis.style import COLOURS, house_style, new_figure, svg_of


def spectrum_figure(evals: NDArray[np.float64], row: Mapping[str, Any], name: str) -> str:
    """One spectrum on logarithmic axes, with the fitted tail, its edge and that of the ECS.

    Args:
        evals: The pooled spectrum, scaled as the row's lambdas are, shape (n,).
        row: Of `layers`: alpha, lambda_min, n_tail, erg_lambda_min (trace scale).
        name: Of the figure, unique in its page.
    """
    ecs_edge = row["erg_lambda_min"] * evals.mean()
    start = min(ecs_edge, row["lambda_min"]) / 30  # below lies what neither the fit nor the ECS sees
    shown = evals[evals >= start]
    bins = int(np.clip(2 * len(shown) ** 0.5, 12, 60))
    edges = np.geomspace(shown.min(), shown.max() * (1 + 1e-12), bins)
    counts, _ = np.histogram(shown, edges)
    density = counts / np.diff(edges) / len(evals)
    filled = counts > 0
    tail = np.geomspace(row["lambda_min"], evals.max(), 100)
    height = row["n_tail"] / len(evals) * (row["alpha"] - 1) / row["lambda_min"]
    low = density[filled].min() / 2
    with house_style():
        figure = new_figure(9.6, 4.4)
        axes = figure.subplots()
        axes.stairs(np.where(filled, density, low), edges, baseline=low, fill=True, color="#d3e3f0")
        axes.plot(np.sqrt(edges[1:] * edges[:-1])[filled], density[filled], "o", markersize=3.6, color=COLOURS[0])
        power_law = height * (tail / row["lambda_min"]) ** -row["alpha"]
        fit = f"power law, alpha = {row['alpha']:.2f}: {row['n_tail']} of {len(evals)} eigenvalues"
        axes.plot(tail, power_law, color=COLOURS[1], linewidth=2.4, label=fit)
        axes.axvline(row["lambda_min"], color=COLOURS[1], linestyle=(0, (4, 3)), label="lambda_min, where it begins")
        axes.axvline(ecs_edge, color=COLOURS[2], linestyle=(0, (1, 1.5)), linewidth=2, label="ECS begins: det X = 1")
        axes.set(xscale="log", yscale="log", ylim=(low, None), xlabel="eigenvalue", ylabel="density")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(_power_of_ten))
            axis.set_minor_formatter(NullFormatter())
        if hidden := len(evals) - len(shown):
            axes.set_title(f"{hidden} smaller eigenvalues not shown", loc="right", fontsize=8.5, color="#6b7280")
        figure.legend(loc="outside upper left", ncols=3)
        return svg_of(figure, name)


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _power_of_ten(value: float, _: int | None = None) -> str:
    exponent = round(np.log10(value))
    if -2 <= exponent <= 2:
        return f"{value:g}"
    return "10" + str(exponent).translate(_SUPERSCRIPT)
