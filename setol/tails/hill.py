"""Hill's exponent of the upper half of a spectrum: no choice of lambda_min, so no jumps between epochs.

TempBalance and AlphaPruning (Zhou et al., NeurIPS 2023; Lu et al., NeurIPS 2024) rank layers by it as
PL_Alpha_Hill. It measures the shape of the whole upper half, bulk included, so it depends on the aspect ratio
N/M: a random matrix has 2.12, 2.71, 3.47, 4.48 at 1, 2, 4, 8. Compare layers of one aspect ratio.
"""

import numpy as np
from numpy.typing import NDArray

from setol.reasons import Reason
from setol.scale import EQUAL_SPREAD
from setol.tails.law import check_positive
from setol.tails.power_law import PowerLawFit, fit_of_choice
from setol.tails.scan import TailChoice, lower_step_distance, tail_exponents


def fit_hill(evals: NDArray[np.float64]) -> PowerLawFit | Reason:
    """Fit a power law to the eigenvalues from the median up: those of index floor(n/2) and above, ascending.

    The exponent is that of the density, 1 + n_tail/S with the zero logarithm of lambda_min itself counted in
    n_tail, as those methods have it; Hill's index of the survival function is alpha - 1.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale.

    Returns:
        The fit, its alpha_sigma and distances as for any tail; or why there is none: fewer than two eigenvalues
        in the upper half, or all of them equal.

    Raises:
        SetolError: An eigenvalue is not positive or not finite.
    """
    check_positive(evals)
    start = len(evals) // 2
    if len(evals) - start < 2:
        return Reason.TOO_FEW_EIGENVALUES
    ordered = np.sort(evals).astype(np.float64)
    if ordered[-1] - ordered[start] <= EQUAL_SPREAD * ordered[-1]:
        return Reason.EQUAL_EIGENVALUES
    log_tail = np.log(ordered[start:])
    alpha = float(tail_exponents(log_tail)[0])
    return fit_of_choice(ordered, TailChoice(start, alpha, lower_step_distance(log_tail, alpha)))
