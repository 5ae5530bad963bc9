"""Truncation of weights to the singular components of their tail, or of their effective correlation space.

The truncation experiment of SETOL (arXiv 2507.17912, section 6): each layer keeps the components
with s >= sqrt(lambda_min), lambda_min being where its power-law tail or its ECS begins, and the accuracy of what
is left says how much of the generalization sits in them. WeightWatcher's SVDSmoothing does the same with a
randomized SVD and a number of components divided among the taps of a kernel; here each tap obeys the threshold.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.weights.eigensystem import keep_components, right_eigensystem
from setol.weights.stack import check_stack


@dataclass(frozen=True, slots=True)
class Truncation:
    """Truncated weights and what was taken from them.

    Attributes:
        matrices: The weights left, shape, dtype and device of those given.
        n_kept: Number of singular components kept of each matrix, shape (slices,).
        error_sq: Sum of the dropped eigenvalues of each matrix, shape (slices,), raw scale: the squared
            Frobenius distance to the weights given, before rounding to their dtype.
    """

    matrices: torch.Tensor
    n_kept: NDArray[np.int64]
    error_sq: NDArray[np.float64]


def truncate(matrices: torch.Tensor, lambda_min: float) -> Truncation | Reason:
    """Keep the singular components with s^2 >= lambda_min, in each matrix of a stack.

    A threshold found by a fit is itself one of the eigenvalues, so one that misses it by no more than the resolution
    of the Gram matrix, max(N, M) 2^-52 lambda_max, is kept; a lambda_min below that resolution keeps all.

    With V_k the kept right singular vectors, W becomes W V_k V_k^T. They come from the Gram matrix, not from an
    SVD, at less than half the time and without its N x M factor. That moves W by some 2^-52 s_max^2/s_k, s_k being the
    smallest kept, against 2^-52 s_max from an SVD: about 2^-26 s_max where s_k is all but unresolved, and below the
    rounding of float32 and narrower weights in any case.

    Memory: the result, four M x M float64 matrices a slice (M the shorter side), one row chunk.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; computed where they are, in float64.
        lambda_min: Lower edge of what is kept, raw scale (squared singular values of the matrices as given; a
            threshold in another scale, of pooled kernels halved for instance, has to be taken back first).

    Returns:
        What is left, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stack of real matrices, or lambda_min is negative or not finite.
    """
    check_stack(matrices)
    if not (math.isfinite(lambda_min) and lambda_min >= 0):
        raise SetolError(f"need a finite lambda_min of at least 0 to truncate at; got {lambda_min}.")
    tall = matrices if matrices.shape[1] >= matrices.shape[2] else matrices.mT
    system = right_eigensystem(tall)
    if isinstance(system, Reason):
        return system
    kept = system.evals >= lambda_min - system.resolution
    left = keep_components(tall, system, kept)
    dropped = torch.where(kept, 0.0, system.evals.clamp_min(0.0))
    return Truncation(
        matrices=left if tall is matrices else left.mT,
        n_kept=kept.sum(1).cpu().numpy(),
        error_sq=dropped.sum(1).cpu().numpy(),
    )
