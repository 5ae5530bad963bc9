"""Fingers: a few largest eigenvalues apart from the tail, which make its exponent come out too large.

Two remedies of WeightWatcher: clip the largest eigenvalues one by one until alpha falls, or keep lambda_min
near the peak of the spectrum on a logarithmic axis. Both are given here as they were meant, and as that program
does them. No detector of fingers is agreed upon: where clipping lowers alpha that is an observation, not a test.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.tails.law import check_positive
from setol.tails.power_law import PowerLawFit, SmallSample, fit_power_law

PEAK_BINS = 100
"""Bins of equal width in log10(lambda) from the smallest to the largest eigenvalue."""

PEAK_RANGE = (0.95, 1.5)
"""Where lambda_min may lie, in units of the left edge of the fullest bin."""


@dataclass(frozen=True, slots=True)
class FingerOptions:
    """When a clipped fit is taken instead of the fit of all eigenvalues.

    Attributes:
        threshold: How much alpha must fall.
        max_fingers: Most eigenvalues to clip.
        min_alpha: Clipping ends, without a result, once alpha is at most this.
        compatible: Do as WeightWatcher 0.7.7: clip 2, 3, ... up to one less than max_fingers, and report one finger
            less than were clipped. (That program also takes 10 for a max_fingers below half the spectrum.)
    """

    threshold: float = 1.0
    max_fingers: int = 10
    min_alpha: float = 2.0
    compatible: bool = False


@dataclass(frozen=True, slots=True)
class ClippedFit:
    """A power-law fit with the fingers left out.

    Attributes:
        fit: Of the eigenvalues that remain; its lambda_max is the largest of those. The fit of all where clipping
            did not lower alpha enough.
        raw_alpha: Exponent of the fit of all eigenvalues.
        num_fingers: How many eigenvalues were clipped; one less under `compatible`.
        alpha_hat: alpha log10(lambda_max), lambda_max the largest eigenvalue that remains: raw, not free of scale.
            WeightWatcher keeps the largest of all.
    """

    fit: PowerLawFit
    raw_alpha: float
    num_fingers: int
    alpha_hat: float


def clip_fingers(
    evals: NDArray[np.float64],
    options: FingerOptions = FingerOptions(),
    *,
    small_sample: SmallSample | None = None,
) -> ClippedFit | Reason:
    """Leave out the fewest largest eigenvalues that lower alpha by more than the threshold, if any do.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale; raw ones where alpha_hat is of interest.
        options: When to stop.
        small_sample: Rule for short spectra, applied to what remains after clipping; by default none.

    Returns:
        The fit, or why there is none of all eigenvalues: fewer than two, or all of them equal.

    Raises:
        SetolError: An eigenvalue is not positive or not finite, or max_fingers is below 1.
    """
    if options.max_fingers < 1 or not options.threshold >= 0:
        raise SetolError(
            "need max_fingers of at least 1 and a threshold of at least 0; got "
            f"max_fingers = {options.max_fingers}, threshold = {options.threshold}."
        )
    raw = fit_power_law(evals, small_sample=small_sample)
    if isinstance(raw, Reason):
        return raw
    ordered = np.sort(evals)
    counts = range(2, options.max_fingers) if options.compatible else range(1, options.max_fingers + 1)
    chosen, num_fingers = raw, 0
    for count in counts:
        clipped = fit_power_law(ordered[: max(0, len(ordered) - count)], small_sample=small_sample)
        if isinstance(clipped, Reason):
            break
        if clipped.alpha + options.threshold < raw.alpha:
            chosen, num_fingers = clipped, count - 1 if options.compatible else count
            break
        if clipped.alpha <= options.min_alpha:
            break
    return ClippedFit(chosen, raw.alpha, num_fingers, chosen.alpha * math.log10(chosen.lambda_max))


def fit_above_peak(evals: NDArray[np.float64], *, compatible: bool = False) -> PowerLawFit | Reason:
    """Fit a power law with lambda_min near the peak of the histogram of log10(lambda).

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale.
        compatible: Do as WeightWatcher 0.7.7, TempBalance and FARMS: the lower end of the range is the logarithm of
            0.95 of the peak, compared with lambda itself. Mostly that is no lower end at all, and it depends on
            the scale.

    Returns:
        The fit, or why there is none: fewer than two eigenvalues, all of them equal, or none in the range.

    Raises:
        SetolError: An eigenvalue is not positive or not finite.
    """
    check_positive(evals)
    if len(evals) < 2:
        return Reason.TOO_FEW_EIGENVALUES
    # Bins are laid from the smallest eigenvalue, so that they hold the same eigenvalues in every scale.
    decades = np.log10(evals) - math.log10(evals.min())
    counts, edges = np.histogram(decades, bins=PEAK_BINS)
    log_peak = float(edges[np.argmax(counts)]) + math.log10(evals.min())
    low, high = (log_peak + math.log10(factor) for factor in PEAK_RANGE)
    lower_end = low if compatible else _power_of_ten(low)
    return fit_power_law(evals, lambda_min_between=(lower_end, _power_of_ten(high)))


def _power_of_ten(exponent: float) -> float:
    """10^x, infinite where it leaves float64."""
    return 10.0**exponent if exponent < 308.25 else math.inf
