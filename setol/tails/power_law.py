"""The power-law tail of a spectrum: density proportional to lambda^-alpha above lambda_min.

Maximum likelihood for the exponent, the Kolmogorov-Smirnov distance for where the tail begins
(Clauset, Shalizi and Newman, SIAM Review 51, 2009); alpha is the layer metric of HTSR (Martin and
Mahoney, JMLR 22, 2021).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.tails.scan import power_law_cdf, scan_tails


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


def fit_power_law(evals: NDArray[np.float64], *, small_sample: SmallSample | None = None) -> PowerLawFit | Reason:
    """Fit a power law to the tail of a spectrum, lambda_min included.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale.
        small_sample: Rule for short spectra; by default they are treated as all others.

    Returns:
        The fit, or why there is none: fewer than two eigenvalues, or all of them equal.

    Raises:
        SetolError: An eigenvalue is not positive or not finite.
    """
    if evals.ndim != 1 or not np.all(np.isfinite(evals) & (evals > 0)):
        raise SetolError(
            f"need positive finite eigenvalues of shape (n,); got shape {evals.shape} with "
            f"{np.count_nonzero(~(np.isfinite(evals) & (evals > 0)))} that are not. Drop zeros before fitting."
        )
    if len(evals) < 2:
        return Reason.TOO_FEW_EIGENVALUES
    ordered = np.sort(evals).astype(np.float64)
    log_evals = np.log(ordered)
    if small_sample is not None and len(ordered) < small_sample.below:
        smallest_tail = min(small_sample.smallest_tail, len(ordered))
        choice = scan_tails(log_evals, smallest_tail=smallest_tail, lost_degrees=1)
    else:
        choice = scan_tails(log_evals)
    if choice is None:
        return Reason.EQUAL_EIGENVALUES
    log_tail = log_evals[choice.start :]
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
