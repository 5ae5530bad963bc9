"""From a tensor to the stacks of matrices in it, and tensors that are one and the same."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

import torch

from checkpoints.dequantize import dequantize
from checkpoints.parts import Cut, Part, TensorLayout, squeezed
from checkpoints.tensors import Checkpoint

_SAMPLE = 64
"""Entries that must agree before two tensors are compared as a whole."""

_COMPARED = 2**22
"""Entries compared with a number at once: the answers take a byte each."""


def matrix_stack(tensor: torch.Tensor, part: Part) -> torch.Tensor:
    """The matrices of one part of a tensor.

    Args:
        tensor: The whole tensor, as the file has it.
        part: Which piece, and which axes span the matrix.

    Returns:
        Shape (taps, N, M) with N >= M, taps in the order of the tensor's own axes; a view where that is possible.
    """
    piece = tensor.reshape(squeezed(tuple(tensor.shape)))
    for cut in part.cuts:
        piece = _range(piece, cut)
    stack = piece.movedim(part.matrix_axes, (-2, -1))
    stack = stack.reshape(-1, *stack.shape[-2:])
    return stack if stack.shape[1] >= stack.shape[2] else stack.mT


def put_matrix_stack(tensor: torch.Tensor, part: Part, stack: torch.Tensor) -> None:
    """Put matrices in the place of those of one part of a tensor: what `matrix_stack` would give afterwards.

    Args:
        tensor: The whole tensor, contiguous; changed in place.
        part: Which piece, and which axes span the matrix.
        stack: Shape (taps, N, M) as `matrix_stack` gives it.
    """
    whole = tensor.view(squeezed(tuple(tensor.shape)))
    piece = whole
    for cut in part.cuts:
        piece = _range(piece, cut)
    spread = piece.movedim(part.matrix_axes, (-2, -1))
    turned = stack if spread.shape[-2] >= spread.shape[-1] else stack.mT
    _put(whole, part.cuts, turned.reshape(spread.shape).movedim((-2, -1), part.matrix_axes))


def _put(tensor: torch.Tensor, cuts: Sequence[Cut], values: torch.Tensor) -> None:
    """Set the range of a tensor that cuts make, one inside the other."""
    if not cuts:
        tensor.copy_(values)
        return
    cut, *inner = cuts
    piece = _range(tensor, cut)
    _put(piece, inner, values)
    if cut.period is not None:  # blocks apart from each other were copied out
        length = cut.stop - cut.start
        blocks = tensor.unflatten(cut.axis, (-1, cut.period)).narrow(cut.axis + 1, cut.start, length)
        blocks.copy_(piece.unflatten(cut.axis, (-1, length)))


def _range(tensor: torch.Tensor, cut: Cut) -> torch.Tensor:
    if cut.period is None:
        return tensor.narrow(cut.axis, cut.start, cut.stop - cut.start)
    blocks = tensor.unflatten(cut.axis, (-1, cut.period)).narrow(cut.axis + 1, cut.start, cut.stop - cut.start)
    return blocks.flatten(cut.axis, cut.axis + 1)


def read_weight(checkpoint: Checkpoint, layout: TensorLayout) -> torch.Tensor:
    """A tensor as the layer uses it: under weight normalization, its directions times their lengths.

    Returns:
        The tensor as the file has it; quantized, in float64, codes times scales; or, normalized, in float64:
        g v / ||v||, the norm over the axes along which the lengths g have one entry (Salimans and Kingma 2016,
        arXiv:1602.07868).
    """
    tensor = checkpoint.read(layout.header.name)
    if layout.scaled is not None:
        return dequantize(tensor, checkpoint.read(layout.scaled.scales), layout.scaled)
    if layout.gain is None:
        return tensor
    direction, length = tensor.double(), checkpoint.read(layout.gain).double()
    axes = [axis for axis in range(direction.ndim) if length.ndim == 0 or length.shape[axis] == 1]
    return direction * (length / direction.square().sum(axes, keepdim=True).sqrt())


def stacks_of(checkpoint: Checkpoint, layout: TensorLayout) -> Iterator[torch.Tensor]:
    """The matrices of every part of a tensor, as its layer uses it, when their turn comes.

    Of a quantized stack of experts, or of fused rows, no more than one part is dequantized at a time.

    Yields:
        Shapes (taps, N, M), one for each of `layout.parts`.
    """
    if layout.scaled is None:
        tensor = read_weight(checkpoint, layout)
        for part in layout.parts:
            yield matrix_stack(tensor, part)
        return
    for part in layout.parts:
        rows = _rows_of(part, layout.shape)
        block = layout.scaled.block[0]
        shared = block >= layout.shape[0]  # all rows have the same scales
        if rows is None or (rows.start % block and not shared):
            yield matrix_stack(read_weight(checkpoint, layout), part)
            continue
        codes = checkpoint.read(layout.header.name)[rows.start : rows.stop]
        scales = checkpoint.read(layout.scaled.scales)
        own = scales if shared else scales[rows.start // block :]
        yield matrix_stack(dequantize(codes, own, layout.scaled), _within(part, rows))


def _rows_of(part: Part, shape: tuple[int, ...]) -> Cut | None:
    """The range along the first axis that a part is in, if it is in one."""
    first = part.cuts[0] if part.cuts else None
    return first if first and first.axis == 0 and first.period is None and 1 not in shape else None


def _within(part: Part, rows: Cut) -> Part:
    """A part as it lies in the tensor that its first range is; a range of one loses the axis."""
    dropped = int(rows.stop - rows.start == 1)
    cuts = tuple(replace(cut, axis=cut.axis - dropped) for cut in part.cuts[1:])
    first, second = part.matrix_axes
    return replace(part, cuts=cuts, matrix_axes=(first - dropped, second - dropped))


def find_tied(checkpoint: Checkpoint, layouts: Sequence[TensorLayout]) -> dict[str, str]:
    """Tensors whose every entry equals that of an earlier one, as tied embeddings and output layers do.

    Constant tensors are left out: two layers that start from zero are equal without being one.

    Returns:
        The earlier tensor's name by the later one's.
    """
    tied: dict[str, str] = {}
    seen: dict[tuple[str, tuple[int, ...], bytes], list[str]] = {}
    for layout in layouts:
        if not layout.parts or layout.gain is not None or layout.right is not None or layout.scaled is not None:
            continue  # equal directions, factors or codes are not equal weights
        header = layout.header
        tensor = checkpoint.read(header.name)
        sample = tensor[:1].flatten()[:_SAMPLE].contiguous().cpu()
        alike = seen.setdefault((header.dtype, header.shape, sample.view(torch.uint8).numpy().tobytes()), [])
        original = next((name for name in alike if torch.equal(checkpoint.read(name).to(tensor.device), tensor)), None)
        if original is None:
            alike.append(header.name)
        elif not _all_equal(tensor, sample[0].to(tensor.device)):
            tied[header.name] = original
    return tied


def _all_equal(tensor: torch.Tensor, value: torch.Tensor) -> bool:
    """Whether every entry is that value; some rows at a time, and no further than the first that differ."""
    step = max(1, _COMPARED // max(1, prod(tensor.shape[1:])))
    return all(bool((rows == value).all()) for rows in tensor.split(step))
