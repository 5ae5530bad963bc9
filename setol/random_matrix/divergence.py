"""How far two spectra are apart: the Jensen-Shannon divergence of their densities.

The densities are histograms on one common grid, equal bins of log lambda counted down from the larger of the two
largest eigenvalues; whatever lies below the grid, zeros included, is one bin more. So the result does not depend on
scale, nor on how small the smallest eigenvalue happens to be.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.scale import check_spectrum


@dataclass(frozen=True, slots=True)
class JensenShannon:
    """Divergence of two spectra on a stated histogram.

    Attributes:
        divergence: In nats, in [0, ln 2]: 0 for equal histograms, ln 2 for disjoint ones.
        distance: Its square root, a metric, in [0, sqrt(ln 2)] = [0, 0.8326].
        bins_per_decade: Width of the bins.
        decades: Length of the grid below the largest eigenvalue.
    """

    divergence: float
    distance: float
    bins_per_decade: int
    decades: int


def jensen_shannon(
    evals: NDArray[np.float64], others: NDArray[np.float64], *, bins_per_decade: int = 20, decades: int = 6
) -> JensenShannon | Reason:
    """Jensen-Shannon divergence of two empirical spectral densities.

    Two finite samples of one law are never at 0: with B filled bins and n, m independent values the expectation is
    about (B - 1)/8 (1/n + 1/m); eigenvalues of one matrix repel each other and come far below that.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any order, any scale.
        others: Eigenvalues of the other spectrum, shape (m,), in the same scale.
        bins_per_decade: Number of bins for each factor of 10.
        decades: Factors of 10 below the largest eigenvalue that have bins of their own.

    Returns:
        The divergence, or `Reason.ZERO_MATRIX` where all eigenvalues of both are 0.

    Raises:
        SetolError: A spectrum is empty, an eigenvalue is negative or not finite, or there would be no bin.
    """
    check_spectrum(evals)
    check_spectrum(others)
    if bins_per_decade < 1 or decades < 1:
        raise SetolError(f"need at least one bin a decade and one decade; got {bins_per_decade} and {decades}.")
    top = float(max(evals.max(), others.max()))
    if top == 0:
        return Reason.ZERO_MATRIX
    n_bins = bins_per_decade * decades

    def histogram(values: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):  # log of zero goes to the last bin, as it should
            depth = np.floor(-np.log10(values / top) * bins_per_decade)
        bins = np.clip(depth, 0, n_bins).astype(np.int64)
        return np.bincount(bins, minlength=n_bins + 1) / len(values)

    divergence = _divergence(histogram(evals), histogram(others))
    return JensenShannon(divergence, math.sqrt(divergence), bins_per_decade, decades)


def weightwatcher_rand_distance(evals: NDArray[np.float64], rand_evals: NDArray[np.float64]) -> float | Reason:
    """WeightWatcher's `rand_distance`, which is no distance of densities; for comparison with its column alone.

    It divides each sorted list of eigenvalues by its sum, takes the two lists for probability vectors over ranks, and
    reports the square root of their Jensen-Shannon divergence.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any order, any scale.
        rand_evals: Eigenvalues of the permuted matrix, shape (n,), any order, any scale.

    Returns:
        The value, in nats^(1/2), or `Reason.ZERO_MATRIX` where all eigenvalues of one are 0.

    Raises:
        SetolError: Lengths differ, a spectrum is empty, or an eigenvalue is negative or not finite.
    """
    check_spectrum(evals)
    check_spectrum(rand_evals)
    if len(evals) != len(rand_evals):
        raise SetolError(f"need two spectra of one length; got {len(evals)} and {len(rand_evals)} eigenvalues.")
    if evals.max() == 0 or rand_evals.max() == 0:
        return Reason.ZERO_MATRIX
    shares = [np.sort(each) / each.max() for each in (evals, rand_evals)]
    return math.sqrt(_divergence(shares[0] / shares[0].sum(), shares[1] / shares[1].sum()))


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence of two probability vectors, in nats."""
    mixture = (p + q) / 2
    total = 0.0
    for each in (p, q):
        filled = (each > 0) & (mixture > 0)  # the mean of the smallest float64 and 0 is 0
        total += float((each[filled] * np.log(each[filled] / mixture[filled])).sum()) / 2
    return min(max(total, 0.0), math.log(2))
