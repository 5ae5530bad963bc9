"""How far the power-law tail of a spectrum ends from its effective correlation space.

SETOL (arXiv 2507.17912, section 6.3) sets the two lower edges against each other; the ideal layer has both
at one place and alpha at 2. The sign is power law minus ECS, as in the figures and the formula of that
section (the text of its section 5 has the opposite sign).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.erg import (
    EffectiveCorrelationSpace,
    TraceScaled,
    check_lambda_min,
    effective_correlation_space,
    trace_scaled,
)
from setol.errors import SetolError
from setol.reasons import Reason
from setol.scale import check_spectrum


@dataclass(frozen=True, slots=True)
class ErgDistance:
    """Where the tail begins, seen from the edge of the ECS. All but delta_raw are free of scale.

    Attributes:
        delta: Lower edge of the tail minus that of the ECS, in the trace scale: above 0 where the tail is the
            smaller set (ordinary, alpha above 2), below 0 where it is the larger (over-regularised).
        delta_raw: The same in the scale of the eigenvalues that were given.
        gap: Number of eigenvalues in the ECS minus that in the tail; below 0 where delta is.
        trace_log: Sum of the natural logarithms over the tail, trace scale; never of the sign opposite to delta.
        trace_log_per_eigenvalue: trace_log divided by the number of eigenvalues in the tail.
    """

    delta: float
    delta_raw: float
    gap: int
    trace_log: float
    trace_log_per_eigenvalue: float


def erg_distance(
    evals: NDArray[np.float64], lambda_min: float, space: EffectiveCorrelationSpace | None = None
) -> ErgDistance | Reason:
    """Set the lower edge of a tail against the edge of the ECS.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any order, any scale.
        lambda_min: Smallest eigenvalue of the tail, in the same scale.
        space: The ECS of these eigenvalues, where it is known already.

    Returns:
        The distance, or `Reason.ZERO_MATRIX` where all eigenvalues are 0.

    Raises:
        SetolError: There are no eigenvalues, one is negative or not finite, or lambda_min is not positive or
            above all of them.
    """
    found = space or effective_correlation_space(evals)
    if isinstance(found, Reason):
        return found
    check_lambda_min(lambda_min)
    check_spectrum(evals)
    if not lambda_min <= evals.max():
        raise SetolError(f"need a tail with eigenvalues; got lambda_min {lambda_min} above the largest, {evals.max()}.")
    (distance,) = erg_distance_of_each(trace_scaled(evals[None]), {0: lambda_min}, [found])
    return distance


def erg_distance_of_each(
    spectra: TraceScaled, lambda_mins: Mapping[int, float], spaces: Sequence[EffectiveCorrelationSpace]
) -> list[ErgDistance]:
    """`erg_distance` of several spectra of one length: many small ones take little more time than one.

    Args:
        spectra: The spectra.
        lambda_mins: Smallest eigenvalue of the tail, above 0 and at most the largest, by the index of the spectrum.
        spaces: The ECS of all spectra.
    """
    rows, edges = np.array(list(lambda_mins)), np.array(list(lambda_mins.values()))
    raw = spectra.raw[rows]
    n_tail = np.count_nonzero(raw >= edges[:, None], axis=1)
    last = n_tail - 1
    ecs_edges = raw[np.arange(len(rows)), [spaces[row].n - 1 for row in rows]]
    # The edge of the tail goes through the same rescaling as the eigenvalues, so that equal edges differ by 0.
    lowest = spectra.evals[rows, last] * (edges / raw[np.arange(len(rows)), last])
    return [
        ErgDistance(
            delta=low - spaces[row].lambda_min,
            delta_raw=delta_raw,
            gap=spaces[row].n - size,
            trace_log=trace_log,
            trace_log_per_eigenvalue=trace_log / size,
        )
        for row, low, delta_raw, size, trace_log in zip(
            lambda_mins,
            lowest.tolist(),
            (edges - ecs_edges).tolist(),
            n_tail.tolist(),
            spectra.trace_logs[rows, last].tolist(),
            strict=True,
        )
    ]
