"""Zoos of which the slope within families is known, as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoo:
    """Metric, score and size of models, and their families' codes."""

    metric: Vector
    score: Vector
    size: Vector
    codes: NDArray[np.int64]


def zoo(seed: int, families: int, *, effect: float = 0.0, slope_sd: float = 0.3, between: float = 0.0) -> Zoo:
    """Families of 4 to 20 models; slopes, spreads and noise differ by family; size drives metric and score."""
    generator = np.random.default_rng(seed)
    codes = np.repeat(np.arange(families), generator.integers(4, 21, families))
    n = len(codes)
    level = 2 * generator.normal(size=families)
    size = generator.normal(size=n)
    own = (0.6 * size + 0.8 * generator.normal(size=n)) * np.exp(0.3 * generator.normal(size=families))[codes]
    slopes = effect + slope_sd * generator.normal(size=families)
    noise = generator.normal(size=n) * np.exp(0.3 * generator.normal(size=families))[codes]
    score = slopes[codes] * own + (2 + 0.5 * generator.normal(size=families))[codes] * size + noise
    score += between * level[codes] + generator.normal(size=families)[codes]
    return Zoo(metric=own + level[codes], score=70 + score, size=size, codes=codes)
