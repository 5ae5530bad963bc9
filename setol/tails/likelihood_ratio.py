"""Which of two laws the same tail favours, and whether chance alone could have favoured it so much.

Vuong's test (Econometrica 57, 1989) for laws that are not nested, as Clauset, Shalizi and Newman (SIAM Review
51, 2009, section 5) use it; Wilks' theorem for a law that is part of the other. A ratio says which law is the
better one, never that it is a good one.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from setol.errors import SetolError
from setol.reasons import Reason
from setol.tails.exponential import fit_exponential
from setol.tails.law import TailLaw, tail_above
from setol.tails.log_normal import fit_log_normal
from setol.tails.power_law import fit_power_law_above
from setol.tails.stretched_exponential import fit_stretched_exponential
from setol.tails.truncated_power_law import fit_truncated_power_law


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A comparison of two laws on the same tail; free of scale, and antisymmetric in the two.

    Attributes:
        log_ratio: Log-likelihood of the first law minus that of the second, natural logarithm, summed over the tail.
        normalized: log_ratio / (s sqrt(n_tail)), s the standard deviation of its terms; 0 where s is.
        p_value: Probability of a log_ratio at least this far from 0 if neither law were better, in [0, 1].
        n_tail: Number of eigenvalues in the tail.
    """

    log_ratio: float
    normalized: float
    p_value: float
    n_tail: int


@dataclass(frozen=True, slots=True)
class PowerLawAlternatives:
    """The power law against each alternative on the same tail; a positive log_ratio favours the power law.

    Attributes:
        truncated_power_law: Nested: its log_ratio is never positive, and 0 where no cutoff helps.
        log_normal: Not nested, as in the source; the power law is its limit, which is then the reason given.
        exponential: Not nested.
        stretched_exponential: Not nested, as in the source; the power law is its limit as well.
    """

    truncated_power_law: LikelihoodRatio | Reason
    log_normal: LikelihoodRatio | Reason
    exponential: LikelihoodRatio | Reason
    stretched_exponential: LikelihoodRatio | Reason


def likelihood_ratio(
    evals: NDArray[np.float64], first: TailLaw, second: TailLaw, *, nested: bool = False
) -> LikelihoodRatio | Reason:
    """Compare two laws that were fitted to the same tail by maximum likelihood.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, in the scale of the laws; those below their
            lambda_min are left out.
        first: One law.
        second: Another, with the same lambda_min.
        nested: Whether one law is a special case of the other with one parameter less. The p-value is then that of
            chi-squared with one degree; where the special case is at the border of the parameters, as a
            power law is among truncated ones, the true one is half of it.

    Returns:
        The ratio, or why there is none: fewer than two eigenvalues in the tail, all of them equal, or, for laws that
        are not nested, no spread of their difference.

    Raises:
        SetolError: The laws start at different lambda_min, one gives some eigenvalue no density, or an eigenvalue is
            not positive or not finite.
    """
    if first.lambda_min != second.lambda_min:
        raise SetolError(
            f"need two laws of the same tail; got lambda_min {first.lambda_min} and {second.lambda_min}. "
            "Fit both above the same one."
        )
    tail = tail_above(evals, first.lambda_min)
    if isinstance(tail, Reason):
        return tail
    first_logs, second_logs = first.log_density(tail.evals), second.log_density(tail.evals)
    if not np.all(np.isfinite(first_logs) & np.isfinite(second_logs)):
        raise SetolError(
            "need two laws with a density at every eigenvalue of the tail; got one with none at some, for it was "
            "fitted to others. Fit both to these eigenvalues."
        )
    terms = first_logs - second_logs
    n_tail = len(terms)
    log_ratio, spread = float(terms.sum()), float(terms.std())
    # Two laws that are the same differ by rounding of their logarithms, of the size of which each sum is a part.
    resolution = 64 * 2.0**-52 * float(np.abs(first_logs).max() + np.abs(second_logs).max() + 1.0)
    if nested:
        p_value = float(erfc(math.sqrt(abs(log_ratio)))) if abs(log_ratio) > n_tail * resolution else 1.0
    elif spread <= resolution:
        return Reason.NO_DIFFERENCE
    else:
        p_value = float(erfc(abs(log_ratio) / (spread * math.sqrt(2.0 * n_tail))))
    normalized = log_ratio / (spread * math.sqrt(n_tail)) if spread > resolution else 0.0
    return LikelihoodRatio(log_ratio, normalized, p_value, n_tail)


def compare_with_power_law(evals: NDArray[np.float64], lambda_min: float) -> PowerLawAlternatives | Reason:
    """Fit the power law and its alternatives to the same tail and compare them.

    Args:
        evals: Positive eigenvalues, shape (n,), any order, any scale; those below lambda_min are left out.
        lambda_min: Lower edge of the tail, in the same scale: that of the power-law fit.

    Returns:
        The comparisons, or why there are none: fewer than two eigenvalues in the tail, or all of them equal.

    Raises:
        SetolError: An eigenvalue or lambda_min is not positive or not finite.
    """
    power_law = fit_power_law_above(evals, lambda_min)
    if isinstance(power_law, Reason):
        return power_law

    def against(law: TailLaw | Reason, *, nested: bool = False) -> LikelihoodRatio | Reason:
        return law if isinstance(law, Reason) else likelihood_ratio(evals, power_law, law, nested=nested)

    return PowerLawAlternatives(
        truncated_power_law=against(fit_truncated_power_law(evals, lambda_min), nested=True),
        log_normal=against(fit_log_normal(evals, lambda_min)),
        exponential=against(fit_exponential(evals, lambda_min)),
        stretched_exponential=against(fit_stretched_exponential(evals, lambda_min)),
    )
