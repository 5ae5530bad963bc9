"""d_ww against lambda_min: how well a power law fits above every eigenvalue, and which tails fit about as well."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from analysis.drawing.spectrum_figure import FittedSpectrum, draw_edges
from analysis.drawing.style import COLOURS, plain_powers
from setol import SmallSample
from setol.tails.scan import lower_step_distance, tail_exponents

NEARLY = 1.1
"""Tails whose d_ww is at most this many times the smallest are told as fitting nearly as well."""

MOST = 4000
"""Candidates whose d_ww is computed; of more, evenly spaced ones are, because each costs a pass over its tail."""


@dataclass(frozen=True, slots=True)
class ScanCurve:
    """Kolmogorov-Smirnov distances of the candidates for lambda_min, ascending in lambda_min.

    Attributes:
        lambda_min: The candidates, shape (k,), in the scale of the eigenvalues.
        distance: Largest deviation of each one's power law from the lower steps of its tail, shape (k,).
        alpha: Exponent of each tail, shape (k,).
        n_candidates: How many there are; k is smaller where they were thinned out.
    """

    lambda_min: NDArray[np.float64]
    distance: NDArray[np.float64]
    alpha: NDArray[np.float64]
    n_candidates: int

    @property
    def chosen(self) -> int:
        """Index of the smallest d_ww, the first of equal ones."""
        return int(np.argmin(self.distance))

    @property
    def rivals(self) -> NDArray[np.bool_]:
        """Candidates that fit nearly as well as the chosen one, itself included, shape (k,)."""
        return self.distance <= NEARLY * self.distance[self.chosen]


def scan_curve(evals: NDArray[np.float64], *, keep: float | None = None, small_sample: bool = False) -> ScanCurve:
    """d_ww of every candidate for lambda_min.

    Args:
        evals: Those that the fit saw: above its threshold, ascending, shape (n,).
        keep: A lambda_min that is never thinned out.
        small_sample: Whether spectra of few eigenvalues are fitted by WeightWatcher's rule.

    Returns:
        The curve; at least one candidate where the eigenvalues are not all equal.
    """
    rule = SmallSample()
    short = small_sample and len(evals) < rule.below
    logs = np.log(evals)
    exponents = tail_exponents(logs, lost_degrees=1 if short else 0)
    sizes = len(evals) - np.arange(len(evals))
    smallest = min(rule.smallest_tail, len(evals)) if short else 2
    candidates = np.flatnonzero(np.isfinite(exponents) & (sizes >= smallest))
    n_candidates = len(candidates)
    if n_candidates > MOST:
        thinned = candidates[np.linspace(0, n_candidates - 1, MOST).astype(int)]
        kept = candidates[evals[candidates] == keep]
        candidates = np.union1d(thinned, kept)
    distances = np.array([lower_step_distance(logs[start:], exponents[start]) for start in candidates])
    return ScanCurve(evals[candidates], distances, exponents[candidates], n_candidates)


def draw_scan(axes: Axes, curve: ScanCurve, spectrum: FittedSpectrum) -> None:
    """The curve, the chosen minimum, and the tails that fit nearly as well."""
    inside = curve.lambda_min >= spectrum.start
    rivals, alphas = curve.rivals & inside, curve.alpha[curve.rivals]
    axes.plot(curve.lambda_min[inside], curve.distance[inside], color=COLOURS[0], linewidth=1.2)
    if rivals.sum() > 1:
        axes.plot(
            curve.lambda_min[rivals],
            curve.distance[rivals],
            "o",
            markersize=5,
            markerfacecolor="white",
            markeredgecolor=COLOURS[1],
            label=f"{len(alphas)} tails with d_ww within 10 %: alpha {alphas.min():.2f} to {alphas.max():.2f}",
        )
    best = curve.distance[curve.chosen]
    axes.plot(
        curve.lambda_min[curve.chosen],
        best,
        "*",
        markersize=13,
        color=COLOURS[1],
        markeredgecolor="white",
        label="smallest d_ww",
    )
    draw_edges(axes, spectrum)
    top = min(1.0, 1.05 * float(np.quantile(curve.distance[inside], 0.97)))
    axes.set(xscale="log", ylim=(0, max(top, 2 * best)), xlabel="lambda_min", ylabel="d_ww")
    plain_powers(axes.xaxis)
