"""The pieces of a weight file that become a row each, read when their turn comes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from checkpoints.base import Base
from checkpoints.matrices import matrix_stack, stacks_of
from checkpoints.parts import Part, TensorLayout
from checkpoints.tensors import Checkpoint
from setol.reasons import Reason


@dataclass(frozen=True, slots=True)
class Piece:
    """A tensor, or a part of one.

    Attributes:
        layout: The tensor.
        index: Which of its parts.
        part: The part; None where there are none.
        matrices: Shape (slices, N, M), or why there are none.
        base: What is subtracted from them, same shape; None if nothing.
    """

    layout: TensorLayout
    index: int
    part: Part | None
    matrices: torch.Tensor | Reason
    base: torch.Tensor | None = None


def pieces_of(checkpoint: Checkpoint, layouts: Sequence[TensorLayout], base: Base | None) -> Iterator[Piece]:
    """Yield all tensors and parts in order.

    Args:
        checkpoint: Where tensors are read from.
        layouts: Which ones.
        base: What is subtracted; what it has not is a piece with a reason.
    """
    for layout in layouts:
        subtracted = base.read(layout) if base is not None and layout.reason is None else None
        reason = subtracted if isinstance(subtracted, Reason) else layout.reason
        if reason is not None:
            yield Piece(layout, 0, None, reason)
            continue
        for index, (part, stack) in enumerate(zip(layout.parts, stacks_of(checkpoint, layout), strict=True)):
            base_stack = matrix_stack(subtracted, part) if isinstance(subtracted, torch.Tensor) else None
            yield Piece(layout, index, part, stack, base_stack)


def windows(pieces: Iterator[Piece], least_bytes: int) -> Iterator[list[Piece]]:
    """Gather pieces until their entries take so many bytes in float64; with 1, each matrix alone.

    In whatever format the weights are, their float64 Gram matrices take no more than that and the last piece's.
    """
    window: list[Piece] = []
    used = 0
    for piece in pieces:
        window.append(piece)
        used += 0 if isinstance(piece.matrices, Reason) else 8 * piece.matrices.numel()
        if used >= least_bytes:
            yield window
            window, used = [], 0
    if window:
        yield window
