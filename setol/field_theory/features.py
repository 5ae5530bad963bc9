"""Spectra of real features: the theory for any kernel and any data, from a pool of labelled examples.

The step from the spectrum of a network's weights to that of its features is no part of this: it is a hypothesis.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.field_theory.learning_curve import LearningCurve
from setol.field_theory.spectrum import Spectrum, Vector

SHARE_OF_POOL = 5
"""A curve is to be read up to the pool's size over this: beyond, the pool's own noise is in its eigenvectors."""

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EmpiricalModes:
    """A kernel on a pool of examples, by its eigenvectors.

    Attributes:
        spectrum: One eigenvalue a mode, the largest first; what is below the reliable rank is its tail.
        target_power: Mean square of the target by mode, summed over outputs.
        power_beyond: Mean square of the target in no reliable mode.
        n_pool: Examples in the pool.
    """

    spectrum: Spectrum
    target_power: Vector
    power_beyond: float
    n_pool: int


def empirical_modes(gram: NDArray[np.float64], targets: NDArray[np.float64], rank: int | None = None) -> EmpiricalModes:
    """Take a kernel apart on a pool of examples.

    Args:
        gram: The kernel between all examples of the pool, shape (n, n): for features F it is F F^T.
        targets: Labels, shape (n,) or (n, outputs), such as one-hot classes less their mean.
        rank: Modes that are kept apart; by default those above 1e-12 of the largest, at most half of the pool.

    Returns:
        Eigenvalues of gram/n and (eigenvector . target)^2/n.

    Raises:
        SetolError: Shapes do not fit, numbers are not finite, or the kernel is not positive.
    """
    n_pool = len(gram)
    outputs = targets.reshape(n_pool, -1) if targets.shape[:1] == (n_pool,) else None
    if gram.shape != (n_pool, n_pool) or n_pool < 2 or outputs is None:
        raise SetolError(f"need a square kernel and as many targets, got shapes {gram.shape} and {targets.shape}.")
    if not (np.isfinite(gram).all() and np.isfinite(targets).all()):
        raise SetolError("need a finite kernel and finite targets.")
    values, vectors = np.linalg.eigh((gram + gram.T) / (2 * n_pool))
    values, vectors = values[::-1], vectors[:, ::-1]
    if values[0] <= 0 or values[-1] < -1e-8 * values[0]:
        raise SetolError(
            f"need a positive kernel, got eigenvalues from {values[-1]:.3g} to {values[0]:.3g} (over the pool's size): "
            "take features and their products, or add what is missing to the diagonal."
        )
    kept = int((values > _ROUNDING * values[0]).sum())
    kept = min(kept, n_pool // 2) if rank is None else min(kept, rank)
    if kept < 1:
        raise SetolError(f"need a rank of at least 1, got {rank}.")
    power = ((vectors.T @ outputs) ** 2).sum(axis=1) / n_pool
    spectrum = Spectrum(
        eigenvalues=values[:kept].copy(),
        degeneracies=np.ones(kept),
        tail=float(np.clip(values[kept:], 0, None).sum()),
    )
    return EmpiricalModes(
        spectrum=spectrum,
        target_power=power[:kept].copy(),
        power_beyond=float(power[kept:].sum()),
        n_pool=n_pool,
    )


def error_on_the_rest(modes: EmpiricalModes, curve: LearningCurve) -> Vector:
    """Predicted error on those examples of the pool that were not trained on.

    The theory's mean is over the whole pool, N of whose n examples are the training set itself, without label noise:
    n E = N E_training + (n - N) E_rest.

    Args:
        modes: Of the pool.
        curve: Predicted from them, self-consistent, without label noise, for fewer examples than the pool has.

    Raises:
        SetolError: As many examples as the pool has, or more.
    """
    share = curve.n_examples / modes.n_pool
    if not (share < 1).all():
        raise SetolError(f"need fewer examples than the pool's {modes.n_pool}, got {curve.n_examples.max():g}.")
    found: Vector = (curve.error - share * curve.training_error) / (1 - share)
    return found
