"""The Tracy-Widom law of real matrices (beta = 1): how the largest eigenvalue of noise fluctuates.

F(s) = det(1 - K) on (s, infinity) with K(x, y) = Ai((x + y) / 2) / 2 (Ferrari and Spohn, J. Phys. A 38, 2005). The
kernel is analytic, so a Gauss-Legendre rule turns the determinant into one of a small matrix with an error that
falls exponentially (Bornemann, Math. Comp. 79, 2010). Nothing is tabulated.
"""

from functools import lru_cache

import numpy as np
import scipy.optimize
import scipy.special

from setol.errors import SetolError

NODES = 64
"""Points of the quadrature: doubling them changes F by less than 1e-13 everywhere."""

AIRY_END = 16.0
"""Ai is below 1e-19 here, so the interval may end."""

LOWEST, HIGHEST = -10.0, 13.0
"""F is below 1e-18 at the one end; 1 - F is below 1e-14 at the other."""

RESOLVED = 1e-12
"""Levels nearer to 0 or 1 than this are not told apart from them."""


def tracy_widom_cdf(s: float) -> float:
    """P(TW1 <= s), to an absolute 1e-13.

    Args:
        s: Deviation of the largest eigenvalue from the centre in units of the Tracy-Widom scale.

    Raises:
        SetolError: s is NaN.
    """
    if np.isnan(s):
        raise SetolError("need a number for s; got NaN.")
    if s <= LOWEST:
        return 0.0
    if s >= HIGHEST:
        return 1.0
    nodes, weights = _gauss_legendre()
    length = 2 * AIRY_END - s  # the kernel depends on (x + y) / 2, and x starts at s
    x = s + length * (nodes + 1) / 2
    roots = np.sqrt(weights * length / 2)
    kernel = scipy.special.airy((x[:, None] + x) / 2)[0] / 2
    return float(np.clip(np.linalg.det(np.eye(NODES) - roots[:, None] * kernel * roots), 0.0, 1.0))


@lru_cache(maxsize=256)
def tracy_widom_quantile(level: float) -> float:
    """The s with P(TW1 <= s) = level: 0.9793 at 0.95, 2.0234 at 0.99, 3.2722 at 0.999.

    Args:
        level: Probability inside [1e-12, 1 - 1e-12].

    Raises:
        SetolError: The level is outside that range.
    """
    if not RESOLVED <= level <= 1.0 - RESOLVED:
        raise SetolError(f"need a level inside [{RESOLVED}, 1 - {RESOLVED}], as 0.99; got {level}.")
    return float(scipy.optimize.brentq(lambda s: tracy_widom_cdf(s) - level, LOWEST, HIGHEST, xtol=1e-12))


@lru_cache(maxsize=1)
def _gauss_legendre() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights
