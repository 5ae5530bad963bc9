"""The effective correlation space of a random matrix: what ERG reports where nothing was learned.

The product of the eigenvalues of a Marchenko-Pastur law from lambda up is 1 where the integral of
ln(x) rho(x) over x > lambda is 0. Between 73 % (square) and nearly all (tall) of a random spectrum lies
above that point, so an ECS is to be read against this null, not against an empty set.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.integrate import quad
from scipy.optimize import brentq

from setol.errors import SetolError

LARGEST_ASPECT_RATIO = 1e12
"""Beyond it the law is narrower than 1e-6, and its edges, 1 and the ECS no longer differ by enough digits."""


@dataclass(frozen=True, slots=True)
class RandomCorrelationSpace:
    """The ECS of the Marchenko-Pastur law.

    Attributes:
        fraction: Share of the eigenvalues in it, in (0.73, 1).
        lambda_min: Its lower edge, in the trace scale (which is the 1/N scale of entries of variance 1).
    """

    fraction: float
    lambda_min: float


def marchenko_pastur_ecs(aspect_ratio: float) -> RandomCorrelationSpace:
    """Share and edge of the ECS of a Gaussian matrix, in the limit of large size.

    Args:
        aspect_ratio: Q = N/M, from 1 (square) to 1e12.

    Raises:
        SetolError: The aspect ratio is below 1, above 1e12, or not finite.
    """
    if not 1 <= aspect_ratio <= LARGEST_ASPECT_RATIO:
        raise SetolError(
            f"need an aspect ratio Q = N/M between 1 and {LARGEST_ASPECT_RATIO:g}; got {aspect_ratio}. "
            f"N is the longer side: a wide matrix is transposed first."
        )
    root_q = 1 / math.sqrt(aspect_ratio)

    # With lambda = (1 + q) + 2 sqrt(q) cos t, t in [0, pi], both square roots at the edges become sin t.
    def excess(t: float) -> float:
        return root_q * (root_q + 2 * math.cos(t))

    def log_lambda(t: float) -> float:
        return math.log1p(excess(t)) / root_q  # of order 1 for every Q, so that one tolerance does

    def density(t: float) -> float:
        return 2 * math.sin(t) ** 2 / (math.pi * (1 + excess(t)))

    def above(t: float, weight: Callable[[float], float]) -> float:
        return float(quad(lambda s: weight(s) * density(s), 0.0, t, epsabs=1e-12, epsrel=1e-12)[0])

    at_the_mean = math.acos(-root_q / 2)  # lambda = 1, where the integral of ln lambda is largest
    # The share below the edge goes as (pi - t)^3 and as sqrt(q): pi - t is 0.43 q^(1/6) at Q = 1, 1.1 q^(1/6) at 1e12.
    past_the_edge = math.pi - 0.2 * root_q ** (1 / 3)
    edge = float(brentq(lambda t: above(t, log_lambda), at_the_mean, past_the_edge, xtol=1e-14))
    return RandomCorrelationSpace(fraction=above(edge, lambda _: 1.0), lambda_min=1.0 + excess(edge))
