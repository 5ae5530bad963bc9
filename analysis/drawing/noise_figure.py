"""A layer's spectrum against noise: the Marchenko-Pastur bulk, the edge of noise, spikes beyond it, traps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from analysis.drawing.style import BAR, COLOURS, DASH_DOTTED, DASHED, INK, mark_at_foot, plain_powers
from setol import Reason
from setol.random_matrix.edge import TRACY_WIDOM_LEVEL
from setol.random_matrix.layer_spectrum import LayerSpectrum
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.random_matrix.spikes import Spikes, count_spikes
from setol.random_matrix.traps import count_traps

DECADES = 3
"""How far below the Marchenko-Pastur edge the picture may begin."""


@dataclass(frozen=True, slots=True)
class PermutedSpectra:
    """Spectra of a layer after permuting its entries, in the scale of the fit.

    Attributes:
        evals: Shape (replicas, slices, M).
        entry_variance: Variance of the entries of each slice about their mean, times the kernel factor,
            shape (slices,).
    """

    evals: NDArray[np.float64]
    entry_variance: NDArray[np.float64]

    def traps(self, n_rows: int, level: float) -> NDArray[np.float64]:
        """The eigenvalues above the noise edge of their slice, of all replicas, shape (n_traps * replicas,)."""
        found: list[float] = []
        for replica in np.sort(self.evals, axis=-1):
            counted = count_traps(replica, self.entry_variance, n_rows, level=level)
            for evals, n_traps in zip(replica, counted.per_slice, strict=True):
                found += evals[len(evals) - n_traps :].tolist()
        return np.array(found)


@dataclass(frozen=True, slots=True)
class NoiseComparison:
    """A spectrum and what noise of its bulk's variance looks like, all in the scale of the fit.

    Attributes:
        spectrum: The eigenvalues with the shape of the matrix.
        law: The Marchenko-Pastur law of the bulk, of eigenvalues divided by N.
        spikes: Edge, threshold and number of the eigenvalues beyond it.
        level: Probability with which noise alone stays below the threshold.
        phase: The phase, or None.
        decided_by: What settled it, or None.
        permuted: Spectra of the permuted entries, where they are stored.
    """

    spectrum: LayerSpectrum
    law: MarchenkoPastur
    spikes: Spikes
    level: float
    phase: str | None = None
    decided_by: str | None = None
    permuted: PermutedSpectra | None = None

    @classmethod
    def of_row(
        cls,
        evals: NDArray[np.float64],
        row: Mapping[str, Any],
        *,
        level: float = TRACY_WIDOM_LEVEL,
        permuted: PermutedSpectra | None = None,
    ) -> "NoiseComparison | None":
        """Take the bulk from a row of `layers`; None where it has none.

        Args:
            evals: The pooled spectrum, scaled as the row's lambdas are, zeros included, shape (n_slices M,).
            row: Of `layers`: n_rows, n_cols, mp_lambda_plus, phase, phase_decided_by.
            level: `tracy_widom_level` of the configuration.
            permuted: What is stored of permuted entries.
        """
        if row.get("mp_lambda_plus") is None:
            return None
        spectrum = LayerSpectrum(evals, row["n_rows"], row["n_cols"])
        edge = MarchenkoPastur(spectrum.aspect_ratio).lambda_plus * spectrum.n_rows
        law = MarchenkoPastur(spectrum.aspect_ratio, row["mp_lambda_plus"] / edge)
        spikes = count_spikes(spectrum, law.variance, level=level)
        if isinstance(spikes, Reason):
            return None
        return cls(spectrum, law, spikes, level, row["phase"], row["phase_decided_by"], permuted)

    @property
    def traps(self) -> NDArray[np.float64]:
        """Traps of all replicas, shape (n,)."""
        return np.empty(0) if self.permuted is None else self.permuted.traps(self.spectrum.n_rows, self.level)

    @property
    def caption(self) -> str:
        """Phase and what decided it; below it spikes and, where they were looked for, traps."""
        phase = f"phase {self.phase}" if self.phase else "no phase"
        counts = f"n_spikes {self.spikes.n_spikes} of {len(self.spectrum.evals)}"
        if self.permuted is not None:
            replicas = len(self.permuted.evals)
            counts += f", n_traps {len(self.traps) / replicas:g}"
            counts += f" (mean of {replicas} permutations)" if replicas > 1 else ""
        return f"{phase}: {self.decided_by}\n{counts}" if self.decided_by else f"{phase}\n{counts}"

    def density(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density of the bulk at points in the scale of the fit; its mass is that of the eigenvalues but spikes."""
        n_rows, n_evals = self.spectrum.n_rows, len(self.spectrum.evals)
        return self.law.density(at / n_rows) / n_rows * (1 - self.spikes.n_spikes / n_evals)


def draw_noise(axes: Axes, noise: NoiseComparison) -> None:
    """Share of the eigenvalues per decade beside that of noise; the eigenvalues beyond its edge are marked."""
    edges = _bins(noise)
    evals = noise.spectrum.evals
    shares = [_per_decade(evals, edges)]
    axes.stairs(shares[0], edges, fill=True, color=BAR)
    axes.stairs(shares[0], edges, color=COLOURS[0], linewidth=1)
    if noise.permuted is not None:
        shares.append(_per_decade(noise.permuted.evals.ravel(), edges))
        axes.stairs(shares[1], edges, color=COLOURS[4], linewidth=1.8, label="entries permuted")
    low, high = noise.law.lambda_minus * noise.spectrum.n_rows, noise.spikes.lambda_plus
    bulk = np.geomspace(max(low, edges[0]), high, 400)
    law = noise.density(bulk) * bulk * np.log(10)
    axes.plot(
        bulk,
        law,
        color=INK,
        linewidth=1.8,
        linestyle=DASHED,
        label="Marchenko-Pastur bulk",
    )
    axes.axvline(
        noise.spikes.threshold,
        color=COLOURS[3],
        linestyle=DASH_DOTTED,
        label=f"edge of the bulk (Tracy-Widom, {100 * noise.level:g} %)",
    )
    mark_at_foot(axes, evals[len(evals) - noise.spikes.n_spikes :], 0.03, "v", COLOURS[0], "spikes beyond the bulk")
    mark_at_foot(axes, noise.traps, 0.1, "X", COLOURS[4], "traps: permuted, beyond the edge of their own noise")
    axes.set(xscale="log", xlim=(edges[0], edges[-1] * 1.15), xlabel="eigenvalue", ylabel="share per decade")
    axes.set_ylim(0, 1.08 * max(float(each.max()) for each in (law, *shares)))
    axes.set_title(noise.caption, fontsize=9)
    plain_powers(axes.xaxis)


def _per_decade(evals: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, _ = np.histogram(evals, edges)
    return counts / np.diff(np.log10(edges)) / len(evals)


def _bins(noise: NoiseComparison) -> NDArray[np.float64]:
    evals = noise.spectrum.evals
    largest = evals[-1] if noise.permuted is None else max(evals[-1], noise.permuted.evals.max())
    positive = evals[evals > 0]
    floor = max(positive[0], noise.spikes.lambda_plus / 10**DECADES)
    start = min(floor, max(noise.law.lambda_minus * noise.spectrum.n_rows, noise.spikes.lambda_plus / 10**DECADES))
    top = max(largest, noise.spikes.threshold) * (1 + 1e-12)
    return np.geomspace(start, top, int(np.clip(2 * len(positive) ** 0.5, 16, 60)))
