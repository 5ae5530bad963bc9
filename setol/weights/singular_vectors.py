"""How far singular vectors are spread over their entries: localization, participation, entropy.

Vectors of the bulk of a random matrix are spread evenly; those of the tail may sit on a few neurons. With v of n
entries, p_i = v_i^2 / ||v||_2^2, in brackets the values for a single entry and for n equal ones:

    localization                 ||v||_1 / ||v||_inf        (1, n)
    participation                ||v||_2 / ||v||_4          (1, n^(1/4))
    inverse participation ratio  sum_i p_i^2                (1, 1/n)      = participation^-4
    entropy                      -sum_i p_i ln p_i / ln n   (0, 1)

The first two are WeightWatcher's; its entropy is that of a histogram of |v|, which depends on the bins, and is not
taken over.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.weights.decomposition import resolution
from setol.weights.eigensystem import right_eigensystem
from setol.weights.gram import float64_row_chunks
from setol.weights.stack import check_stack


@dataclass(frozen=True, slots=True)
class VectorSpread:
    """Spread of vectors over their n entries; free of length and sign. Formulas at the top of the module.

    Every field has shape (slices, M), one number a singular vector; NaN for the vectors of singular values that
    are 0, which are not determined.

    Attributes:
        localization: ||v||_1/||v||_inf, in [1, n].
        participation: ||v||_2/||v||_4, in [1, n^(1/4)].
        inverse_participation: Sum of the fourth powers of the unit vector, in [1/n, 1]; near 3/n for a random one.
        entropy: Shannon entropy of the squared entries over ln n, in [0, 1]; 0 for n = 1.
    """

    localization: NDArray[np.float64]
    participation: NDArray[np.float64]
    inverse_participation: NDArray[np.float64]
    entropy: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SingularVectors:
    """Spread of the singular vectors of a stack of matrices, N x M with N >= M.

    Attributes:
        n_rows: N, the longer side.
        evals: Squared singular values, shape (slices, M), ascending, raw scale, 0 below the resolution.
        long: Vectors over the N entries of the longer side (left ones of a tall matrix).
        short: Vectors over the M entries of the shorter side (right ones of a tall matrix).
    """

    n_rows: int
    evals: NDArray[np.float64]
    long: VectorSpread
    short: VectorSpread


@dataclass(frozen=True, slots=True)
class MeanSpread:
    """Mean spread of some of the singular vectors; the fields are the means of those of `VectorSpread`.

    Attributes:
        n: Number of vectors, over all slices.
        localization: Mean of ||v||_1/||v||_inf.
        participation: Mean of ||v||_2/||v||_4.
        inverse_participation: Mean of the sum of the fourth powers.
        entropy: Mean entropy.
    """

    n: int
    localization: float
    participation: float
    inverse_participation: float
    entropy: float


def singular_vectors(matrices: torch.Tensor) -> SingularVectors | Reason:
    """Spread of all singular vectors of each matrix.

    The M short vectors come from the Gram matrix; the long ones are W v / s, whose sums are taken in row chunks.
    Vectors of equal singular values are one choice among many, and so is their spread.

    Memory: two M x M float64 matrices a slice and one row chunk with its image under V; no N x M matrix.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; computed where they are, in float64.

    Returns:
        The spreads, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stack of real matrices.
    """
    check_stack(matrices)
    if matrices.shape[1] < matrices.shape[2]:
        matrices = matrices.mT
    system = right_eigensystem(matrices)
    if isinstance(system, Reason):
        return system
    resolved = system.evals > system.resolution
    lengths = torch.where(resolved, system.evals, torch.nan).sqrt()[:, None]
    short, long = _SpreadSums(system.evals), _SpreadSums(system.evals)
    short.add(torch.where(resolved[:, None], system.vectors, torch.nan))
    for rows in float64_row_chunks(matrices, matrices.device):
        long.add(rows @ system.vectors / lengths)
    evals = torch.where(resolved, system.evals, 0.0).cpu().numpy()
    return SingularVectors(matrices.shape[1], evals, long.spread(), short.spread())


def mean_spread(spread: VectorSpread, chosen: NDArray[np.bool_]) -> MeanSpread | Reason:
    """Mean over the chosen vectors of all slices.

    Args:
        spread: Of the vectors of one side.
        chosen: Which of them, shape (slices, M); those of singular values that are 0 never count.

    Returns:
        The means, or `Reason.TOO_FEW_EIGENVALUES` where no vector is left.

    Raises:
        SetolError: The choice has another shape.
    """
    if chosen.shape != spread.entropy.shape:
        raise SetolError(f"need a choice of shape {spread.entropy.shape}, one a vector; got {chosen.shape}.")
    chosen = chosen & np.isfinite(spread.entropy)
    if not chosen.any():
        return Reason.TOO_FEW_EIGENVALUES
    return MeanSpread(
        n=int(chosen.sum()),
        localization=float(spread.localization[chosen].mean()),
        participation=float(spread.participation[chosen].mean()),
        inverse_participation=float(spread.inverse_participation[chosen].mean()),
        entropy=float(spread.entropy[chosen].mean()),
    )


def in_tail(vectors: SingularVectors, lambda_min: float) -> NDArray[np.bool_]:
    """Which singular vectors belong to the tail, shape (slices, M); with `~`, those of the bulk.

    Args:
        vectors: From `singular_vectors`.
        lambda_min: Where the tail begins, above 0, raw scale. A fit takes an eigenvalue for it, so one that misses
            it by no more than the resolution of the Gram matrix is in the tail.

    Raises:
        SetolError: lambda_min is not positive and finite.
    """
    if not (math.isfinite(lambda_min) and lambda_min > 0):
        raise SetolError(f"need a finite lambda_min above 0 to tell tail from bulk; got {lambda_min}.")
    return vectors.evals >= lambda_min - resolution(vectors.evals[:, -1:], vectors.n_rows)


class _SpreadSums:
    """Adds up, over chunks of entries of unit vectors, the sums their spread is made of."""

    def __init__(self, like: torch.Tensor) -> None:
        self._sum, self._squares, self._fourths, self._entropies, self._largest = torch.zeros(
            (5, *like.shape), dtype=like.dtype, device=like.device
        )
        self._count = 0

    def add(self, vectors: torch.Tensor) -> None:
        """Take in some entries of all vectors, shape (slices, some entries, vectors)."""
        sizes, squares = vectors.abs(), vectors.square()
        self._sum += sizes.sum(1)
        self._squares += squares.sum(1)
        self._fourths += squares.square().sum(1)
        self._entropies += torch.special.entr(squares).sum(1)
        self._largest = torch.maximum(self._largest, sizes.amax(1))
        self._count += vectors.shape[1]

    def spread(self) -> VectorSpread:
        """Spread of the vectors, the deviation of their length from 1 taken out."""
        inverse_participation = self._fourths / self._squares.square()
        entropy = self._entropies / self._squares + self._squares.log()
        return VectorSpread(
            localization=(self._sum / self._largest).cpu().numpy(),
            participation=inverse_participation.pow(-0.25).cpu().numpy(),
            inverse_participation=inverse_participation.cpu().numpy(),
            entropy=(entropy / math.log(max(self._count, 2))).clamp(0.0, 1.0).cpu().numpy(),
        )
