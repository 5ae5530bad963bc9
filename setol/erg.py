"""The ERG condition det X = 1: where the effective correlation space begins.

SETOL (arXiv 2507.17912, sections 5 and 6.3) rescales a spectrum to mean eigenvalue 1 and asks for the
eigenvalues, counted from the largest, whose product is 1: they span the effective correlation space
(ECS), on which a volume-preserving renormalization step is possible. The product is taken as a sum of
logarithms: as a product it leaves float64 from some 3,000 eigenvalues on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.reasons import Reason
from setol.scale import check_spectrum

EQUAL_SPREAD = 2.0**-40
"""Relative spread below which eigenvalues count as equal: what the Gram matrix of an orthogonal W leaves."""


@dataclass(frozen=True, slots=True)
class EffectiveCorrelationSpace:
    """The ECS of a spectrum, in the trace scale (mean eigenvalue 1).

    Attributes:
        n: Number of eigenvalues in it, the one that takes the product below 1 included.
        lambda_min: Smallest eigenvalue in it.
        trace_log: Sum of the natural logarithms of its eigenvalues, at most 0 unless the rank ends first.
    """

    n: int
    lambda_min: float
    trace_log: float


def trace_scale(evals: NDArray[np.float64]) -> float:
    """Factor that takes eigenvalues to the trace scale, n / sum: their mean becomes 1 (zeros counted in n)."""
    return len(evals) / float(evals.sum(dtype=np.float64))


def effective_correlation_space(evals: NDArray[np.float64]) -> EffectiveCorrelationSpace | Reason:
    """Eigenvalues from the largest down to the first at which their product falls below 1.

    Equal eigenvalues all belong (their product is 1 at every length). Zeros never do: where the product of
    all positive eigenvalues still exceeds 1, the ECS is the whole range of the matrix and trace_log is positive.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any order, any scale.

    Returns:
        The ECS, or `Reason.ZERO_MATRIX` where all eigenvalues are 0.

    Raises:
        SetolError: There are none, or one is negative or not finite.
    """
    check_spectrum(evals)
    if not np.any(evals > 0):
        return Reason.ZERO_MATRIX
    descending = np.sort(evals)[::-1].astype(np.float64) * trace_scale(evals)
    if descending[0] - descending[-1] <= EQUAL_SPREAD * descending[0]:
        return EffectiveCorrelationSpace(len(descending), float(descending[-1]), 0.0)
    positive = descending[descending > 0]
    trace_logs = np.cumsum(np.log(positive))
    below = np.flatnonzero(trace_logs < 0)
    last = int(below[0]) if len(below) else len(positive) - 1
    return EffectiveCorrelationSpace(last + 1, float(positive[last]), float(trace_logs[last]))


def tail_trace_log(evals: NDArray[np.float64], lambda_min: float) -> float:
    """Sum of ln lambda over the eigenvalues from lambda_min up, in the trace scale: 0 where the tail meets ERG.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any scale.
        lambda_min: Lower edge of the tail, above 0, in the same scale.
    """
    tail = evals[evals >= lambda_min].astype(np.float64)
    return float(np.log(tail).sum() + len(tail) * np.log(trace_scale(evals)))
