"""The power-law tail of a spectrum: density proportional to lambda^-alpha above lambda_min.

Maximum likelihood for the exponent, the Kolmogorov-Smirnov distance for where the tail begins
(Clauset, Shalizi and Newman, SIAM Review 51, 2009); alpha is the layer metric of HTSR (Martin and
Mahoney, JMLR 22, 2021).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.scale import EQUAL_SPREAD
from setol.tails.law import TailLaw, check_positive, tail_above
from setol.tails.scan import TailChoice, power_law_cdf, scan_tails, scan_tails_of_each


@dataclass(frozen=True, slots=True)
class PowerLawFit:
    """A fitted power-law tail; lambdas are in the scale of the eigenvalues that were given.

    Attributes:
        alpha: Exponent of the density, above 1, free of scale.
        alpha_sigma: Asymptotic standard error (alpha - 1)/sqrt(n_tail); the choice of lambda_min is not in it.
        lambda_min: Smallest eigenvalue of the tail.
        lambda_max: Largest eigenvalue.
        d_ww: Largest deviation of the fit from the lower steps of the empirical CDF, in [0, 1]; what
            WeightWatcher reports as D and what lambda_min is chosen by.
        d_ks: Two-sided Kolmogorov-Smirnov distance, between d_ww and d_ww + 1/n_tail.
        n_tail: Number of eigenvalues in the tail.
    """

    alpha: float
    alpha_sigma: float
    lambda_min: float
    lambda_max: float
    d_ww: float
    d_ks: float
    n_tail: int


@dataclass(frozen=True, slots=True)
class SmallSample:
    """How WeightWatcher 0.7.7 fits short spectra: exponent 1 + (n-1)/S, tails of a least size.

    Attributes:
        below: Spectra with fewer eigenvalues than this are fitted so.
        smallest_tail: Fewest eigenvalues a tail may have then; shorter spectra are one tail as a whole.
    """

    below: int = 20
    smallest_tail: int = 8


@dataclass(frozen=True, slots=True)
class PowerLaw(TailLaw):
    """Density (alpha - 1)/lambda_min (lambda/lambda_min)^-alpha from lambda_min up.

    Attributes:
        lambda_min: Lower edge of the tail, in the scale of the eigenvalues that were given.
        alpha: Exponent of the density, above 1, free of scale.
    """

    lambda_min: float
    alpha: float

    def _log_density(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        return math.log(self.alpha - 1.0) - (self.alpha - 1.0) * ratios

    def _cdf(self, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        return -np.expm1((1.0 - self.alpha) * ratios)


def fit_power_law(
    evals: NDArray[np.float64],
    *,
    small_sample: SmallSample | None = None,
    lambda_min_between: tuple[float, float] | None = None,
) -> PowerLawFit | Reason:
    """Fit a power law to the tail of a spectrum, lambda_min included.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale.
        small_sample: Rule for short spectra; by default they are treated as all others.
        lambda_min_between: Smallest and largest value allowed for lambda_min, both included, in the scale of the
            eigenvalues; by default any eigenvalue.

    Returns:
        The fit, or why there is none: fewer than two eigenvalues, all of them equal, or none to start a tail
        from in the range that was given.

    Raises:
        SetolError: An eigenvalue is not positive or not finite, or the range ends before it begins.
    """
    ordered = _ascending(evals)
    if isinstance(ordered, Reason):
        return ordered
    log_evals = np.log(ordered)
    starts = None if lambda_min_between is None else _starts_between(ordered, lambda_min_between)
    if small_sample is not None and len(ordered) < small_sample.below:
        smallest_tail = min(small_sample.smallest_tail, len(ordered))
        choice = scan_tails(log_evals, smallest_tail=smallest_tail, lost_degrees=1, starts=starts)
    else:
        choice = scan_tails(log_evals, starts=starts)
    return _fit_or_reason(ordered, choice)


def fit_power_law_of_each(
    spectra: Sequence[NDArray[np.float64]], *, small_sample: SmallSample | None = None
) -> list[PowerLawFit | Reason]:
    """`fit_power_law` of several spectra, digit for digit: many short ones take less time together.

    Args:
        spectra: Positive eigenvalues of each, shape (n,), any order, any scale.
        small_sample: Rule for short spectra; by default they are treated as all others.

    Returns:
        The fits, or why there are none, in the order given.

    Raises:
        SetolError: An eigenvalue is not positive or not finite.
    """
    below = 0 if small_sample is None else small_sample.below
    ordered = [None if len(evals) < below else _ascending(evals) for evals in spectra]
    choices = iter(scan_tails_of_each([np.log(each) for each in ordered if isinstance(each, np.ndarray)]))
    return [
        fit_power_law(evals, small_sample=small_sample)
        if each is None
        else each
        if isinstance(each, Reason)
        else _fit_or_reason(each, next(choices))
        for evals, each in zip(spectra, ordered, strict=True)
    ]


def fit_power_law_above(evals: NDArray[np.float64], lambda_min: float) -> PowerLaw | Reason:
    """Fit a power law to the tail above a given lambda_min by maximum likelihood.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale; those below lambda_min are left out.
        lambda_min: Lower edge of the tail, in the same scale; need not be one of them.

    Returns:
        The law, or why there is none: fewer than two eigenvalues in the tail, or all of them equal.

    Raises:
        SetolError: An eigenvalue or lambda_min is not positive or not finite.
    """
    tail = tail_above(evals, lambda_min)
    if isinstance(tail, Reason):
        return tail
    return PowerLaw(lambda_min, 1.0 + 1.0 / float(tail.log_ratios.mean()))


def fit_of_choice(ordered: NDArray[np.float64], choice: TailChoice) -> PowerLawFit:
    """The record of a tail that has been chosen.

    Args:
        ordered: The eigenvalues, ascending, shape (n,), any scale.
        choice: Where the tail starts, its exponent and its D.
    """
    log_tail = np.log(ordered[choice.start :])
    n_tail = len(log_tail)
    upper_steps = np.arange(1, n_tail + 1) / n_tail
    d_upper = float(np.abs(power_law_cdf(log_tail, choice.alpha) - upper_steps).max())
    return PowerLawFit(
        alpha=choice.alpha,
        alpha_sigma=(choice.alpha - 1.0) / math.sqrt(n_tail),
        lambda_min=float(ordered[choice.start]),
        lambda_max=float(ordered[-1]),
        d_ww=choice.distance,
        d_ks=max(choice.distance, d_upper),
        n_tail=n_tail,
    )


def _ascending(evals: NDArray[np.float64]) -> NDArray[np.float64] | Reason:
    """The eigenvalues in order, or why no tail is looked for."""
    check_positive(evals)
    if len(evals) < 2:
        return Reason.TOO_FEW_EIGENVALUES
    ordered = np.sort(evals).astype(np.float64)
    return Reason.EQUAL_EIGENVALUES if ordered[-1] - ordered[0] <= EQUAL_SPREAD * ordered[-1] else ordered


def _fit_or_reason(ordered: NDArray[np.float64], choice: TailChoice | None) -> PowerLawFit | Reason:
    if choice is None:
        return Reason.EQUAL_EIGENVALUES if np.log(ordered[0]) == np.log(ordered[-1]) else Reason.NO_CANDIDATE
    return fit_of_choice(ordered, choice)


def _starts_between(ordered: NDArray[np.float64], limits: tuple[float, float]) -> tuple[int, int]:
    """First index of a range of values, and the first after it."""
    low, high = limits
    if not low <= high:
        raise SetolError(f"need a range of lambda_min whose first value is at most its last; got {low} to {high}.")
    return int(np.searchsorted(ordered, low, side="left")), int(np.searchsorted(ordered, high, side="right"))
