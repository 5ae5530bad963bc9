"""Choice of lambda_min for any law: the tail whose law of that kind lies closest to the data.

As for the power law, every eigenvalue but the largest is a candidate and the smallest D decides. Fitting the
truncated power law this way is what WeightWatcher's fit "TPL" was meant to do, and with lambda_min near the peak
its "E_TPL". Every candidate costs a fit: about a second for 1,000 eigenvalues, several for 4,000.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.tails.law import TailLaw, check_positive


@dataclass(frozen=True, slots=True)
class ScannedLaw:
    """A law fitted to the tail that suits it best.

    Attributes:
        law: The law; its lambda_min is the smallest eigenvalue of the tail.
        d_ww: Largest deviation of the law from the lower steps of the empirical CDF, in [0, 1], the smallest of all
            candidates.
        d_ks: Two-sided Kolmogorov-Smirnov distance, between d_ww and d_ww + 1/n_tail.
        n_tail: Number of eigenvalues in the tail.
    """

    law: TailLaw
    d_ww: float
    d_ks: float
    n_tail: int


def scan_law(
    evals: NDArray[np.float64],
    fit: Callable[[NDArray[np.float64], float], TailLaw | Reason],
    *,
    smallest_tail: int = 10,
    lambda_min_between: tuple[float, float] = (0.0, np.inf),
) -> ScannedLaw | Reason:
    """Fit a law to the tail above every candidate for lambda_min and keep the one with the smallest D.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale.
        fit: The fit of a tail above a given lambda_min, such as `fit_truncated_power_law`.
        smallest_tail: Fewest eigenvalues a tail may have, at least 2. Two parameters can follow a handful of
            eigenvalues step by step, which then has the smallest D and means nothing.
        lambda_min_between: Smallest and largest value allowed for lambda_min, both included, in the scale of the
            eigenvalues.

    Returns:
        The law, or why there is none: fewer eigenvalues than the smallest tail, all of them equal, or no candidate
        in the range on which the fit has a result.

    Raises:
        SetolError: An eigenvalue is not positive or not finite, the smallest tail is below 2, or the range ends
            before it begins.
    """
    check_positive(evals)
    low, high = lambda_min_between
    if smallest_tail < 2 or not low <= high:
        raise SetolError(
            "need a smallest tail of at least 2 and a range of lambda_min whose first value is at most its last; got "
            f"smallest_tail = {smallest_tail}, {low} to {high}."
        )
    if len(evals) < smallest_tail:
        return Reason.TOO_FEW_EIGENVALUES
    ordered = np.sort(evals).astype(np.float64)
    if ordered[0] == ordered[-1]:
        return Reason.EQUAL_EIGENVALUES
    best: ScannedLaw | None = None
    for lambda_min in np.unique(ordered[: len(ordered) - smallest_tail + 1]):
        if not low <= lambda_min <= high:
            continue
        tail = ordered[np.searchsorted(ordered, lambda_min) :]
        law = fit(tail, float(lambda_min))
        if isinstance(law, Reason):
            continue
        deviations = law.cdf(tail) - np.arange(len(tail)) / len(tail)
        d_ww = float(np.abs(deviations).max())
        if best is None or d_ww < best.d_ww:
            d_upper = float(np.abs(deviations - 1.0 / len(tail)).max())
            best = ScannedLaw(law, d_ww, max(d_ww, d_upper), len(tail))
    return Reason.NO_CANDIDATE if best is None else best
