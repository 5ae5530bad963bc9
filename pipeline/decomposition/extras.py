"""What some spectrum options store beside a spectrum: permuted spectra, windows, singular vectors."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.measurement.vector_columns import SPREADS
from pipeline.options import SpectrumOptions
from setol import Reason
from setol.weights.farms import window_spectra
from setol.weights.permutation import permuted_spectra
from setol.weights.singular_vectors import singular_vectors


def extra_columns(
    matrices: torch.Tensor, options: SpectrumOptions, seed: tuple[int, ...], device: str
) -> dict[str, Any]:
    """Columns of a spectra row that only some options ask for.

    Args:
        matrices: Shape (slices, rows, columns), finite.
        options: Which of them.
        seed: Numbers that the generator of this matrix is seeded with, beside that of the options.
        device: Where it is computed.

    Returns:
        Flat arrays: `permuted_evals` replica by replica, each slice by slice; `window_evals` slice by slice, each
        window by window; a value a singular vector, in the order of the eigenvalues.
    """
    columns: dict[str, Any] = {}
    if not (options.permutations or options.windows or options.vectors):
        return columns
    matrices = matrices.to(device)
    if options.permutations:
        rng = np.random.default_rng((options.seed, *seed))
        permuted = permuted_spectra(matrices, options.permutations, rng)
        columns["permuted_evals"] = _flat(permuted)
    if options.windows:
        windows = window_spectra(matrices)
        columns["window_evals"] = None if isinstance(windows, Reason) else windows.evals.ravel()
    if options.vectors:
        vectors = singular_vectors(matrices)
        if not isinstance(vectors, Reason):
            for name in SPREADS:
                side, quantity = name.split("_")
                columns[name] = _nulls(getattr(getattr(vectors, side), quantity).ravel())
    return columns


def _flat(evals: NDArray[np.float64] | Reason) -> NDArray[np.float64] | None:
    return None if isinstance(evals, Reason) else evals.ravel()


def _nulls(values: NDArray[np.float64]) -> list[float | None]:
    """Values, NULL for the vectors that are not determined."""
    return [None if np.isnan(value) else float(value) for value in values]
