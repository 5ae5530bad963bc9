"""Statistics of the entries of weight matrices: what a spectrum alone cannot tell."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

CACHED_ENTRIES = 2**16
"""Entries worked on at once by a CPU: half a megabyte stays in a core's own cache, three times faster than memory."""

SMALLEST_SPREAD = 2.0**-10
"""Standard deviation over root mean square below which power sums hold less than three digits of the kurtosis."""


@dataclass(frozen=True, slots=True)
class EntryStatistics:
    """Moments of the entries of each matrix of a stack; every field has shape (slices,), raw scale.

    Attributes:
        frobenius_sq: Sum of squares, which is also the sum of the eigenvalues of W^T W.
        mean: Mean entry.
        variance: Mean squared deviation from the mean.
        kurtosis: Fourth standardized moment, 3 for Gaussian entries; NaN where all entries are equal,
            or their spread is below `SMALLEST_SPREAD`.
        max_abs: Largest absolute value; NaN or infinite as soon as one entry is.
        zero_fraction: Share of entries that are exactly 0.
    """

    frobenius_sq: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    kurtosis: NDArray[np.float64]
    max_abs: NDArray[np.float64]
    zero_fraction: NDArray[np.float64]

    @property
    def finite(self) -> bool:
        """Whether every entry is finite and its square still fits float64."""
        return bool(np.isfinite(self.max_abs).all() and np.isfinite(self.frobenius_sq).all())

    def part(self, slices: slice) -> "EntryStatistics":
        """The statistics of some of the matrices."""
        columns = (self.frobenius_sq, self.mean, self.variance, self.kurtosis, self.max_abs, self.zero_fraction)
        return EntryStatistics(*(column[slices] for column in columns))


class EntryAccumulator:
    """Adds up power sums over row chunks of a stack of matrices, then gives their statistics.

    The central moments come from raw power sums; they lose digits only where the mean is large
    beside the spread, which in weights it is not.
    """

    def __init__(self, n_slices: int, device: torch.device | str) -> None:
        self._powers: tuple[torch.Tensor, ...] = ()  # sums of x, x^2, x^3, x^4 of each slice, and the largest x^2
        self._zeros = torch.zeros(n_slices, dtype=torch.int64, device=device)
        self._count = 0

    def add(self, rows: torch.Tensor) -> None:
        """Take in a float64 chunk of shape (slices, rows, columns), contiguous by rows or by columns."""
        flat = (rows if rows.is_contiguous() else rows.mT).flatten(1)
        step = max(1, CACHED_ENTRIES // flat.shape[0]) if rows.device.type == "cpu" else flat.shape[1]
        for entries in flat.split(step, dim=1) if step < flat.shape[1] else (flat,):
            squares = entries * entries
            if not bool(squares.amin(1).all()):  # most weights hold no zero, and counting is dear
                self._zeros += (entries == 0).sum(1)
            high, first, second = squares.amax(1), entries.sum(1), squares.sum(1)
            fourth = torch.linalg.vector_norm(squares, dim=1).square_()
            third = squares.mul_(entries).sum(1)
            if self._powers:
                *powers, highest = self._powers
                sums = map(torch.add, powers, (first, second, third, fourth))
                self._powers = (*sums, torch.maximum(highest, high))
            else:
                self._powers = (first, second, third, fourth, high)
        self._count += flat.shape[1]

    @property
    def finite(self) -> bool:
        """Whether every entry so far is finite and the sum of their squares still fits float64."""
        return math.isfinite(self._powers[1].amax())

    def statistics(self) -> EntryStatistics:
        """Statistics of all chunks taken in so far."""
        (found,) = statistics_of_each([self])
        return found


def statistics_of_each(accumulators: Sequence[EntryAccumulator]) -> list[EntryStatistics]:
    """Statistics of several stacks, worked out together: a few slices alone take as long as thousands.

    Args:
        accumulators: One for each stack, each with a chunk at least.
    """
    if not accumulators:
        return []
    lengths = [len(each._zeros) for each in accumulators]
    counts = np.repeat([each._count for each in accumulators], lengths)
    together = [torch.cat(column) for column in zip(*(each._powers for each in accumulators), strict=True)]
    *powers, max_square = (column.cpu().numpy() for column in together)
    with np.errstate(all="ignore"):  # non-finite entries show as such in max_abs
        first, second, third, fourth = np.stack(powers) / counts
        variance = np.maximum(second - first**2, 0.0)
        central_fourth = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
        resolved = variance > SMALLEST_SPREAD**2 * second
        kurtosis = np.where(resolved, central_fourth / variance**2, np.nan)
        max_abs = np.sqrt(max_square)
    zeros = torch.cat([each._zeros for each in accumulators]).cpu().numpy()
    columns = (powers[1], first, variance, kurtosis, max_abs, zeros / counts)
    stops = list(itertools.accumulate(lengths, initial=0))
    return [EntryStatistics(*(column[start:stop] for column in columns)) for start, stop in itertools.pairwise(stops)]
