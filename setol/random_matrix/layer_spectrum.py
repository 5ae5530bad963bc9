"""The spectrum of a layer together with the shape that random-matrix theory compares it with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.scale import check_spectrum

SMALLEST_LAMBDA_MAX = 1e-280
"""Below this, lambda_max / N and products of variances leave the normal range of float64."""

LARGEST_LAMBDA_MAX = 1e300
"""Above this, sums over a spectrum may exceed float64."""


@dataclass(frozen=True, slots=True)
class LayerSpectrum:
    """Eigenvalues of W^T W of one N x M matrix, or of a stack of them pooled.

    Attributes:
        evals: Shape (n_slices M,), zeros included; kept in ascending order as float64. Raw scale (squared singular
            values, no 1/N), up to one common factor, which every variance and threshold derived from it then carries.
        n_rows: N, the longer side of each matrix.
        n_cols: M, the shorter side of each matrix.
    """

    evals: NDArray[np.float64]
    n_rows: int
    n_cols: int

    def __post_init__(self) -> None:
        """Sort the eigenvalues and check them against the shape.

        Raises:
            SetolError: Not 1 <= M <= N, a number of eigenvalues that is no multiple of M, eigenvalues that are
                negative or not finite, or a largest one outside [1e-280, 1e300] (0 is allowed).
        """
        check_shape(self.n_rows, self.n_cols)
        check_spectrum(self.evals)
        if len(self.evals) % self.n_cols:
            raise SetolError(
                f"need M = {self.n_cols} eigenvalues for each slice, zeros included; got {len(self.evals)}. "
                "Put back the zeros that were cut off."
            )
        ordered = np.sort(np.asarray(self.evals, dtype=np.float64))
        if ordered[-1] != 0 and not SMALLEST_LAMBDA_MAX <= ordered[-1] <= LARGEST_LAMBDA_MAX:
            raise SetolError(
                f"need a largest eigenvalue between {SMALLEST_LAMBDA_MAX} and {LARGEST_LAMBDA_MAX}, or 0; "
                f"got {ordered[-1]}. Rescale the weights by a constant."
            )
        object.__setattr__(self, "evals", ordered)

    @property
    def n_slices(self) -> int:
        """Number of matrices pooled, 1 for a plain one."""
        return len(self.evals) // self.n_cols

    @property
    def aspect_ratio(self) -> float:
        """Q = N/M of each matrix, at least 1."""
        return self.n_rows / self.n_cols

    @property
    def lambda_max(self) -> float:
        """Largest eigenvalue, in the scale of evals."""
        return float(self.evals[-1])

    @property
    def over_n(self) -> NDArray[np.float64]:
        """The eigenvalues of W^T W / N, ascending: the 1/N scale, in which entries of variance v have mean v."""
        return self.evals / self.n_rows


def check_shape(n_rows: int, n_cols: int) -> None:
    """Refuse what is no shape of a matrix that has been turned to its longer side.

    Raises:
        SetolError: Not 1 <= n_cols <= n_rows.
    """
    if not 1 <= n_cols <= n_rows:
        raise SetolError(
            f"need 1 <= M <= N for a matrix of N = {n_rows} rows and M = {n_cols} columns. "
            "Transpose a wider one: N is its longer side."
        )


def check_level(level: float) -> None:
    """Refuse what is no probability strictly inside (0, 1).

    Raises:
        SetolError: It is not.
    """
    if not 0.0 < level < 1.0:
        raise SetolError(f"need a level inside (0, 1), as 0.99; got {level}.")
