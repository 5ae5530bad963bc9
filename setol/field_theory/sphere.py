"""Harmonics on the unit sphere in d dimensions: how many a degree has, and the polynomial that sums their squares."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from setol.errors import SetolError


def check_dimension(dimension: int) -> None:
    """Make sure that the sphere has harmonics of every degree.

    Raises:
        SetolError: The dimension is below 3.
    """
    if dimension < 3:
        raise SetolError(f"need inputs in at least 3 dimensions (a circle has other harmonics), got {dimension}.")


def degeneracies(dimension: int, highest: int) -> NDArray[np.float64]:
    """How many orthonormal harmonics each degree has.

    Args:
        dimension: Of the space that the sphere lies in, d.
        highest: The last degree, L.

    Returns:
        (2l + d - 2)/(l + d - 2) C(l + d - 2, l) for l = 0..L, shape (L+1,), whole numbers where they fit.

    Raises:
        SetolError: The dimension is below 3, or L below 0.
    """
    check_dimension(dimension)
    if highest < 0:
        raise SetolError(f"need a highest degree of 0 or more, got {highest}.")
    degree = np.arange(highest + 1, dtype=np.float64)
    with_repeats = gammaln(degree + dimension - 1) - gammaln(degree + 1) - gammaln(dimension - 1)
    found = (2 * degree + dimension - 2) / (degree + dimension - 2) * np.exp(with_repeats)
    return np.where(found < 1e12, np.round(found), found)


def gegenbauer_polynomials(cosine: Any, dimension: int, highest: int) -> Iterator[Any]:
    """The Gegenbauer polynomials of the sphere, P_l(1) = 1, degree by degree.

    sum_m Y_lm(x) Y_lm(y) = degeneracy P_l(x . y) over the orthonormal harmonics of a degree (probability measure).

    Args:
        cosine: Where; an array or a tensor with entries in [-1, 1].
        dimension: Of the space that the sphere lies in.
        highest: The last degree.

    Yields:
        P_0, P_1, ..., each of the shape of `cosine`.
    """
    before, current = cosine * 0 + 1, cosine
    for degree in range(highest + 1):
        yield before
        factor = 1 / (degree + dimension - 1)
        after = ((2 * degree + dimension) * factor) * cosine * current - ((degree + 1) * factor) * before
        before, current = current, after
