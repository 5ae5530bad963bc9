"""Spectra of low-rank updates scale * B A (LoRA, Hu et al., arXiv 2106.09685) from their two thin factors."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.weights.decomposition import Decomposition, resolution
from setol.weights.entries import entry_statistics
from setol.weights.gram import CHUNK_BYTES
from setol.weights.stack import check_stack, frobenius_squares


@dataclass(frozen=True, slots=True)
class LowRankSpectrum:
    """Squared singular values of a stack of products, raw scale.

    Attributes:
        n_rows: N, the longer side of the product.
        n_cols: M, its shorter side.
        evals: Squared singular values, shape (slices, M), ascending in each row; at least M - r of them are 0.
        rank: Number of eigenvalues above the resolution of a float64 Gram matrix, shape (slices,); at most r.
    """

    n_rows: int
    n_cols: int
    evals: NDArray[np.float64]
    rank: NDArray[np.int64]


def decompose_product(B: torch.Tensor, A: torch.Tensor, *, scale: float = 1.0) -> LowRankSpectrum | Reason:
    """Squared singular values of scale * B A, with zeros where the rank leaves none.

    From the QR decompositions B = Q_B R_B and A^T = Q_A R_A: the singular values are those of the r x r matrix
    R_B R_A^T. What lies below max(N, M) 2^-52 lambda_max is set to exact zero, as `decompose` does it.

    Memory: float64 copies of both factors and work copies of these, 2 (N + M) r entries a slice; neither Q_B nor
    Q_A nor the product is formed.

    Args:
        B: Left factor, shape (slices, N, r), any real floating dtype; computed where it is, in float64.
        A: Right factor, shape (slices, r, M), any real floating dtype and device.
        scale: Factor on the product, for LoRA alpha / r (alpha / sqrt(r) where rank-stabilized).

    Returns:
        The spectrum, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square and multiply.

    Raises:
        SetolError: No stacks of real matrices, factors that do not fit, or a scale that is not finite.
    """
    check_stack(B, "B")
    check_stack(A, "A")
    if B.shape[0] != A.shape[0] or B.shape[2] != A.shape[1]:
        raise SetolError(
            f"need factors B (slices, N, r) and A (slices, r, M); got {tuple(B.shape)} and {tuple(A.shape)}. "
            "Exchange the two, or transpose them, if they are stored the other way."
        )
    if not math.isfinite(scale):
        raise SetolError(f"need a finite scale of the product B A; got {scale}.")
    largest = frobenius_squares(B).cpu().sqrt() * frobenius_squares(A).cpu().sqrt() * scale  # ||BA|| <= ||B|| ||A||
    if not bool(largest.square().isfinite().all()):
        return Reason.NON_FINITE
    left = torch.linalg.qr(B.to(torch.float64), mode="r").R
    right = torch.linalg.qr(A.mT.to(device=B.device, dtype=torch.float64), mode="r").R
    singular_values = torch.linalg.svdvals(left @ right.mT).mul_(scale).cpu().numpy()[:, ::-1]
    n_rows, n_cols = max(B.shape[1], A.shape[2]), min(B.shape[1], A.shape[2])
    evals = np.zeros((B.shape[0], n_cols))
    evals[:, n_cols - singular_values.shape[1] :] = singular_values**2
    resolved = evals > resolution(evals[:, -1:], n_rows)
    evals[~resolved] = 0.0
    return LowRankSpectrum(n_rows, n_cols, evals, resolved.sum(axis=1))


def decompose_update(B: torch.Tensor, A: torch.Tensor, *, scale: float = 1.0) -> Decomposition | Reason:
    """Squared singular values and entry statistics of scale * B A, as `decompose` gives them of the whole product.

    Memory: what `decompose_product` takes, and one row chunk of the product.

    Args:
        B: Left factor, shape (slices, N, r), any real floating dtype; computed where it is, in float64.
        A: Right factor, shape (slices, r, M), any real floating dtype and device.
        scale: Factor on the product.

    Returns:
        The decomposition, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square and multiply.

    Raises:
        SetolError: No stacks of real matrices, factors that do not fit, or a scale that is not finite.
    """
    found = decompose_product(B, A, scale=scale)
    if isinstance(found, Reason):
        return found
    right = A.to(device=B.device, dtype=torch.float64) * scale
    step = max(1, CHUNK_BYTES // (8 * right.shape[0] * right.shape[2]))
    statistics = entry_statistics(rows.to(torch.float64) @ right for rows in B.split(step, dim=1))
    if not statistics.finite:
        return Reason.NON_FINITE
    return Decomposition(found.n_rows, found.n_cols, found.evals, found.rank, statistics)
