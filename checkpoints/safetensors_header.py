"""The header of a safetensors file, read without the file: what it says of its tensors, and whether that can be so."""

import json
from collections.abc import Callable
from math import prod
from typing import Any

from checkpoints.errors import CheckpointError
from checkpoints.names import natural_order
from checkpoints.ranges import Piece
from checkpoints.tensors import TensorHeader

FIRST_BYTES = 2**16
"""Bytes that are asked for at first: the header of all but a few files is in them."""

LONGEST = 100_000_000
"""Bytes of a header, beyond which the library of the format refuses a file."""

_LENGTH_BYTES = 8
_DTYPES = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U64": ("uint64", 8),
    "U32": ("uint32", 4),
    "U16": ("uint16", 2),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
    "C64": ("complex64", 8),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 1),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 1),
    "F8_E8M0": ("float8_e8m0fnu", 1),
}
"""torch's name of each format, and bytes of an entry."""


def torch_dtype(name: str) -> str:
    """The name that torch has for a number format of safetensors: `BF16` is `bfloat16`; of an unknown one, its own."""
    return _DTYPES[name][0] if name in _DTYPES else name.lower()


def entry_format(dtype: str) -> tuple[str, int] | None:
    """What safetensors calls a number format of torch, and bytes of an entry: `bfloat16` is BF16; None without one."""
    return next(((name, size) for name, (known, size) in _DTYPES.items() if known == dtype), None)


def read_header(read: Callable[[int, int], Piece], name: str) -> tuple[tuple[TensorHeader, ...], int | None]:
    """The tensors of a safetensors file of which parts can be had.

    Args:
        read: Gives the bytes from a first one up to, and without, a last one.
        name: The file's name, for messages.

    Returns:
        What opening the file would give as its headers, and the bytes of the whole file where they are known.

    Raises:
        CheckpointError: It is no safetensors file, or cut short; or what `read` raises.
    """
    first = read(0, FIRST_BYTES)
    stop = _LENGTH_BYTES + _length(first, name)
    content = first.content[:stop]
    if stop > len(content):
        content += read(len(content), stop).content
    if stop > len(content):
        raise _damaged(name, f"its header has {stop - _LENGTH_BYTES} bytes, and only {len(content)} came")
    return _tensors(content[_LENGTH_BYTES:], None if first.size is None else first.size - stop, name), first.size


def _length(first: Piece, name: str) -> int:
    if not first.content:
        raise CheckpointError(f"damaged safetensors file {name}: it is empty (0 bytes); fetch it again.")
    if len(first.content) < _LENGTH_BYTES:
        raise _damaged(name, f"it has {len(first.content)} bytes, fewer than the length of a header")
    length = int.from_bytes(first.content[:_LENGTH_BYTES], "little")
    if length > LONGEST:
        raise _damaged(name, f"its header would have {length} bytes, more than the {LONGEST} that are allowed")
    if first.size is not None and _LENGTH_BYTES + length > first.size:
        raise _damaged(name, f"its header would have {length} bytes, and the file has {first.size}")
    return length


def _tensors(header: bytes, data: int | None, name: str) -> tuple[TensorHeader, ...]:
    """The tensors that a header lists; `data` is the number of bytes behind it, where that is known."""
    try:
        entries = dict(json.loads(header))
        entries.pop("__metadata__", None)
        spans = []
        headers = []
        for tensor in sorted(entries, key=natural_order):  # the order in which an open file gives them
            dtype, shape, (start, stop) = (entries[tensor][key] for key in ("dtype", "shape", "data_offsets"))
            lengths = tuple(map(_whole, shape))
            spans.append((_whole(start), _whole(stop), tensor))
            if dtype in _DTYPES and stop - start != prod(lengths) * _DTYPES[dtype][1]:
                raise _damaged(name, f"{tensor} of {dtype} {list(lengths)} cannot take {stop - start} bytes")
            headers.append(TensorHeader(tensor, torch_dtype(dtype), lengths))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(name, "its header is no list of tensors") from error
    end = 0
    for start, stop, tensor in sorted(spans):
        if start != end:
            raise _damaged(name, f"{tensor} begins at byte {start} of the data, and the one before ends at {end}")
        end = stop
    if data is not None and end != data:
        raise _damaged(name, f"its tensors take {end} bytes, and {data} are there")
    return tuple(headers)


def _whole(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ValueError(number)
    return number


def _damaged(name: str, what: str) -> CheckpointError:
    return CheckpointError(
        f"damaged safetensors file {name}: {what}. It is cut short or not of this format; fetch it again."
    )
