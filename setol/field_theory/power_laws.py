"""Learning curves of power-law spectra: eigenvalues k^-a and target power k^-b give errors N^-exponent.

Bordelon, Canatar and Pehlevan, ICML 2020; Spigler, Geiger and Wyart, J. Stat. Mech. 124001, 2020.
"""

from dataclasses import dataclass

import numpy as np

from setol.errors import SetolError
from setol.field_theory.spectrum import Vector


@dataclass(frozen=True, slots=True)
class CurveExponents:
    """Exponents of the error's parts, each falling as N to minus that power.

    Attributes:
        bias: Of what is not learned yet.
        noise: Of what noise on the labels adds; None without ridge, where it does not fall.
    """

    bias: float
    noise: float | None


def rank_exponent(values: Vector, first: int, last: int) -> float:
    """The exponent a of values that fall as k^-a, by least squares of logarithms.

    Args:
        values: In descending order.
        first: The first rank k that is used, from 1.
        last: The last one.

    Raises:
        SetolError: There are no two such ranks, or a value among them is not above 0.
    """
    if not 1 <= first < last <= len(values):
        raise SetolError(f"need ranks with 1 <= first < last <= {len(values)}, got {first} and {last}.")
    chosen = np.asarray(values, dtype=np.float64)[first - 1 : last]
    if not (chosen > 0).all():
        raise SetolError("need values above 0 at all of these ranks: take a smaller last one.")
    slope = np.polyfit(np.log(np.arange(first, last + 1)), np.log(chosen), 1)[0]
    return float(-slope)


def curve_exponents(eigenvalue_exponent: float, power_exponent: float, *, with_ridge: bool) -> CurveExponents:
    """What a spectrum k^-a and a target k^-b say of the curve.

    Args:
        eigenvalue_exponent: a, above 1: a = 1/(alpha - 1) for a density of the eigenvalues with exponent alpha.
        power_exponent: b, above 1.
        with_ridge: Whether there is a ridge that does not change with N; without, the error is that of interpolation.

    Raises:
        SetolError: An exponent is not above 1, so the sum of all does not exist.
    """
    a, b = eigenvalue_exponent, power_exponent
    if not (a > 1 and b > 1):
        raise SetolError(f"need exponents above 1 (their sums have to be finite), got {a} and {b}.")
    if with_ridge:
        return CurveExponents(bias=min((b - 1) / a, 2.0), noise=1 - 1 / a)
    return CurveExponents(bias=min(b - 1, 2 * a), noise=None)
