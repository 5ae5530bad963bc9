"""Spectra of sub-matrices of one aspect ratio (FARMS, Hu et al., ICML 2025, arXiv 2506.06280).

The bulk of a spectrum depends on Q = N/M: the Hill exponent of a Gaussian matrix goes from 2.1 at Q = 1 to 4.5 at
Q = 8, though neither has learned anything. Windows of one shape, cut on a grid, take that away between layers of
different shapes. The price: windows overlap, so their eigenvalues depend on each other and errors of a fit mean
little; lambda grows with the size of the window; and correlations wider than a window are cut.

The published code sets equal strides rounded down, and moves the last window to the border; here the positions are
spread evenly from border to border, and no window comes twice.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.weights.decomposition import decompose
from setol.weights.stack import check_stack


@dataclass(frozen=True, slots=True)
class FarmsOptions:
    """Shape and places of the windows.

    Attributes:
        aspect_ratio: Q of a window, longer over shorter side, at least 1; laid along the longer side of the matrix.
        largest_cols: Most columns (shorter side) a window may have; smaller where the matrix is.
        n_positions: Positions of windows along each axis, at least 1; fewer where the matrix has no more.
    """

    aspect_ratio: float = 1.0
    largest_cols: int = 2000
    n_positions: int = 10

    def __post_init__(self) -> None:
        if not (math.isfinite(self.aspect_ratio) and self.aspect_ratio >= 1.0):
            raise SetolError(f"need an aspect_ratio of at least 1, longer over shorter side; got {self.aspect_ratio}.")
        if self.largest_cols < 1:
            raise SetolError(f"need windows of at least 1 column; got largest_cols = {self.largest_cols}.")
        if self.n_positions < 1:
            raise SetolError(f"need at least 1 position along each axis; got n_positions = {self.n_positions}.")


@dataclass(frozen=True, slots=True)
class WindowSpectra:
    """Spectra of the windows of a stack of matrices.

    Attributes:
        n_rows: Rows of a window, its longer side.
        n_cols: Columns of a window.
        evals: Squared singular values, shape (slices, windows, n_cols), ascending along the last, raw scale: those
            of the entries as they are, so they grow with n_rows. Pooled for a fit by `evals.ravel()`.
    """

    n_rows: int
    n_cols: int
    evals: NDArray[np.float64]


def window_spectra(matrices: torch.Tensor, options: FarmsOptions | None = None) -> WindowSpectra | Reason:
    """Squared singular values of windows on a grid over each matrix; the taps of a kernel are slices of the stack.

    Memory: what `decompose` takes for one window of each slice, and the result.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; computed where they are, in float64.
        options: Shape and places of the windows.

    Returns:
        The spectra; `Reason.TOO_FEW_EIGENVALUES` where the longer side is shorter than the aspect ratio, so no window
        fits; or `Reason.NON_FINITE` where entries in a window are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stack of real matrices.
    """
    check_stack(matrices)
    options = options or FarmsOptions()
    if matrices.shape[1] < matrices.shape[2]:
        matrices = matrices.mT
    _, n_rows, n_cols = matrices.shape
    window_cols = min(options.largest_cols, n_cols, int(n_rows / options.aspect_ratio))
    if window_cols == 0:
        return Reason.TOO_FEW_EIGENVALUES
    window_rows = min(round(window_cols * options.aspect_ratio), n_rows)
    tops = _starts(n_rows, window_rows, options.n_positions)
    lefts = _starts(n_cols, window_cols, options.n_positions)
    spectra = []
    for top, left in itertools.product(tops, lefts):
        window = decompose(matrices[:, top : top + window_rows, left : left + window_cols], device=matrices.device)
        if isinstance(window, Reason):
            return window
        spectra.append(window.evals)
    return WindowSpectra(window_rows, window_cols, np.stack(spectra, axis=1))


def _starts(length: int, window: int, n_positions: int) -> list[int]:
    """Where windows begin along an axis: evenly from border to border, each place once; one alone at the start."""
    return np.unique(np.linspace(0, length - window, n_positions).round().astype(int)).tolist()
