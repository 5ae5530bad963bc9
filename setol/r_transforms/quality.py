"""Layer quality squared from an R-transform. Experimental: the derivation is formal at several steps.

SETOL (arXiv 2507.17912, section 5) writes the quality of a layer, squared, as the sum of G over the
eigenvalues of the effective correlation space (ECS), G being the integral of Re R from the lower edge of
the ECS. To be kept in mind with every number from here:

- R of a spectrum is defined for z up to C at its upper edge; eigenvalues in the place of z lie beyond it.
- The lower limit of the exact integral is 0; the edge of the ECS is put there by decree.
- The paper takes G(beta lambda) = beta G(lambda), which holds for a constant R only. What holds is that the
  integral of R of beta A up to lambda equals the integral of R of A up to beta lambda; that is used here.
- A is an N x N matrix, R that of its M x M counterpart: its own would be R of the spectrum with N - M zeros.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.erg import EQUAL_SPREAD, effective_correlation_space, to_trace_scale
from setol.errors import SetolError
from setol.r_transforms.empirical import EmpiricalRTransform
from setol.r_transforms.protocol import OutsideFloat64, RTransform, check_positive
from setol.reasons import Reason
from setol.scale import check_spectrum


@dataclass(frozen=True, slots=True)
class ExperimentalQuality:
    """Layer quality under one R-transform; without unit, of use for comparisons under the same R only.

    Attributes:
        q_squared: Sum over the ECS of G, in the trace scale, above 0.
        q_squared_log10: Its logarithm to base 10; that of the quality is half of it.
    """

    q_squared: float
    q_squared_log10: float


@dataclass(frozen=True, slots=True)
class CumulantQuality:
    """Layer quality from a few free cumulants. Experimental.

    Attributes:
        q_squared: Sum over the ECS of the series, in the trace scale, above 0.
        q_squared_log10: Its logarithm to base 10.
        cumulants: The free cumulants of the ECS that went into it, shape (order,), trace scale.
    """

    q_squared: float
    q_squared_log10: float
    cumulants: NDArray[np.float64]


def correlation_eigenvalues(evals: NDArray[np.float64]) -> NDArray[np.float64] | Reason:
    """The eigenvalues in the ECS in the trace scale of the whole spectrum, descending, shape (n_ecs,).

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any order, any scale.

    Returns:
        The eigenvalues, or `Reason.ZERO_MATRIX` where all are 0.

    Raises:
        SetolError: There are none, or one is negative or not finite.
    """
    space = effective_correlation_space(evals)
    if isinstance(space, Reason):
        return space
    return to_trace_scale(np.sort(evals)[::-1])[: space.n]


def layer_quality(
    ecs_evals: NDArray[np.float64], r_transform: RTransform, *, beta_eff: float = 1.0
) -> ExperimentalQuality | Reason:
    """Sum over the ECS of the integral of Re R from its smallest eigenvalue to each.

    Args:
        ecs_evals: Eigenvalues of the ECS, shape (n_ecs,), any order, trace scale.
        r_transform: R of the spectrum in the trace scale.
        beta_eff: The factor n beta of SETOL by which both limits are multiplied, above 0; its value is nowhere
            fixed, 1 is a convention.

    Returns:
        The quality, or why there is none: all eigenvalues are equal (the sum is 0, its logarithm none), they lie
        outside the domain of R, or the sum leaves float64.

    Raises:
        SetolError: An eigenvalue is not positive or not finite, there are none, or beta_eff is not above 0.
    """
    check_positive(beta_eff=beta_eff)
    limits = _positive(ecs_evals) * beta_eff
    if not r_transform.domain.contains(limits).all():
        return Reason.R_TRANSFORM_DOMAIN
    lowest = float(limits.min())
    if float(limits.max()) - lowest <= EQUAL_SPREAD * lowest:
        return Reason.EQUAL_EIGENVALUES
    try:
        integrals = r_transform.integral(lowest, limits)
    except OutsideFloat64:
        return Reason.OVERFLOW
    with np.errstate(over="ignore"):
        q_squared = float(integrals.sum())
    if not 0 < q_squared < math.inf:
        return Reason.OVERFLOW
    return ExperimentalQuality(q_squared, math.log10(q_squared))


def cumulant_quality(ecs_evals: NDArray[np.float64], order: int = 5) -> CumulantQuality | Reason:
    """Sum over the ECS of kappa_1 z + kappa_2 z^2/2 + ... at z = lambda/n_ecs, cut off after an order.

    SETOL (arXiv 2507.17912, section 5.6) plots such a number for two layers, without the order, with moments
    once as traces and once as means, and of eigenvalues centred and divided by their standard deviation, which
    fixes the first two cumulants at 0 and 1: it cannot be reproduced. Here moments are means over the ECS,
    uncentred, in the trace scale, and G starts at 0. The series converges while the square of the largest
    eigenvalue stays below about n_ecs: for random and weakly trained layers, but not for tails near alpha = 2,
    where its number is void.

    Args:
        ecs_evals: Eigenvalues of the ECS, shape (n_ecs,), any order, trace scale.
        order: Number of cumulants, 1 to 32.

    Returns:
        The quality, or why there is none: the series ends at 0 or below, or it leaves float64.

    Raises:
        SetolError: An eigenvalue is not positive or not finite, there are none, the order is out of range, or a
            cumulant leaves float64.
    """
    evals = _positive(ecs_evals)
    cumulants = EmpiricalRTransform(evals).free_cumulants(order)
    n = np.arange(1, order + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        q_squared = float((cumulants / n * ((evals / len(evals)) ** n[:, None]).sum(axis=1)).sum())
    if not math.isfinite(q_squared):
        return Reason.OVERFLOW
    if q_squared <= 0:
        return Reason.SERIES_BELOW_ZERO
    return CumulantQuality(q_squared, math.log10(q_squared), cumulants)


def _positive(ecs_evals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The eigenvalues as float64; refuses what the ECS cannot hold."""
    check_spectrum(ecs_evals)
    if not np.all(ecs_evals > 0):
        raise SetolError(
            f"need positive eigenvalues in the ECS; got {np.count_nonzero(ecs_evals == 0)} zeros. "
            f"Take them from correlation_eigenvalues."
        )
    return ecs_evals.astype(np.float64)
