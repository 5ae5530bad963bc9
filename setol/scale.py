"""Scale, norm and rank of a spectrum: metrics that need no fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason

EQUAL_SPREAD = 2.0**-16
"""Relative spread below which eigenvalues count as equal. An orthogonal matrix stored in float32 leaves 1e-6 to 4e-6,
which is rounding and no tail."""


@dataclass(frozen=True, slots=True)
class ScaleMetrics:
    """Norms and ranks of a spectrum, in the scale of the eigenvalues that were given; logs to base 10.

    Attributes:
        lambda_max: Largest eigenvalue, the squared spectral norm.
        log_norm: log10 of the sum of the eigenvalues, the squared Frobenius norm.
        log_spectral_norm: log10 of lambda_max.
        stable_rank: Sum over maximum, in [1, n].
        matrix_rank: Number of eigenvalues above 0 (the resolution has been applied before).
        entropy: Shannon entropy of lambda / sum, divided by ln(matrix_rank): 0 for one eigenvalue, 1 for equal ones.
    """

    lambda_max: float
    log_norm: float
    log_spectral_norm: float
    stable_rank: float
    matrix_rank: int
    entropy: float


def scale_metrics(evals: NDArray[np.float64]) -> ScaleMetrics | Reason:
    """Norms and ranks of a spectrum.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any order, any scale.

    Returns:
        The metrics, or `Reason.ZERO_MATRIX` where all eigenvalues are 0.

    Raises:
        SetolError: There are none, or one is negative or not finite.
    """
    check_spectrum(evals)
    positive = evals[evals > 0]
    if not len(positive):
        return Reason.ZERO_MATRIX
    (found,) = scale_metrics_of_each(positive[None].astype(np.float64))  # a caller's own may be float32
    return found


def scale_metrics_of_each(positive: NDArray[np.float64]) -> list[ScaleMetrics]:
    """`scale_metrics` of several spectra of one rank: many small ones take little more time than one.

    Args:
        positive: The eigenvalues above 0 of each, shape (spectra, rank), rank at least 1, any order, any scale.
    """
    rank = positive.shape[1]
    lambda_max = positive.max(axis=1)
    relative = positive / lambda_max[:, None]
    relative_sum = relative.sum(axis=1)
    shares = relative / relative_sum[:, None]
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)  # a share too small for float64 adds 0
    entropy = -((shares * logs).sum(axis=1) / np.log(rank)) if rank > 1 else np.zeros(len(positive))
    log_max = np.log10(lambda_max)
    columns = (lambda_max, log_max + np.log10(relative_sum), log_max, relative_sum, entropy)
    return [
        ScaleMetrics(largest, log_norm, log_largest, stable_rank, rank, each_entropy)
        for largest, log_norm, log_largest, stable_rank, each_entropy in np.stack(columns, axis=1).tolist()
    ]


def log_alpha_norm(evals: NDArray[np.float64], alpha: float) -> float:
    """log10 of the sum of lambda^alpha, the Schatten norm ||X||_alpha^alpha, without overflow.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, at least one positive, any scale.
        alpha: Exponent of the power-law tail.

    Raises:
        SetolError: There is no positive eigenvalue, or one is negative or not finite.
    """
    check_spectrum(evals)
    if not np.any(evals > 0):
        raise SetolError("need at least one positive eigenvalue for the alpha norm; got only zeros.")
    (norm,) = log_alpha_norm_of_each(evals[evals > 0][None].astype(np.float64), [alpha])
    return norm


def log_alpha_norm_of_each(positive: NDArray[np.float64], alphas: Sequence[float]) -> list[float]:
    """`log_alpha_norm` of several spectra of one rank.

    Args:
        positive: The eigenvalues above 0 of each, shape (spectra, rank), rank at least 1, any scale.
        alphas: Exponent of the power-law tail of each.
    """
    log_evals, exponents = np.log10(positive), np.array(alphas)
    top = log_evals.max(axis=1)
    sums = (10.0 ** (exponents[:, None] * (log_evals - top[:, None]))).sum(axis=1)
    norms: list[float] = (exponents * top + np.log10(sums)).tolist()
    return norms


def check_spectrum(evals: NDArray[np.float64]) -> None:
    """Refuse what is no spectrum.

    Raises:
        SetolError: Not one axis, no eigenvalue, or one that is negative or not finite.
    """
    if evals.ndim != 1 or not len(evals):
        raise SetolError(f"need at least one eigenvalue, shape (n,); got shape {evals.shape}.")
    if not (evals.min() >= 0 and evals.max() < np.inf):  # NaN is neither
        bad = ~(np.isfinite(evals) & (evals >= 0))
        raise SetolError(
            f"need finite eigenvalues of at least 0; got {np.count_nonzero(bad)} others, the first {evals[bad][0]}."
        )
