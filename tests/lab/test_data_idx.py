"""IDX files: what is written is read again, and what is none is told."""

import gzip
import struct

import numpy as np
import pytest

from setol_zoo.lab.data.idx import idx_bytes, read_idx
from setol_zoo.lab.errors import DataError


@pytest.mark.parametrize("shape", [(5,), (3, 4, 2), (2, 3, 4, 5), (0,), (2, 0, 3)])
def test_what_is_written_is_read_again(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = read_idx(idx_bytes(array), "a file")
    assert found.shape == shape
    assert (found == array).all()


def test_an_array_that_lies_otherwise_is_written_in_order():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(2, 0, 1)
    assert (read_idx(idx_bytes(array), "a file") == array).all()


def test_the_head_is_that_of_mnist():
    assert idx_bytes(np.zeros((2, 28, 28), np.uint8))[:16] == struct.pack(">IIII", 2051, 2, 28, 28)
    assert idx_bytes(np.zeros(7, np.uint8))[:8] == struct.pack(">II", 2049, 7)


WHOLE = idx_bytes(np.zeros((3, 2, 2), np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "labels is no IDX file of bytes: it begins with nothing"),
        (b"\0\0\x08", "it begins with 000008, and has to"),
        (b"\0\0\x08\0", "it begins with 00000800"),
        (b"\0\0\x0d\x01\0\0\0\0", "it begins with 00000d01"),  # floats
        (gzip.compress(WHOLE, mtime=0), r"it begins with 1f8b.*packed one has to end in \.gz"),
        (WHOLE[:10], "labels is cut short: 10 bytes, and its head alone has 16"),
        (WHOLE[:-1], "labels is cut short: 27 bytes, and 28 make an array of 3 x 2 x 2"),
        (WHOLE + b"\0", "labels is too long: more than 28 bytes"),
        (b"\0\0\x08\x04" + b"\xff" * 16, "labels is cut short: 20 bytes"),
    ],
)
def test_what_is_no_whole_idx_file_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        read_idx(content, "labels")
