"""One analyzed matrix as the metrics see it: its spectrum in their scale, and what else is stored of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KERNELS = ("conv1d", "conv2d", "conv3d", "conv_transpose")


@dataclass(frozen=True, slots=True)
class Layer:
    """What is stored of a matrix, or of the taps of a kernel; eigenvalues in the raw scale times `factor`.

    Attributes:
        evals: Eigenvalues of all slices, zeros included, ascending, shape (slices * M,).
        factor: What the stored eigenvalues were multiplied with.
        n_rows: N, the longer side of each slice.
        n_cols: M, the shorter side.
        entry_mean: Mean entry of each slice, raw scale.
        entry_variance: Variance of the entries of each slice about their mean, raw scale.
        permuted: Eigenvalues after permuting the entries, shape (replicas, slices, M), or None.
        windows: Eigenvalues of all windows of one shape, ascending, shape (n,), or None.
        vectors: Spread of the singular vectors by column of `spectra`, one value an eigenvalue in tap order, or None.
        tap_evals: `evals` in tap order, ascending within a slice: the order of `vectors`.
        seed: Numbers that a generator for this matrix is seeded with.
    """

    evals: NDArray[np.float64]
    factor: float
    n_rows: int
    n_cols: int
    entry_mean: NDArray[np.float64]
    entry_variance: NDArray[np.float64]
    permuted: NDArray[np.float64] | None
    windows: NDArray[np.float64] | None
    vectors: Mapping[str, NDArray[np.float64]] | None
    tap_evals: NDArray[np.float64]
    seed: tuple[int, ...]
