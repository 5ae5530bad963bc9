"""What every statistic here is made of: vectors and intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

FEWEST_TESTED = 5
"""Models (or families, where families are the units) below which nothing is tested: with 4, even a perfect order has
p = 1/12."""

FEWEST_INTERVAL = 8
"""Models (or families) below which no bootstrap interval is given: too few distinct resamples for a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided confidence interval.

    Attributes:
        low: Its lower end, in the unit of the estimate.
        high: Its upper end.
        level: The share of such intervals that hold the truth.
    """

    low: float
    high: float
    level: float = 0.95
