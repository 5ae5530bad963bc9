"""Which matrices the tensors of a weight file hold: from what is known of its modules, else from names and shapes."""

from collections.abc import Mapping, Sequence

from checkpoints.adapters import with_products
from checkpoints.fused import fused_linear, recurrent_gates, stacked_experts
from checkpoints.kernels import infer_groups, kernel_kind, kernel_parts
from checkpoints.names import (
    directions_of,
    is_adapter,
    is_buffer,
    is_embedding,
    is_quantized,
    is_table,
    layer_name,
    lengths_of,
)
from checkpoints.parts import (
    NO_FACTS,
    Cut,
    Facts,
    Kind,
    LaidOutBy,
    ModuleFacts,
    Part,
    TensorLayout,
    parts_of_pieces,
    squeezed,
)
from checkpoints.quantized import FLOAT8, Found, Scaled, find_quantized
from checkpoints.tensors import TensorHeader
from setol.reasons import Reason

FLOATS = ("float64", "float32", "float16", "bfloat16", *FLOAT8)
"""Number formats that widen to float64 as they stand."""

_INTEGERS = ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")
_CONVOLUTIONS = (Kind.CONV1D, Kind.CONV2D, Kind.CONV3D, Kind.CONV_TRANSPOSE)


def lay_out(headers: Sequence[TensorHeader], facts: Facts = NO_FACTS) -> tuple[TensorLayout, ...]:
    """Decide for every tensor which matrices it holds, or why it holds none.

    Args:
        headers: All tensors of a weight file, in its order.
        facts: What the model's own modules say, by the names of the file; a tensor that is not among them is told
            by its name and shape.

    Returns:
        One layout a tensor, in the same order.
    """
    stored = {header.name: header.shape for header in headers}
    gains = [_lengths(header, stored) for header in headers]
    quantized = find_quantized(headers)
    weights = [_weight(header, gain, quantized) for header, gain in zip(headers, gains, strict=True)]
    shapes = stored | {weight.name: weight.shape for weight in weights}
    groups = infer_groups(weights)
    layouts = []
    for header, weight, gain in zip(headers, weights, gains, strict=True):
        known = facts.get(header.name)
        scaled = quantized.get(header.name)
        found = _reason_to_skip(weight, known, shapes, scaled) or (
            _known_parts(weight, known) if known else _parts(weight, shapes, groups.get(weight.name, 1))
        )
        by = LaidOutBy.NAME if known is None else LaidOutBy.ARCHITECTURE
        layer = layer_name(weight.name)
        if isinstance(found, Reason):
            layouts.append(TensorLayout(header, layer, reason=found, by=by))
        else:
            codes = scaled if isinstance(scaled, Scaled) else None
            layouts.append(TensorLayout(header, layer, parts=found, by=by, gain=gain, scaled=codes))
    bare = not any(layout.parts for layout in layouts)
    return with_products(layouts) if bare else tuple(layouts)


def _weight(header: TensorHeader, gain: str | None, quantized: Found) -> TensorHeader:
    """The weight that a tensor of directions is normalized to, or that codes stand for."""
    if isinstance(scaled := quantized.get(header.name), Scaled):
        return TensorHeader(scaled.name, header.dtype, scaled.shape)
    return TensorHeader(directions_of(header.name) or header.name, header.dtype, header.shape) if gain else header


def _lengths(header: TensorHeader, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """The tensor with the lengths of weight normalization, if this one holds the directions to them."""
    name = lengths_of(header.name)
    shape = shapes.get(name) if name else None
    if shape is None or (shape and len(shape) != len(header.shape)):
        return None
    kept = [axis for axis, length in enumerate(shape) if length != 1]
    return name if all(shape[axis] == header.shape[axis] for axis in kept) and len(kept) < 2 else None


def _reason_to_skip(
    header: TensorHeader,
    known: ModuleFacts | None,
    shapes: Mapping[str, tuple[int, ...]],
    scaled: Scaled | Reason | None,
) -> Reason | None:
    if isinstance(scaled, Reason):
        return scaled
    if known.kind is None if known else is_buffer(header.name):
        return Reason.BUFFER
    if is_adapter(header.name):
        return Reason.ADAPTER if scaled is None else Reason.SCALE_UNKNOWN
    quantized = known is None and is_quantized(header.name)
    if header.dtype in _INTEGERS and scaled is None:
        return Reason.QUANTIZED if quantized or _has_scales(header.name, shapes) else Reason.INTEGER
    if 0 in header.shape:
        return Reason.EMPTY
    if len(squeezed(header.shape)) < 2:
        return Reason.VECTOR
    if quantized:
        return Reason.QUANTIZED
    if header.dtype not in FLOATS and scaled is None:
        return Reason.DTYPE
    return None


def _has_scales(name: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether scales stand beside an integer weight."""
    return name.endswith("weight") and f"{name}_scale" in shapes


def _known_parts(header: TensorHeader, known: ModuleFacts) -> tuple[Part, ...] | Reason:
    kind, shape = known.kind, squeezed(header.shape)
    assert kind is not None, "buffers have a reason"
    if known.stacked:
        return _known_experts(known, shape) if len(shape) == 3 else Reason.UNKNOWN
    if kind in _CONVOLUTIONS and len(header.shape) > 2:
        parts = kernel_parts(header, kind, known.groups)
        if known.pieces and parts == (Part(None, kind),):
            return parts_of_pieces(known.pieces, kind, header.shape[0], axis=0)
        return parts
    if len(shape) > 2:
        return Reason.UNKNOWN
    if known.pieces and shape[known.axis] > 1:
        return parts_of_pieces(known.pieces, kind, shape[known.axis], known.axis)
    return (Part(None, kind),)


def _known_experts(known: ModuleFacts, shape: tuple[int, ...]) -> tuple[Part, ...]:
    inner: tuple[tuple[str, tuple[Cut, ...]], ...] = (("", ()),)
    if known.pieces:
        pieces = parts_of_pieces(known.pieces, Kind.LINEAR, shape[known.axis], known.axis)
        inner = tuple((f".{piece.part}", piece.cuts) for piece in pieces)
    return tuple(
        Part(f"expert_{expert}{name}", Kind.LINEAR, (Cut(0, expert, expert + 1), *cuts), matrix_axes=(1, 2))
        for expert in range(shape[0])
        for name, cuts in inner
    )


def _parts(header: TensorHeader, shapes: Mapping[str, tuple[int, ...]], groups: int) -> tuple[Part, ...] | Reason:
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
