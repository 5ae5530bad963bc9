"""Learning curves: the error of the mean predictor, averaged over data sets, against the number of examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.field_theory.perturbation import equivalent_kernel, next_order, paper_order
from setol.field_theory.self_consistent import solve_kappa
from setol.field_theory.spectrum import Spectrum, Vector

SMALL_EXPANSION = 0.3
"""Of the expansion parameter: above it the methods of the next order are outside their domain."""

FEW_FOR_CONSTANTS = 25
"""Examples below which the self-consistent theory misjudges a target that is mostly constant."""


class Method(StrEnum):
    """Theories of the curve."""

    SELF_CONSISTENT = "self_consistent"
    EQUIVALENT_KERNEL = "equivalent_kernel"
    PAPER = "paper"
    NEXT_ORDER = "next_order"


class Ensemble(StrEnum):
    """Whether the number of examples is fixed or a Poisson number of that mean; matters for `next_order` alone."""

    FIXED = "fixed"
    POISSON = "poisson"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LearningCurve:
    """Predicted errors, in squared units of the target. What a method does not say is NaN.

    Attributes:
        n_examples: Shape (n,), as all that is not said otherwise.
        error: Mean squared deviation from the noise-free target; a noisy test label adds `label_noise` more.
        per_degree: Its parts by degree, without the label noise's, shape (n, L+1).
        from_label_noise: What noise on the training labels adds.
        beyond: The part of the target's power beyond the last degree.
        training_error: Mean squared deviation from the training labels.
        posterior_variance: Mean variance of the Gaussian process at a new input; a single sample of the posterior
            errs by this much more.
        kappa: The ridge that a mode sees; for expansions in 1/N, ridge/N.
        learnability: eigenvalue/(eigenvalue + kappa) by degree, shape (n, L+1).
        expansion: Learned modes per example: below 1, and small where an expansion in 1/N holds.
        warnings: Sentences on where the method is outside its domain.
    """

    n_examples: Vector
    error: Vector
    per_degree: NDArray[np.float64]
    from_label_noise: Vector
    beyond: Vector
    training_error: Vector
    posterior_variance: Vector
    kappa: Vector
    learnability: NDArray[np.float64]
    expansion: Vector
    warnings: tuple[str, ...]


def learning_curve(
    spectrum: Spectrum,
    target_power: Sequence[float] | Vector,
    n_examples: Sequence[float] | Vector,
    *,
    ridge: float = 0.0,
    label_noise: float = 0.0,
    method: str = Method.SELF_CONSISTENT,
    ensemble: str = Ensemble.FIXED,
    power_beyond: float = 0.0,
) -> LearningCurve:
    """Predict a learning curve.

    Args:
        spectrum: Of the kernel, eigenvalues by degree.
        target_power: Mean square of the target by degree, shape up to (L+1,); missing degrees are 0.
        n_examples: Numbers of training examples, above 0.
        ridge: Added to the Gram matrix's diagonal, with no factor N. Temperature of Langevin training with the loss
            1/2 sum of squares.
        label_noise: Variance of noise on the training labels.
        method: `self_consistent`, the default: resums all orders. `equivalent_kernel`: the limit of many examples.
            `paper`: the next order as Cohen et al. have it, without the predictor's variance. `next_order`: complete.
        ensemble: For `next_order`.
        power_beyond: Mean square of the target beyond the last degree.

    Raises:
        SetolError: A number is outside its range, the target has more degrees than the spectrum, or the method needs
            a ridge and there is none.
    """
    counts = np.atleast_1d(np.asarray(n_examples, dtype=np.float64))
    power = _padded(target_power, len(spectrum.eigenvalues))
    _check(counts, power, ridge=ridge, label_noise=label_noise, power_beyond=power_beyond)
    if method not in tuple(Method):
        raise SetolError(f"unknown method {method!r}; known: {', '.join(Method)}.")
    if ensemble not in tuple(Ensemble):
        raise SetolError(f"unknown ensemble {ensemble!r}; known: {', '.join(Ensemble)}.")
    if method == Method.SELF_CONSISTENT:
        return _self_consistent(spectrum, power, counts, ridge, label_noise, power_beyond)
    if ridge == 0:
        raise SetolError(
            f"the method {method} needs a ridge above 0: trim the kernel and add what was cut "
            "(setol.field_theory.renormalization), or use self_consistent."
        )
    return _expansion(spectrum, power, counts, ridge, label_noise, power_beyond, Method(method), Ensemble(ensemble))


def _padded(target_power: Sequence[float] | Vector, length: int) -> Vector:
    given = np.atleast_1d(np.asarray(target_power, dtype=np.float64))
    if given.ndim != 1 or (len(given) > length and given[length:].any()):
        raise SetolError(f"need target power for at most {length} degrees, those of the spectrum, got {len(given)}.")
    power = np.zeros(length)
    power[: len(given)] = given[:length]
    return power


def _check(counts: Vector, power: Vector, **numbers: float) -> None:
    if not (np.isfinite(counts).all() and (counts > 0).all() and counts.ndim == 1 and len(counts)):
        raise SetolError("need numbers of examples that are finite and above 0.")
    if not (np.isfinite(power).all() and (power >= 0).all()):
        raise SetolError("need a finite target power of 0 or more for every degree.")
    for name, value in numbers.items():
        if not (np.isfinite(value) and value >= 0):
            raise SetolError(f"need a finite {name} of 0 or more, got {value}.")


def _self_consistent(
    spectrum: Spectrum, power: Vector, counts: Vector, ridge: float, label_noise: float, power_beyond: float
) -> LearningCurve:
    kappa = np.array([solve_kappa(spectrum, count, ridge) for count in counts])
    learnability = spectrum.eigenvalues / (spectrum.eigenvalues + kappa[:, None])
    overfitting = 1 / (1 - learnability**2 @ spectrum.degeneracies / counts)
    per_degree = overfitting[:, None] * (1 - learnability) ** 2 * power
    from_noise = label_noise * (overfitting - 1)
    beyond = overfitting * power_beyond
    error = per_degree.sum(axis=1) + from_noise + beyond
    warnings = []
    if power[0] > power.sum() / 2 and (counts < FEW_FOR_CONSTANTS).any():
        warnings.append(
            f"The target is mostly constant: below {FEW_FOR_CONSTANTS} examples the constant's error is off by up to "
            "a fifth. Subtract the sample mean first."
        )
    return LearningCurve(
        n_examples=counts,
        error=error,
        per_degree=per_degree,
        from_label_noise=from_noise,
        beyond=beyond,
        training_error=(ridge / (counts * kappa)) ** 2 * (error + label_noise),
        posterior_variance=counts * kappa - ridge,
        kappa=kappa,
        learnability=learnability,
        expansion=learnability @ spectrum.degeneracies / counts,
        warnings=tuple(warnings),
    )


def _expansion(
    spectrum: Spectrum,
    power: Vector,
    counts: Vector,
    ridge: float,
    label_noise: float,
    power_beyond: float,
    method: Method,
    ensemble: Ensemble,
) -> LearningCurve:
    kappa = (ridge + spectrum.tail) / counts
    if method is Method.EQUIVALENT_KERNEL:
        found = equivalent_kernel(spectrum, kappa)
    elif method is Method.PAPER:
        found = paper_order(spectrum, kappa, counts)
    else:
        found = next_order(spectrum, kappa, counts, poisson=ensemble is Ensemble.POISSON)
    per_degree = found.per_degree * power
    from_noise = label_noise * found.noise
    beyond = np.full(len(counts), float(power_beyond))
    unknown = np.full(len(counts), np.nan)
    warnings = []
    if method is not Method.EQUIVALENT_KERNEL and (found.expansion > SMALL_EXPANSION).any():
        warnings.append(
            f"{method} expands in the number of learned modes per example, which reaches "
            f"{found.expansion.max():.2g} here: beyond {SMALL_EXPANSION} it cannot be trusted; use self_consistent."
        )
    return LearningCurve(
        n_examples=counts,
        error=per_degree.sum(axis=1) + from_noise + beyond,
        per_degree=per_degree,
        from_label_noise=from_noise,
        beyond=beyond,
        training_error=unknown,
        posterior_variance=unknown,
        kappa=kappa,
        learnability=found.learnability,
        expansion=found.expansion,
        warnings=tuple(warnings),
    )
