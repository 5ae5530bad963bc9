"""Stacks of matrices: what every function on weights checks first, and going over their rows in float64."""

from collections.abc import Callable, Iterator

import torch

from setol.errors import SetolError
from setol.weights.gram import float64_row_chunks


def check_stack(matrices: torch.Tensor, name: str = "matrices") -> None:
    """Refuse what is no stack of real matrices.

    Args:
        matrices: Shape (slices, rows, columns).
        name: What the message calls them.

    Raises:
        SetolError: Not three axes, an axis of length 0, or entries that are integer, boolean or complex.
    """
    if matrices.ndim != 3 or 0 in matrices.shape:
        raise SetolError(
            f"need {name} as a stack of shape (slices, rows, columns), none of them 0; "
            f"got shape {tuple(matrices.shape)}. A single matrix W goes in as W[None]."
        )
    if not matrices.dtype.is_floating_point:
        raise SetolError(
            f"need {name} of a real floating dtype; got {matrices.dtype}. Convert them first, or dequantize."
        )


def check_pair(matrices: torch.Tensor, base: torch.Tensor) -> None:
    """Refuse two stacks that cannot be set against each other entry by entry.

    Raises:
        SetolError: One of them is no stack of real matrices, or their shapes differ.
    """
    check_stack(matrices)
    check_stack(base, "base")
    if matrices.shape != base.shape:
        raise SetolError(
            f"need two stacks of one shape; got {tuple(matrices.shape)} and base {tuple(base.shape)}. "
            "A transposed or padded base must be brought into shape first."
        )


def paired_row_chunks(matrices: torch.Tensor, base: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The same rows of two stacks of one shape, in float64 chunks, on the device of the first."""
    device = matrices.device
    return zip(float64_row_chunks(matrices, device), float64_row_chunks(base, device), strict=True)


def frobenius_squares(matrices: torch.Tensor) -> torch.Tensor:
    """Squared Frobenius norm of each matrix, shape (slices,), float64, raw scale, on the device of the matrices.

    NaN or infinite exactly where an entry is, or where a square leaves float64. Memory: one row chunk.
    """
    squares = torch.zeros(matrices.shape[0], dtype=torch.float64, device=matrices.device)
    for rows in float64_row_chunks(matrices, matrices.device):
        squares += rows.square().sum((1, 2))
    return squares


def map_rows(matrices: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Apply a function of row chunks to a stack; the result has its dtype, device, shape and order in memory.

    Args:
        matrices: Shape (slices, rows, columns), any real dtype and strides.
        function: From a float64 chunk (slices, some rows, columns) to one of the same shape.
    """
    result = torch.empty_like(matrices)
    start = 0
    for rows in float64_row_chunks(matrices, matrices.device):
        stop = start + rows.shape[1]
        result[:, start:stop] = function(rows)
        start = stop
    return result
