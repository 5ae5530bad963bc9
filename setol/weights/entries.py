"""Statistics of the entries of weight matrices: what a spectrum alone cannot tell."""

import itertools
import math
from collections.abc import Iterable, Sequence
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
    """Adds up powers of the entries over row chunks of a stack of matrices.

    The central moments come from raw power sums; they lose digits only where the mean is large
    beside the spread, which in weights it is not.
    """

    def __init__(self) -> None:
        self._powers: tuple[torch.Tensor, ...] = ()  # sums of x, x^2, x^3, x^4 of each slice
        self._max_square: torch.Tensor
        self._zeros: torch.Tensor | None = None
        self._count = 0

    def add(self, rows: torch.Tensor) -> None:
        """Take in float64 entries of shape (slices, rows, columns) or (slices, columns, rows): order tells nothing.

        Args:
            rows: Each slice contiguous, its last axis or the one before it running fastest.
        """
        flat = (rows if rows.stride(2) == 1 else rows.mT).flatten(1)
        step = max(1, CACHED_ENTRIES // flat.shape[0]) if rows.device.type == "cpu" else flat.shape[1]
        for entries in flat.split(step, dim=1) if step < flat.shape[1] else (flat,):
            squares = entries * entries
            if not bool(squares.amin(1).all()):  # most weights hold no zero, and counting is dear
                zeros = (entries == 0).sum(1)
                self._zeros = zeros if self._zeros is None else self._zeros.add_(zeros)
            high, first, second = squares.amax(1), entries.sum(1), squares.sum(1)
            fourth = torch.linalg.vector_norm(squares, dim=1).square_()
            third = squares.mul_(entries).sum(1)
            self._take(high, (first, second, third, fourth))
        self._count += flat.shape[1]

    def _take(self, max_square: torch.Tensor, powers: tuple[torch.Tensor, ...]) -> None:
        """Add in place: new totals would lie where the squares were, and the next squares need memory elsewhere."""
        if not self._powers:
            self._powers, self._max_square = powers, max_square
            return
        for total, power in zip(self._powers, powers, strict=True):
            total.add_(power)
        torch.maximum(self._max_square, max_square, out=self._max_square)

    @property
    def finite(self) -> bool:
        """Whether every entry so far is finite and the sum of their squares still fits float64."""
        return math.isfinite(self._powers[1].amax())


def entry_statistics(chunks: Iterable[torch.Tensor]) -> EntryStatistics:
    """Statistics of the matrices that one chunk or more make up, each as `EntryAccumulator.add` takes it."""
    entries = EntryAccumulator()
    for rows in chunks:
        entries.add(rows)
    (found,) = statistics_of_each([entries])
    return found


def statistics_of_each(accumulators: Sequence[EntryAccumulator]) -> list[EntryStatistics]:
    """Statistics of several stacks, worked out together: a few slices alone take as long as thousands.

    Args:
        accumulators: One for each stack, each with a chunk at least.
    """
    if not accumulators:
        return []
    lengths = [len(each._max_square) for each in accumulators]
    counts = np.repeat([each._count for each in accumulators], lengths)
    sums = zip(*((*each._powers, each._max_square) for each in accumulators), strict=True)
    *powers, max_square = (torch.cat(column).cpu().numpy() for column in sums)
    with np.errstate(all="ignore"):  # non-finite entries show as such in max_abs
        first, second, third, fourth = np.stack(powers) / counts
        variance = np.maximum(second - first**2, 0.0)
        central_fourth = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
        resolved = variance > SMALLEST_SPREAD**2 * second
        kurtosis = np.where(resolved, central_fourth / variance**2, np.nan)
        max_abs = np.sqrt(max_square)
    zeros = [
        np.zeros(length) if each._zeros is None else each._zeros.cpu().numpy()
        for each, length in zip(accumulators, lengths, strict=True)
    ]
    columns = (powers[1], first, variance, kurtosis, max_abs, np.concatenate(zeros) / counts)
    stops = list(itertools.accumulate(lengths, initial=0))
    return [EntryStatistics(*(column[start:stop] for column in columns)) for start, stop in itertools.pairwise(stops)]
