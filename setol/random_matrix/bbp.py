"""What a rank-one signal does to a noise spectrum: the transition of Baik, Ben Arous and Peche.

W = sigma Z + sigma sqrt(N) theta u v^T, with Z an N x M matrix of noise of variance 1 and u, v unit vectors. With
q = M/N an eigenvalue leaves the bulk if and only if theta > q^(1/4) (Baik, Ben Arous and Peche, Ann. Probab. 33, 2005;
in this rectangular form Benaych-Georges and Nadakuditi, J. Multivariate Anal. 111, 2012).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.random_matrix.marchenko_pastur import MarchenkoPastur

LARGEST_STRENGTH = 1e70
"""Its fourth power still fits float64."""


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Squared overlaps of the outlier's singular vectors with those of the signal, in [0, 1]; 0 below the transition.

    Attributes:
        left: Of the left singular vector, of length N, with u.
        right: Of the right singular vector, of length M, with v.
    """

    left: float
    right: float


def detection_threshold(aspect_ratio: float) -> float:
    """Strength theta above which a signal has an eigenvalue of its own, q^(1/4).

    Raises:
        SetolError: The aspect ratio Q = N/M is below 1 or not finite.
    """
    return MarchenkoPastur(aspect_ratio).q ** 0.25


def outlier_position(theta: float, law: MarchenkoPastur) -> float:
    """Where the outlier of a signal of strength theta lies in the limit of large N and M.

    Args:
        theta: Strength of the signal, in [0, 1e70], in units of sigma sqrt(N).
        law: The law of the noise; the position is in its scale (1/N).

    Returns:
        variance (1 + theta^2)(q + theta^2) / theta^2 above the transition, lambda_plus at and below it.

    Raises:
        SetolError: theta is outside [0, 1e70].
    """
    _check_strength(theta)
    if theta <= detection_threshold(law.aspect_ratio):
        return law.lambda_plus
    return law.variance * (1 + theta**2) * (1 + law.q / theta**2)


def signal_strength(outlier: float, law: MarchenkoPastur) -> float:
    """Strength theta of the signal that puts an outlier there: the inverse of `outlier_position`.

    Args:
        outlier: Position of the outlier, at or above lambda_plus, in the scale of the law (1/N).
        law: The law of the noise.

    Raises:
        SetolError: The position is below lambda_plus, where no signal is seen, or not finite.
    """
    if not (outlier >= law.lambda_plus and math.isfinite(outlier)):
        raise SetolError(
            f"need a finite outlier at or above lambda_plus = {law.lambda_plus}; got {outlier}. Below it, a signal "
            "leaves no trace from which its strength could be told."
        )
    return math.sqrt(float(strength_squared(np.array(outlier / law.variance), law.q)))


def strength_squared(outliers: NDArray[np.float64], q: float) -> NDArray[np.float64]:
    """theta^2 of outliers at (1 + theta^2)(1 + q/theta^2), noise of variance 1; sqrt(q), the least, below the edge."""
    half, root = (outliers - 1 - q) / 2, math.sqrt(q)  # theta^2 + q/theta^2 = 2 half
    beyond = np.maximum(half - root, 0.0)
    theta_sq: NDArray[np.float64] = beyond + root + np.sqrt(beyond) * np.sqrt(beyond + 2 * root)
    return theta_sq


def overlaps(theta: float, aspect_ratio: float) -> Overlaps:
    """How much of the signal's directions the outlier's singular vectors hold, in the limit of large N and M.

    Args:
        theta: Strength of the signal, in [0, 1e70], in units of sigma sqrt(N).
        aspect_ratio: Q = N/M, at least 1.

    Raises:
        SetolError: theta is outside [0, 1e70], or Q is below 1.
    """
    _check_strength(theta)
    if theta <= detection_threshold(aspect_ratio):
        return Overlaps(0.0, 0.0)
    q = 1.0 / aspect_ratio
    seen = 1.0 - q / theta**4
    return Overlaps(left=seen / (1.0 + 1.0 / theta**2), right=seen / (1.0 + q / theta**2))


def _check_strength(theta: float) -> None:
    if not 0 <= theta <= LARGEST_STRENGTH:
        raise SetolError(f"need a signal strength theta between 0 and {LARGEST_STRENGTH}; got {theta}.")
