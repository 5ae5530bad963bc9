"""The variance of the bulk: which Marchenko-Pastur law a spectrum is compared with.

Three ways. The known variance of the entries is exact for a permuted matrix, but in a trained one it counts the signal
as noise. Matching the median (Gavish and Donoho, IEEE Trans. Inf. Theory 60, 2014) needs half of the spectrum to be
bulk. The iteration takes off what lies above the noise edge and shares the rest among the degrees of freedom left.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from setol.random_matrix.bbp import strength_squared
from setol.random_matrix.edge import TRACY_WIDOM_LEVEL, noise_edge
from setol.random_matrix.layer_spectrum import LayerSpectrum, check_level
from setol.random_matrix.marchenko_pastur import SMALLEST_VARIANCE, MarchenkoPastur, check_variance
from setol.reasons import Reason

SETTLED = 1e-12
"""Relative change of the variance at which the iteration ends."""


class VarianceMethod(StrEnum):
    """How the variance of a bulk was had."""

    KNOWN = "known"
    QUANTILE = "quantile"
    ITERATION = "iteration"


@dataclass(frozen=True, slots=True)
class Bulk:
    """The Marchenko-Pastur law of a spectrum's bulk.

    Attributes:
        law: The law in the 1/N scale of the spectrum: N times its points compare with the eigenvalues.
        method: How its variance was had.
        share: Variance of the bulk over the mean squared entry: the part of Tr W^T W that is noise, 1 for pure noise.
            In the trace scale this is the variance itself (sigma_mp^2).
        ks: Two-sided Kolmogorov-Smirnov distance of the whole spectrum to the law, outliers included.
        n_outliers: Eigenvalues taken off by the iteration; 0 for the other methods, which take none off.
    """

    law: MarchenkoPastur
    method: VarianceMethod
    share: float
    ks: float
    n_outliers: int = 0


def known_bulk(spectrum: LayerSpectrum, entry_variance: float) -> Bulk | Reason:
    """The law for entries of a known variance: right for permuted matrices and for a fresh initialisation.

    Args:
        spectrum: Eigenvalues in the raw scale, up to a factor.
        entry_variance: Variance of the entries about their mean, times the same factor.

    Returns:
        The bulk, or `Reason.ZERO_MATRIX`.

    Raises:
        SetolError: The variance is outside [1e-300, 1e305].
    """
    check_variance(entry_variance)
    if spectrum.lambda_max == 0:
        return Reason.ZERO_MATRIX
    return _bulk(spectrum, entry_variance, VarianceMethod.KNOWN)


def bulk_by_quantile(spectrum: LayerSpectrum, quantile: float = 0.5) -> Bulk | Reason:
    """The law whose quantile is that of the spectrum: robust as long as the outliers are few.

    Args:
        spectrum: Eigenvalues in the raw scale, up to a factor.
        quantile: Share of the spectrum below the point that is matched; k outliers among n move it by k/n of rank.

    Returns:
        The bulk, `Reason.ZERO_MATRIX`, or `Reason.ZERO_BULK` where the quantile is 0: the rank is too low.

    Raises:
        SetolError: The quantile is outside (0, 1).
    """
    check_level(quantile)
    if spectrum.lambda_max == 0:
        return Reason.ZERO_MATRIX
    # Ranks at (i + 1/2)/n, as the eigenvalues of noise sit at the mid-quantiles of their law.
    n = len(spectrum.evals)
    point = float(np.interp(quantile * n - 0.5, np.arange(n), spectrum.evals / spectrum.lambda_max))
    expected = _unit_quantile(spectrum.aspect_ratio, quantile)
    variance = point / expected * (spectrum.lambda_max / spectrum.n_rows)
    return _bulk(spectrum, variance, VarianceMethod.QUANTILE)


def bulk_by_iteration(spectrum: LayerSpectrum, *, level: float = TRACY_WIDOM_LEVEL) -> Bulk | Reason:
    """Take off what lies above the noise edge, share the rest among the degrees of freedom left, until nothing changes.

    An outlier made by a signal of strength theta holds variance (1 + theta^2)(1 + q/theta^2) of the trace, of which
    variance theta^2 is signal; the rest, variance (1 + q + q/theta^2), is noise that left with it. k of them in one
    matrix share k^2 entries of the noise, counted twice in 1 + q. So the trace of the kept eigenvalues is
    variance (M - sum of these + k^2/N), in the 1/N scale: for strong signals variance (N - k)(M - k)/N.

    The first variance is the whole trace's, so a spectrum without outliers is never cut; the variance then only
    falls. A heavy tail keeps yielding outliers: up to half of the spectrum may go.

    Args:
        spectrum: Eigenvalues in the raw scale, up to a factor.
        level: Probability with which noise alone stays below the edge.

    Returns:
        The bulk, `Reason.ZERO_MATRIX`, `Reason.ZERO_BULK` where only zeros are left, or `Reason.NO_BULK` where more
        than half of the eigenvalues have gone, or no degree of freedom is left.

    Raises:
        SetolError: The level is outside (0, 1).
    """
    unit_edge = noise_edge(spectrum.n_rows, spectrum.n_cols, 1.0).threshold(level, n_slices=spectrum.n_slices)
    if spectrum.lambda_max == 0:
        return Reason.ZERO_MATRIX
    evals = spectrum.evals / spectrum.lambda_max  # 1/N scale of a matrix whose N is lambda_max
    traces = np.cumsum(evals)
    n, q = len(evals), 1.0 / spectrum.aspect_ratio
    variance = float(traces[-1]) / n
    while True:
        n_kept = int(np.searchsorted(evals, variance * unit_edge, side="right"))
        shared = (n - n_kept) ** 2 / (spectrum.n_rows * spectrum.n_slices)
        noise = 1 + q + q / strength_squared(evals[n_kept:] / variance, q)
        degrees = n - float(noise.sum()) + shared
        if 2 * n_kept < n or degrees <= 0:
            return Reason.NO_BULK
        if not traces[n_kept - 1] > 0:
            return Reason.ZERO_BULK
        refined = float(traces[n_kept - 1]) / degrees
        if variance - refined <= SETTLED * variance:
            unit = spectrum.lambda_max / spectrum.n_rows
            return _bulk(spectrum, variance * unit, VarianceMethod.ITERATION, n - n_kept)
        variance = refined


@lru_cache(maxsize=1024)
def _unit_quantile(aspect_ratio: float, quantile: float) -> float:
    """Quantile of the law of variance 1; few shapes recur in a model, and the inversion is dear beside the rest."""
    return float(MarchenkoPastur(aspect_ratio).quantile(quantile))


def _bulk(spectrum: LayerSpectrum, variance: float, method: VarianceMethod, n_outliers: int = 0) -> Bulk | Reason:
    if variance < SMALLEST_VARIANCE:
        return Reason.ZERO_BULK
    law = MarchenkoPastur(spectrum.aspect_ratio, variance)
    mean = float(np.mean(spectrum.evals / spectrum.lambda_max)) * (spectrum.lambda_max / spectrum.n_rows)
    return Bulk(law, method, variance / mean, law.ks_distance(spectrum.over_n), n_outliers)
