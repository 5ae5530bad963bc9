"""IDX, the format of MNIST: a magic number that tells type and dimensions, their sizes, the bytes.

Only the one of unsigned bytes is read and written: two zero bytes, 8, the number of dimensions, each size as four
bytes with the highest first, then the data with the last dimension fastest.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from setol_zoo.lab.errors import DataError

_UNSIGNED_BYTES = 8


def read_idx(content: bytes, what: str) -> NDArray[np.uint8]:
    """The array of an IDX file.

    Args:
        content: All its bytes.
        what: What the file is called.

    Raises:
        DataError: It is no IDX file of unsigned bytes, cut short, or too long.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTES or not content[3]:
        raise DataError(
            f"{what} is no IDX file of bytes: it begins with {content[:4].hex() or 'nothing'}, and 000008 and the "
            "number of dimensions are needed. Get the file again; it is unpacked before, or named .gz."
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(f"{what} is cut short: {len(content)} bytes, and its head alone needs {start}. Get it again.")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    needed = start
    size = 1
    for each in shape:
        size *= each
    needed += size
    if len(content) != needed:
        state = "is cut short" if len(content) < needed else "is too long"
        raise DataError(
            f"{what} {state}: {len(content)} bytes, and {needed} belong to an array of "
            f"{' x '.join(map(str, shape))}. Get it again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def write_idx(array: NDArray[np.uint8]) -> bytes:
    """An IDX file of an array of bytes; the same array always gives the same file."""
    head = struct.pack(f">HBB{array.ndim}I", 0, _UNSIGNED_BYTES, array.ndim, *array.shape)
    return head + np.ascontiguousarray(array).tobytes()
