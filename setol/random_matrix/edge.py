"""The upper edge of a noise spectrum at finite size: where it lies and how far it fluctuates.

The largest eigenvalue of W^T W / N for an N x M matrix of noise is centre + scale TW1 (Johnstone, Ann. Statist. 29,
2001), with the Tracy-Widom law of tracy_widom.py. The asymptotic centre is the Marchenko-Pastur edge; with N - 1/2 and
M - 1/2 for N and M the error falls from order M^(-1/3) to M^(-2/3) (Ma, Bernoulli 18, 2012).
"""

import math
from dataclasses import dataclass

from setol.errors import SetolError
from setol.random_matrix.layer_spectrum import check_level, check_shape
from setol.random_matrix.marchenko_pastur import check_variance
from setol.random_matrix.tracy_widom import tracy_widom_quantile

TRACY_WIDOM_LEVEL = 0.99
"""Default level: one noise matrix in a hundred has an eigenvalue above the threshold."""


@dataclass(frozen=True, slots=True)
class NoiseEdge:
    """Law of the largest eigenvalue of a matrix of noise, in the 1/N scale.

    Attributes:
        centre: What TW1 = 0 stands for; near lambda_plus. The mean is centre - 1.2065 scale.
        scale: Unit of the fluctuations, of order variance M^(-2/3); their standard deviation is 1.268 scale.
    """

    centre: float
    scale: float

    def threshold(self, level: float = TRACY_WIDOM_LEVEL, *, n_slices: int = 1) -> float:
        """What the largest eigenvalue of n_slices independent matrices exceeds with probability 1 - level, 1/N scale.

        Raises:
            SetolError: The level is outside (0, 1), or there is no slice.
        """
        check_level(level)
        if n_slices < 1:
            raise SetolError(f"need at least one slice; got {n_slices}.")
        return self.centre + self.scale * tracy_widom_quantile(level ** (1.0 / n_slices))


def noise_edge(n_rows: int, n_cols: int, variance: float, *, johnstone_ma: bool = True) -> NoiseEdge:
    """Upper edge of the spectrum of W^T W / N for noise of one variance.

    Args:
        n_rows: N, the longer side.
        n_cols: M, the shorter side.
        variance: Variance of the entries, above 0.
        johnstone_ma: Whether to take N - 1/2 and M - 1/2 for N and M; otherwise the centre is lambda_plus itself.

    Raises:
        SetolError: Not 1 <= M <= N, or a variance outside [1e-300, 1e305].
    """
    check_shape(n_rows, n_cols)
    check_variance(variance)
    shift = 0.5 if johnstone_ma else 0.0
    long, short = math.sqrt(n_rows - shift), math.sqrt(n_cols - shift)
    unit = variance / n_rows
    return NoiseEdge((long + short) ** 2 * unit, (long + short) * (1 / long + 1 / short) ** (1 / 3) * unit)


def weightwatcher_edge(n_rows: int, n_cols: int, variance: float) -> float:
    """The threshold WeightWatcher 0.7.7 counts spikes and traps above, in the trace scale (mean eigenvalue 1).

    It adds the square root of a Tracy-Widom scale to lambda_plus, as if that scale were a variance: at 1000 x 500 it
    lies 6.6 scales above the edge, where the 0.99 level lies 2.0. For comparison with its columns alone.

    Args:
        n_rows: N, the longer side.
        n_cols: M, the shorter side; of one slice where kernels are pooled.
        variance: sigma_mp^2, the variance of the fitted law in the trace scale. The formula is not covariant: in
            another scale it is another threshold.

    Raises:
        SetolError: Not 1 <= M <= N, or a variance outside [1e-300, 1e305].
    """
    check_shape(n_rows, n_cols)
    check_variance(variance)
    root = math.sqrt(n_cols / n_rows)
    lambda_plus = variance * (1 + root) ** 2
    return lambda_plus + math.sqrt(root * lambda_plus ** (2 / 3) * n_cols ** (-2 / 3))
