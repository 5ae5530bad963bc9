"""Spikes: eigenvalues above what noise of the bulk's variance would reach."""

from dataclasses import dataclass

import numpy as np

from setol.random_matrix.edge import TRACY_WIDOM_LEVEL, noise_edge
from setol.random_matrix.layer_spectrum import LayerSpectrum
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.reasons import Reason


@dataclass(frozen=True, slots=True)
class Spikes:
    """The eigenvalues above the noise edge; lambdas are in the scale of the spectrum (no 1/N).

    Attributes:
        n_spikes: Number of eigenvalues above the threshold.
        threshold: The Tracy-Widom level of the largest noise eigenvalue, over all slices together.
        lambda_plus: Upper edge of the Marchenko-Pastur law.
        tracy_widom_scale: Unit in which noise moves that edge.
        smallest_distance: Distance of the smallest spike from the centre of the edge in Tracy-Widom scales; None
            where there is no spike.
        mp_soft_rank: lambda_plus / lambda_max: near 1 for noise, near 0 for heavy tails; above 1 where the spectrum
            ends below the edge.
    """

    n_spikes: int
    threshold: float
    lambda_plus: float
    tracy_widom_scale: float
    smallest_distance: float | None
    mp_soft_rank: float


def count_spikes(
    spectrum: LayerSpectrum, variance: float, *, level: float = TRACY_WIDOM_LEVEL, johnstone_ma: bool = True
) -> Spikes | Reason:
    """Count the eigenvalues that noise of a given variance would not reach.

    Args:
        spectrum: Eigenvalues in the raw scale, up to a factor, with N and M.
        variance: Variance of the noise, in the scale of the spectrum: noise has a mean eigenvalue of N variance.
        level: Probability with which noise alone yields no spike in any of the slices.
        johnstone_ma: Whether the centre of the edge is corrected for finite N and M.

    Returns:
        The spikes, or `Reason.ZERO_MATRIX` where all eigenvalues are 0.

    Raises:
        SetolError: The variance is outside [1e-300, 1e305], or the level is outside (0, 1).
    """
    edge = noise_edge(spectrum.n_rows, spectrum.n_cols, variance, johnstone_ma=johnstone_ma)
    threshold = edge.threshold(level, n_slices=spectrum.n_slices)
    if spectrum.lambda_max == 0:
        return Reason.ZERO_MATRIX
    evals = spectrum.over_n
    start = int(np.searchsorted(evals, threshold, side="right"))
    lambda_plus = MarchenkoPastur(spectrum.aspect_ratio, variance).lambda_plus
    return Spikes(
        n_spikes=len(evals) - start,
        threshold=threshold * spectrum.n_rows,
        lambda_plus=lambda_plus * spectrum.n_rows,
        tracy_widom_scale=edge.scale * spectrum.n_rows,
        smallest_distance=(float(evals[start]) - edge.centre) / edge.scale if start < len(evals) else None,
        mp_soft_rank=lambda_plus / float(evals[-1]),
    )
