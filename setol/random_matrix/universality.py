"""Universality classes of heavy-tailed random matrices: from the tail of the entries to that of the spectrum.

Independent entries with P(|W| > x) ~ x^-mu give eigenvalues with a density ~ lambda^-(1 + mu/2). For mu < 2 that is the
limiting law. For 2 < mu < 4 entries have a finite variance, the limit is Marchenko-Pastur, and the power law holds for
the outlying eigenvalues of finite matrices alone; Martin and Mahoney (JMLR 22, 2021) take it as the class's law. Real
weights are not independent, so a mu read off a spectrum is that of the independent matrix it resembles: a label.
"""

import math
from enum import StrEnum

from setol.errors import SetolError


class UniversalityClass(StrEnum):
    """Classes of Martin and Mahoney, by the exponent mu of the entries."""

    VERY_HEAVY_TAILED = "very_heavy_tailed"
    HEAVY_TAILED = "heavy_tailed"
    WEAKLY_HEAVY_TAILED = "weakly_heavy_tailed"


def alpha_of_mu(mu: float) -> float:
    """Exponent alpha = 1 + mu/2 of the spectral density for entries of tail exponent mu.

    Fits on finite matrices come out above this, the more the larger mu is, and say nothing about mu above 4.

    Raises:
        SetolError: mu is not above 0 and finite.
    """
    _check("mu", mu, 0.0)
    return 1.0 + mu / 2.0


def mu_of_alpha(alpha: float) -> float:
    """Tail exponent mu = 2 (alpha - 1) of independent entries whose spectrum has exponent alpha.

    Raises:
        SetolError: alpha is not above 1 and finite.
    """
    _check("alpha", alpha, 1.0)
    return 2.0 * (alpha - 1.0)


def weightwatcher_mu(alpha: float) -> float:
    """WeightWatcher's map: 2 (alpha - 1) below 2, then 2 up to alpha = 3, then alpha - 1.

    It fits neither alpha = 1 + mu/2 nor the table of classes above alpha = 2; for comparison with its column alone.

    Raises:
        SetolError: alpha is not above 1 and finite.
    """
    _check("alpha", alpha, 1.0)
    return 2.0 * (alpha - 1.0) if alpha < 2 else max(2.0, alpha - 1.0)


def class_of_mu(mu: float) -> UniversalityClass:
    """Class of entries with tail exponent mu: below 2, from 2 to below 4, from 4 on.

    Raises:
        SetolError: mu is not above 0 and finite.
    """
    _check("mu", mu, 0.0)
    if mu < 2:
        return UniversalityClass.VERY_HEAVY_TAILED
    return UniversalityClass.HEAVY_TAILED if mu < 4 else UniversalityClass.WEAKLY_HEAVY_TAILED


def class_of_alpha(alpha: float) -> UniversalityClass:
    """Class by the exponent fitted to a spectrum: below 2, from 2 to 6, above 6.

    The thresholds are the published ones for fitted exponents. They are no image of those of mu under
    alpha = 1 + mu/2, which takes 4 to 3: they allow for the upward bias of fits on finite matrices.

    Raises:
        SetolError: alpha is not above 1 and finite.
    """
    _check("alpha", alpha, 1.0)
    if alpha < 2:
        return UniversalityClass.VERY_HEAVY_TAILED
    return UniversalityClass.HEAVY_TAILED if alpha <= 6 else UniversalityClass.WEAKLY_HEAVY_TAILED


def lambda_max_growth(mu: float) -> float:
    """Exponent g of lambda_max ~ N^g at fixed N/M, in the 1/N scale: 4/mu - 1 below mu = 4, then 0.

    The largest of N M entries is ~ (N M)^(1/mu), and its square over N is the largest eigenvalue as long as that
    grows; from mu = 4 on the Marchenko-Pastur edge is above it.

    Raises:
        SetolError: mu is not above 0 and finite.
    """
    _check("mu", mu, 0.0)
    return max(4.0 / mu - 1.0, 0.0)


def _check(name: str, value: float, above: float) -> None:
    if not (value > above and math.isfinite(value)):
        raise SetolError(f"need a finite {name} above {above:g}; got {value}.")
