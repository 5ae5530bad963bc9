"""Which matrices the tensors of a weight file hold, from their names and shapes alone."""

from collections.abc import Sequence

from checkpoints.fused import fused_linear, recurrent_gates, stacked_experts
from checkpoints.kernels import infer_groups, kernel_kind, kernel_parts
from checkpoints.names import is_buffer, is_embedding, is_quantized, is_table, layer_name
from checkpoints.parts import Kind, Part, TensorLayout, squeezed
from checkpoints.tensors import TensorHeader
from setol.reasons import Reason

FLOATS = ("float64", "float32", "float16", "bfloat16")
"""Number formats that widen to float64 as they stand."""

_INTEGERS = ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")


def lay_out(headers: Sequence[TensorHeader]) -> tuple[TensorLayout, ...]:
    """Decide for every tensor which matrices it holds, or why it holds none.

    Args:
        headers: All tensors of a weight file, in its order.

    Returns:
        One layout a tensor, in the same order.
    """
    shapes = {header.name: header.shape for header in headers}
    groups = infer_groups(headers)
    layouts = []
    for header in headers:
        found = _reason_to_skip(header) or _parts(header, shapes, groups.get(header.name, 1))
        layer = layer_name(header.name)
        if isinstance(found, Reason):
            layouts.append(TensorLayout(header, layer, reason=found))
        else:
            layouts.append(TensorLayout(header, layer, parts=found))
    return tuple(layouts)


def _reason_to_skip(header: TensorHeader) -> Reason | None:
    if is_buffer(header.name):
        return Reason.BUFFER
    if header.dtype in _INTEGERS:
        return Reason.QUANTIZED if is_quantized(header.name) else Reason.INTEGER
    if 0 in header.shape:
        return Reason.EMPTY
    if len(squeezed(header.shape)) < 2:
        return Reason.VECTOR
    if is_quantized(header.name):
        return Reason.QUANTIZED
    if header.dtype not in FLOATS:
        return Reason.DTYPE
    return None


def _parts(header: TensorHeader, shapes: dict[str, tuple[int, ...]], groups: int) -> tuple[Part, ...] | Reason:
    name, shape = header.name, squeezed(header.shape)
    if is_table(name):
        return (Part(None, Kind.TABLE),) if len(shape) == 2 else Reason.UNKNOWN
    if gates := recurrent_gates(name, shapes):
        return gates
    if len(shape) == 3 and (experts := stacked_experts(name, shape, shapes)):
        return experts
    if kind := kernel_kind(header):
        return kernel_parts(header, kind, groups)
    if len(shape) > 2:
        return Reason.UNKNOWN
    if is_embedding(name):
        return (Part(None, Kind.EMBEDDING),)
    return fused_linear(name, shape) or (Part(None, Kind.LINEAR),)
