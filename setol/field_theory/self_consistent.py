"""The self-consistent theory: each mode sees all others as ridge.

kappa > 0 solves N = sum_l degeneracy lambda_l/(lambda_l + kappa) + (ridge + tail)/kappa; a mode is learned where its
eigenvalue is above kappa (Sollich, NeurIPS 2001; Bordelon, Canatar and Pehlevan, ICML 2020; Canatar, Bordelon and
Pehlevan, Nat. Commun. 12, 2914, 2021, whose kappa is N times ours; Simon et al., TMLR 2023).
"""

import math

from scipy.optimize import brentq

from setol.errors import SetolError
from setol.field_theory.spectrum import Spectrum


def solve_kappa(spectrum: Spectrum, n_examples: float, ridge: float) -> float:
    """The effective ridge that a mode sees, kappa.

    Args:
        spectrum: Of the kernel.
        n_examples: Training examples, above 0; need not be whole.
        ridge: Added to the diagonal of the Gram matrix (not multiplied by N), 0 or more.

    Returns:
        kappa, in squared units of the output, to 1e-14 of itself.

    Raises:
        SetolError: There is no solution: the spectrum is finite, without ridge, and no larger than the number of
            examples.
    """
    own = ridge + spectrum.tail
    if own == 0 and n_examples >= spectrum.n_modes:
        raise SetolError(
            f"{n_examples:g} examples determine all of the {spectrum.n_modes:g} modes of a finite spectrum without "
            "ridge: need a ridge above 0, fewer examples, or a spectrum with its tail."
        )
    eigenvalues, degeneracies = spectrum.eigenvalues, spectrum.degeneracies

    def excess(log_kappa: float) -> float:
        kappa = math.exp(log_kappa)
        return float(degeneracies @ (eigenvalues / (eigenvalues + kappa))) + own / kappa - n_examples

    high = math.log((spectrum.total + ridge) / n_examples)  # every learnability is below lambda/kappa
    low = high - 2
    while excess(low) <= 0:
        low -= 2
    if excess(high) >= 0:  # equal up to rounding: no mode is learned at all
        return math.exp(high)
    return math.exp(brentq(excess, low, high, xtol=1e-15, rtol=4e-16 * 4))
