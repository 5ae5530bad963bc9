"""IDX, the format of MNIST: a magic number that tells type and dimensions, their sizes, the entries.

Only files of unsigned bytes are read and written: two bytes 0, one 8, the number of dimensions, each size as four
bytes with the highest first, then the entries, the last dimension fastest.
"""

import struct
from math import prod

import numpy as np
from numpy.typing import NDArray

from setol_zoo.lab.errors import DataError

_UNSIGNED_BYTES = b"\0\0\x08"


def read_idx(content: bytes, what: str) -> NDArray[np.uint8]:
    """The array of an IDX file; it shares memory with the content, and is read-only.

    Args:
        content: All its bytes.
        what: What the file is called.

    Raises:
        DataError: It is no IDX file of unsigned bytes, cut short, or too long.
    """
    if content[:3] != _UNSIGNED_BYTES or not content[3:4].strip(b"\0"):
        raise DataError(
            f"{what} is no IDX file of bytes: it begins with {content[:4].hex() or 'nothing'}, and has to begin with "
            "000008 and the number of dimensions. Get it again; the name of a packed one has to end in .gz."
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(f"{what} is cut short: {len(content)} bytes, and its head alone has {start}. Get it again.")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    size = start + prod(shape)
    if len(content) != size:
        found = f"cut short: {len(content)} bytes" if len(content) < size else f"too long: more than {size} bytes"
        raise DataError(f"{what} is {found}, and {size} make an array of {' x '.join(map(str, shape))}. Get it again.")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """The IDX file of an array; the same array always gives the same bytes."""
    head = _UNSIGNED_BYTES + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape)
    return head + array.tobytes()
