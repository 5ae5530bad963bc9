"""Layer quality of one spectrum under every model of SETOL, without one, and in the limits. Experimental.

The models are those of SETOL (arXiv 2507.17912, section 5); their free parameters are set as its text sets
them from the fitted alpha, not fitted to the spectrum. What is to be kept in mind stands in `quality`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.r_transforms.discrete import DiscreteRTransform
from setol.r_transforms.empirical import EmpiricalRTransform
from setol.r_transforms.free_cauchy import FreeCauchyRTransform
from setol.r_transforms.inverse_marchenko_pastur import InverseMarchenkoPasturRTransform
from setol.r_transforms.levy_wigner import LevyWignerRTransform
from setol.r_transforms.protocol import RTransform, check_positive
from setol.r_transforms.quality import ExperimentalQuality, correlation_eigenvalues, layer_quality
from setol.reasons import Reason


@dataclass(frozen=True, slots=True)
class ExperimentalQualities:
    """Layer quality under each R-transform, each a `Reason` where it has none; trace scale.

    Attributes:
        empirical: R of the eigenvalues of the ECS themselves: no model in it.
        discrete: R = kappa_1, their mean (bulk plus spikes).
        free_cauchy: R = a + i gamma.
        inverse_marchenko_pastur: kappa = alpha/2, as in the text of SETOL.
        levy_wigner: b = alpha - 1 and a = 0, which leaves sums of lambda^(alpha - 1).
        tail_norm: Sum of the ECS, which SETOL puts for the discrete quality itself, not squared: it drops the
            lower limit and takes kappa_1 as the sum.
    """

    empirical: ExperimentalQuality | Reason
    discrete: ExperimentalQuality | Reason
    free_cauchy: ExperimentalQuality | Reason
    inverse_marchenko_pastur: ExperimentalQuality | Reason
    levy_wigner: ExperimentalQuality | Reason
    tail_norm: float


@dataclass(frozen=True, slots=True)
class FormalLimits:
    """What the qualities become where the largest eigenvalue alone counts; how alpha and alpha_hat drop out.

    They hold to leading order for one dominant eigenvalue; SETOL reads them as explanations of its empirical
    metrics, up to constants. In the trace scale the largest eigenvalue is above 1, so that all of them rise with
    alpha at a given one; alpha_hat in the papers before uses unscaled weights, where the trend may be opposite.

    Attributes:
        free_cauchy_q_log10: log10(a lambda_max)/2, of the quality, not its square. With the observation that
            log lambda_max goes as 1/alpha it becomes the alpha metric.
        levy_wigner_q_squared_log10: (alpha - 1) log10 lambda_max: alpha_hat but for one log10 lambda_max.
        inverse_marchenko_pastur_q_squared: kappa ln(lambda_max/lambda_min), kappa = alpha/2. SETOL's table has it,
            in base 10 and with 2 alpha for alpha/2, in the column of the logarithm, where it does not belong.
        alpha_hat: alpha log10 lambda_max, here in the trace scale.
    """

    free_cauchy_q_log10: float
    levy_wigner_q_squared_log10: float
    inverse_marchenko_pastur_q_squared: float
    alpha_hat: float


def layer_qualities(
    evals: NDArray[np.float64], alpha: float, *, location: float = 1.0, beta_eff: float = 1.0
) -> ExperimentalQualities | Reason:
    """Layer quality of a spectrum under each R-transform.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any order, any scale.
        alpha: Exponent of the fitted power-law tail, above 1.
        location: Peak a of the free Cauchy law, above 0, trace scale; SETOL leaves it open.
        beta_eff: See `layer_quality`.

    Returns:
        The qualities, or `Reason.ZERO_MATRIX` where all eigenvalues are 0.

    Raises:
        SetolError: There are no eigenvalues, one is negative or not finite, or a parameter is out of its range.
    """
    levy_wigner = LevyWignerRTransform(alpha)
    inverse_marchenko_pastur = InverseMarchenkoPasturRTransform(alpha / 2)
    free_cauchy = FreeCauchyRTransform(location)
    check_positive(beta_eff=beta_eff)
    ecs_evals = correlation_eigenvalues(evals)
    if isinstance(ecs_evals, Reason):
        return ecs_evals

    def quality(model: RTransform) -> ExperimentalQuality | Reason:
        return layer_quality(ecs_evals, model, beta_eff=beta_eff)

    return ExperimentalQualities(
        empirical=quality(EmpiricalRTransform(ecs_evals)),
        discrete=quality(DiscreteRTransform(float(ecs_evals.mean()))),
        free_cauchy=quality(free_cauchy),
        inverse_marchenko_pastur=quality(inverse_marchenko_pastur),
        levy_wigner=quality(levy_wigner),
        tail_norm=float(ecs_evals.sum()),
    )


def formal_limits(lambda_max: float, lambda_min: float, alpha: float, *, location: float = 1.0) -> FormalLimits:
    """The qualities where one eigenvalue dominates.

    Args:
        lambda_max: Largest eigenvalue, trace scale.
        lambda_min: Lower edge of the ECS, above 0 and at most lambda_max, trace scale.
        alpha: Exponent of the fitted power-law tail, above 1.
        location: Peak a of the free Cauchy law, above 0, trace scale.

    Raises:
        SetolError: An argument is out of its range or not finite.
    """
    check_positive(lambda_min=lambda_min, lambda_max=lambda_max, location=location)
    if lambda_max < lambda_min:
        raise SetolError(f"need lambda_max of at least lambda_min = {lambda_min}; got {lambda_max}.")
    if not (math.isfinite(alpha) and alpha > 1):
        raise SetolError(f"need a finite alpha above 1, the exponent of the tail density; got {alpha}.")
    log10_largest = math.log10(lambda_max)
    return FormalLimits(
        free_cauchy_q_log10=(math.log10(location) + log10_largest) / 2,
        levy_wigner_q_squared_log10=(alpha - 1) * log10_largest,
        inverse_marchenko_pastur_q_squared=alpha / 2 * (math.log(lambda_max) - math.log(lambda_min)),
        alpha_hat=alpha * log10_largest,
    )
