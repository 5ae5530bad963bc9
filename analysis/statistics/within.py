"""What is left of columns within families: sums, deviations from the mean, residuals of each family's own controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.records import Vector

Codes = NDArray[np.int64]

ROUNDING = 1e-24
"""Share of a column's square sum below which its deviations from the mean are rounding (1e-12 of its size)."""

FOLLOWS = 1e-12
"""Share of a column's squared deviations below which what controls leave of it is rounding: it follows from them."""


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """Columns freed of each family's mean and of each family's own least-squares fit to the controls.

    Attributes:
        columns: The residuals, in the order given, shape (n,) each.
        lost: Coefficients that each family's fit spent on mean and controls, shape (families,).
        flat: Per column, whether nothing of it is left in a family, shape (families,) each.
    """

    columns: tuple[Vector, ...]
    lost: NDArray[np.int64]
    flat: tuple[NDArray[np.bool_], ...]


def family_sums(values: Vector, codes: Codes, count: int) -> Vector:
    """Sum of the values of each family, shape (count,). Every code is in 0..count-1."""
    return np.bincount(codes, weights=values, minlength=count).astype(np.float64)


def demeaned(values: Vector, codes: Codes, count: int, weights: Vector | None = None) -> Vector:
    """Deviations from the (weighted) mean of the family, shape (n,)."""
    weight = np.ones_like(values) if weights is None else weights
    total = family_sums(weight, codes, count)
    total[total == 0] = 1.0
    once = values - (family_sums(weight * values, codes, count) / total)[codes]
    return once - (family_sums(weight * once, codes, count) / total)[codes]  # again: rounding of large offsets


def within_families(
    columns: Sequence[Vector], controls: Sequence[Vector], codes: Codes, count: int, *, weights: Vector | None = None
) -> Within:
    """Residuals of columns within each family, by modified Gram-Schmidt over all families at once.

    A control that does not vary within a family, or follows from those before it there, costs that family nothing.

    Args:
        columns: What is freed, shape (n,) each, finite.
        controls: What it is freed of, shape (n,) each, finite.
        codes: Family of each row, in 0..count-1, shape (n,).
        count: Families.
        weights: Of the rows in means and fits, above 0, shape (n,); all equal without them.
    """
    weight = np.ones(len(codes)) if weights is None else weights

    def summed(first: Vector, second: Vector) -> Vector:
        return family_sums(weight * first * second, codes, count)

    given = [*controls, *columns]
    left = [demeaned(values, codes, count, weight) for values in given]
    least = [
        np.maximum(ROUNDING * summed(values, values), FOLLOWS * summed(deviation, deviation))
        for values, deviation in zip(given, left, strict=True)
    ]
    lost = (np.bincount(codes, minlength=count) > 0).astype(np.int64)
    for place in range(len(controls)):
        squares = summed(left[place], left[place])
        usable = squares > least[place]
        lost += usable
        inverse = np.where(usable, 1 / np.where(usable, squares, 1), 0)
        for other in range(place + 1, len(left)):
            for _ in range(2):  # twice is enough for orthogonality to rounding
                slope = summed(left[place], left[other]) * inverse
                left[other] = left[other] - slope[codes] * left[place]
    rest, floors = left[len(controls) :], least[len(controls) :]
    flat = tuple(summed(values, values) <= floor for values, floor in zip(rest, floors, strict=True))
    return Within(tuple(rest), lost, flat)
