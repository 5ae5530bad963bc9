"""Decomposition in float32, for devices whose float64 is a small fraction of it.

Cards for inference and games do float64 at 1/32 to 1/64 of their float32 rate. What float32 costs: every
eigenvalue is off by up to some 10^-5 of the largest, and those below that are not resolved. Tails, norms and stable
ranks keep four digits or more; ranks, and whatever else hangs on the smallest eigenvalues, do not.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.weights.decomposition import Decomposition, decompose
from setol.weights.entries import entry_statistics
from setol.weights.gram import GramAccumulator, float64_row_chunks
from setol.weights.stack import check_stack


def decompose_float32(matrices: torch.Tensor, *, device: torch.device | str = "cpu") -> Decomposition | Reason:
    """Squared singular values with products and eigenvalues in float32; entry statistics stay in float64.

    Each matrix is first divided by its Frobenius norm, so nothing overflows that would not in float64. Eigenvalues
    below `float32_resolution` are set to exact zero. Where torch is allowed to use TF32 or bfloat16 for float32
    products (`torch.set_float32_matmul_precision`) the error is far larger: `float32_deviation` shows it.

    Memory: one M x M float32 matrix a slice (M the shorter side) and its work copy, one row chunk.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype.
        device: Where the products and the eigenvalues are computed.

    Returns:
        The decomposition, raw scale, or `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stack of real matrices.
    """
    check_stack(matrices)
    if matrices.shape[1] < matrices.shape[2]:
        matrices = matrices.mT
    _, n_rows, n_cols = matrices.shape
    statistics = entry_statistics(float64_row_chunks(matrices, device))
    if not statistics.finite:
        return Reason.NON_FINITE
    norms = torch.from_numpy(np.sqrt(statistics.frobenius_sq)).to(device)[:, None, None]
    norms = torch.where(norms > 0, norms, 1.0)
    gram = GramAccumulator()
    for rows in float64_row_chunks(matrices, device):
        gram.add((rows / norms).to(torch.float32))
    shares = gram.eigenvalues().numpy().astype(np.float64)
    evals = shares * statistics.frobenius_sq[:, None]
    resolved = evals > float32_resolution(evals[:, -1:], n_rows, n_cols)
    evals[~resolved] = 0.0
    return Decomposition(n_rows, n_cols, evals, resolved.sum(axis=1), statistics)


def float32_resolution(lambda_max: NDArray[np.float64], n_rows: int, n_cols: int) -> NDArray[np.float64]:
    """Smallest eigenvalue taken from a float32 Gram matrix, (8 + sqrt(N) + M/8) 2^-23 lambda_max, in the scale given.

    The solver errs in proportion to M, the products far less, as a random walk; a few roundings are always there.
    Measured errors (MKL; Gaussian and heavy-tailed matrices of up to 20,000 rows and 4,096 columns, thousands of each
    of the small shapes) stay below 0.7 of this; square Gaussian ones are the worst. A sure bound would be ten times
    larger and leave three digits.

    Args:
        lambda_max: Largest eigenvalue of each matrix; rounding may have left it below 0.
        n_rows: The longer side N of the matrices.
        n_cols: The shorter side M.
    """
    return np.maximum((8 + math.sqrt(n_rows) + n_cols / 8) * 2.0**-23 * lambda_max, 0.0)


def float32_deviation(
    matrices: torch.Tensor, found: Decomposition, *, device: torch.device | str = "cpu"
) -> float | Reason:
    """Largest error of eigenvalues found in float32, as a share of lambda_max: the check of a sample in float64.

    Healthy where it stays below `float32_resolution` of a lambda_max of 1.

    Args:
        matrices: Shape (slices, rows, columns), the ones decomposed or some of their slices.
        found: What `decompose_float32` gave for just these.
        device: Where float64 is computed.

    Returns:
        The largest |lambda_float32 - lambda_float64| / lambda_max over all slices, where an eigenvalue set to zero
        counts with what it exceeds the resolution by; `Reason.ZERO_MATRIX` where all slices are zeros,
        `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stack of real matrices, or the eigenvalues found belong to another shape.
    """
    exact = decompose(matrices, device=device)
    if isinstance(exact, Reason):
        return exact
    if exact.evals.shape != found.evals.shape:
        raise SetolError(
            f"need the eigenvalues of these matrices, shape {exact.evals.shape}; got shape {found.evals.shape}."
        )
    lambda_max = exact.evals[:, -1:]
    if not lambda_max.any():
        return Reason.ZERO_MATRIX
    unresolved = np.maximum(exact.evals - float32_resolution(lambda_max, exact.n_rows, exact.n_cols), 0.0)
    errors = np.where(found.evals > 0, np.abs(found.evals - exact.evals), unresolved).max(axis=1)
    nonzero = lambda_max[:, 0] > 0
    return float((errors[nonzero] / lambda_max[nonzero, 0]).max())
