"""Right singular vectors of weight matrices, through the Gram matrix of the columns."""

from dataclasses import dataclass

import torch

from setol.reasons import Reason
from setol.weights.gram import float64_row_chunks
from setol.weights.stack import map_rows


@dataclass(frozen=True, slots=True)
class RightEigensystem:
    """Eigenvalues and eigenvectors of X = W^T W for a stack of N x M matrices, float64, raw scale.

    Attributes:
        evals: Squared singular values of W, shape (slices, M), ascending; those below `resolution` are noise of
            either sign.
        vectors: Right singular vectors as columns, shape (slices, M, M), orthonormal, in the same order.
        resolution: What a float64 Gram matrix tells from 0, N 2^-52 lambda_max, shape (slices, 1).
    """

    evals: torch.Tensor
    vectors: torch.Tensor
    resolution: torch.Tensor


def right_eigensystem(matrices: torch.Tensor) -> RightEigensystem | Reason:
    """Squared singular values and right singular vectors, on the device of the matrices.

    The vector of s_i mixes with those of far smaller ones by about 2^-52 (s_max/s_i)^2; an SVD of W would do
    better, 2^-52 s_max/s_i. In W itself that weighs s_i: 2^-52 s_max^2/s_i, at most about 2^-26 s_max for what the
    Gram matrix resolves at all, a fraction of one rounding of float32.

    Memory: two M x M float64 matrices a slice, and one row chunk.

    Args:
        matrices: Shape (slices, N, M) with N >= M, any real floating dtype.

    Returns:
        The eigensystem, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.
    """
    n_slices, n_rows, n_cols = matrices.shape
    gram = torch.zeros((n_slices, n_cols, n_cols), dtype=torch.float64, device=matrices.device)
    for rows in float64_row_chunks(matrices, matrices.device):
        gram.baddbmm_(rows.mT, rows)
    # A square that is not finite lies on the diagonal, and the trace is what the eigenvalues have to fit in.
    if not bool(gram.diagonal(dim1=1, dim2=2).sum(1).isfinite().all()):
        return Reason.NON_FINITE
    evals, vectors = torch.linalg.eigh(gram)
    return RightEigensystem(evals, vectors, n_rows * 2.0**-52 * evals[:, -1:].clamp_min(0.0))


def keep_components(matrices: torch.Tensor, system: RightEigensystem, kept: torch.Tensor) -> torch.Tensor:
    """Project each matrix on some of its right singular vectors: W V_k V_k^T.

    Memory: the result, two M x M float64 matrices a slice, and one row chunk.

    Args:
        matrices: Shape (slices, N, M), the ones the eigensystem is of.
        system: Their eigensystem.
        kept: Which components stay, boolean, shape (slices, M). Where all do, W stays as it is to the last bit.

    Returns:
        Shape, dtype and device of the matrices.
    """
    projector = (system.vectors * kept.unsqueeze(1)) @ system.vectors.mT
    projector[kept.all(1)] = torch.eye(kept.shape[1], dtype=projector.dtype, device=projector.device)
    return map_rows(matrices, lambda rows: rows @ projector)
