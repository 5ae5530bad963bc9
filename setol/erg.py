"""The ERG condition det X = 1: where the effective correlation space begins.

SETOL (arXiv 2507.17912, sections 5 and 6.3) rescales a spectrum to mean eigenvalue 1 and asks for the
eigenvalues, counted from the largest, whose product is 1: they span the effective correlation space
(ECS), on which a volume-preserving renormalization step is possible. The product is taken as a sum of
logarithms: as a product it leaves float64 from some 3,000 eigenvalues on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.scale import EQUAL_SPREAD, check_spectrum


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


@dataclass(frozen=True, slots=True)
class TraceScaled:
    """Several spectra of one length, each from its largest eigenvalue down; every field has shape (spectra, n).

    Attributes:
        raw: The eigenvalues in the scale that was given.
        evals: The same in the trace scale.
        trace_logs: Sum of the natural logarithms of each eigenvalue and those above it, trace scale; minus infinity
            from the first zero on.
    """

    raw: NDArray[np.float64]
    evals: NDArray[np.float64]
    trace_logs: NDArray[np.float64]


def trace_scale(evals: NDArray[np.float64]) -> float:
    """Factor that takes eigenvalues to the trace scale, n / sum: their mean becomes 1 (zeros counted in n).

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any scale, at least one positive.

    Raises:
        SetolError: There is no positive eigenvalue, one is negative or not finite, or float64 holds no such
            factor (all eigenvalues below some 1e-308); `to_trace_scale` needs none.
    """
    check_spectrum(evals)
    exponent = _exponent_of_largest(evals)
    with np.errstate(over="ignore"):
        factor = float(np.ldexp(len(evals) / np.ldexp(evals.astype(np.float64), -exponent).sum(), -exponent))
    if not np.isfinite(factor):
        raise SetolError(
            f"need eigenvalues whose trace-scale factor fits float64; the largest is {evals.max()}. "
            f"Call to_trace_scale, which needs no factor."
        )
    return factor


def to_trace_scale(evals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The eigenvalues divided by their mean, shape (n,), in the order given (zeros counted in the mean).

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any scale: 1e300 and denormal numbers too.

    Raises:
        SetolError: There is no positive eigenvalue, or one is negative or not finite.
    """
    check_spectrum(evals)
    _exponent_of_largest(evals)  # there is one
    rescaled: NDArray[np.float64] = to_trace_scale_each(evals[None])[0]
    return rescaled


def to_trace_scale_each(evals: NDArray[np.float64]) -> NDArray[np.float64]:
    """`to_trace_scale` of several spectra of one length.

    Args:
        evals: Eigenvalues of at least 0, shape (spectra, n), a positive one in each, any scale.
    """
    exponents = np.frexp(evals.max(axis=1))[1]
    relative = np.ldexp(evals.astype(np.float64), -exponents[:, None])
    rescaled: NDArray[np.float64] = relative * (evals.shape[1] / relative.sum(axis=1))[:, None]
    return rescaled


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
    (found,) = effective_correlation_space_of_each(trace_scaled(evals[None]))
    return found


def trace_scaled(evals: NDArray[np.float64]) -> TraceScaled:
    """Spectra of one length as the ECS and the distance to it are read off: many small ones take as long as one.

    Args:
        evals: Eigenvalues of at least 0, shape (spectra, n), a positive one in each, any order, any scale.
    """
    raw = np.ascontiguousarray(np.sort(evals, axis=1)[:, ::-1])
    rescaled = to_trace_scale_each(raw)
    with np.errstate(divide="ignore"):
        return TraceScaled(raw, rescaled, np.cumsum(np.log(rescaled), axis=1))


def effective_correlation_space_of_each(spectra: TraceScaled) -> list[EffectiveCorrelationSpace]:
    """`effective_correlation_space` of several spectra."""
    evals = spectra.evals
    below = spectra.trace_logs < 0
    below[:, -1] = True  # where the product stays above 1, all belong
    last = np.minimum(below.argmax(axis=1), np.count_nonzero(evals, axis=1) - 1)
    equal = evals[:, 0] - evals[:, -1] <= EQUAL_SPREAD * evals[:, 0]
    last[equal] = evals.shape[1] - 1
    rows = np.arange(len(evals))
    sums = np.where(equal, 0.0, spectra.trace_logs[rows, last])
    columns = zip(last.tolist(), evals[rows, last].tolist(), sums.tolist(), strict=True)
    return [EffectiveCorrelationSpace(index + 1, edge, trace_log) for index, edge, trace_log in columns]


def closest_correlation_space(evals: NDArray[np.float64]) -> EffectiveCorrelationSpace | Reason:
    """The ECS whose product is closest to 1, from either side, with all eigenvalues above the mean in it.

    The product rises while eigenvalues exceed 1 and falls from there on, so that past its peak one length
    comes closest to 1: that of `effective_correlation_space`, or one less. Its trace_log may be of either sign.

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
    spectra = trace_scaled(evals[None])
    (closest,) = closest_correlation_space_of_each(spectra, effective_correlation_space_of_each(spectra))
    return closest


def closest_correlation_space_of_each(
    spectra: TraceScaled, spaces: Sequence[EffectiveCorrelationSpace]
) -> list[EffectiveCorrelationSpace]:
    """`closest_correlation_space` of several spectra, whose `effective_correlation_space` is known."""
    return [
        _closest(first_below, evals, trace_logs)
        for first_below, evals, trace_logs in zip(spaces, spectra.evals, spectra.trace_logs, strict=True)
    ]


def _closest(
    first_below: EffectiveCorrelationSpace, evals: NDArray[np.float64], trace_logs: NDArray[np.float64]
) -> EffectiveCorrelationSpace:
    if first_below.trace_log == 0.0:
        return first_below
    peak = int(np.count_nonzero(evals > 1))
    last = peak - 1 + int(np.argmin(np.abs(trace_logs[peak - 1 : first_below.n])))
    return EffectiveCorrelationSpace(last + 1, float(evals[last]), float(trace_logs[last]))


def tail_trace_log(evals: NDArray[np.float64], lambda_min: float) -> float:
    """Sum of ln lambda over the eigenvalues from lambda_min up, in the trace scale: 0 where the tail meets ERG.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any scale.
        lambda_min: Lower edge of the tail, above 0, in the same scale; a tail without eigenvalues has the sum 0.

    Raises:
        SetolError: lambda_min is not positive and finite, there is no positive eigenvalue, or one is negative
            or not finite.
    """
    check_lambda_min(lambda_min)
    return float(np.log(to_trace_scale(evals)[evals >= lambda_min]).sum())


def check_lambda_min(lambda_min: float) -> None:
    """Refuse a lower edge of the tail that is not above 0 and finite."""
    if not (np.isfinite(lambda_min) and lambda_min > 0):
        raise SetolError(f"need a finite lower edge lambda_min above 0; got {lambda_min}.")


def _exponent_of_largest(evals: NDArray[np.float64]) -> int:
    """Power of two next to the largest eigenvalue: dividing by it costs no digit, and no sum overflows after."""
    largest = float(evals.max())
    if largest == 0:
        raise SetolError("need at least one positive eigenvalue for the trace scale; got only zeros.")
    return math.frexp(largest)[1]
