"""Headers that are read without their files, against the format's own library on the files."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from checkpoints.errors import CheckpointError
from checkpoints.open import open_checkpoint
from checkpoints.ranges import Piece, piece_of
from checkpoints.safetensors_header import FIRST_BYTES, LONGEST, read_header
from checkpoints.tensors import TensorHeader


def headers_of(content: bytes, *, size_known: bool = True) -> tuple[TensorHeader, ...]:
    def read(start: int, stop: int) -> Piece:
        assert stop - start <= max(FIRST_BYTES, LONGEST)
        return Piece(content[start:stop], len(content) if size_known else None)

    headers, size = read_header(read, "x.safetensors")
    assert size == (len(content) if size_known else None)
    return headers


def with_header(header: object, data: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(data)


FORMATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
NUMBERS = (*FORMATS, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64)
GOOD = {
    "every number format": save({f"layers.{i}": torch.zeros(3, 2, dtype=dtype) for i, dtype in enumerate(NUMBERS)}),
    "numbers in names": save({f"layers.{i}.weight": torch.zeros(i + 1, 2) for i in range(12)}),
    "a long header": save({f"layers.{i}.weight": torch.zeros(2) for i in range(2000)}),
    "a scalar and nothing": save({"scalar": torch.tensor(1.0), "none": torch.zeros(0, 4), "ключ": torch.zeros(2)}),
    "metadata": save({"a": torch.zeros(2, 2)}, metadata={"format": "pt"}),
    "no tensors": with_header({}),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("size_known", [True, False])
def test_headers_are_those_of_the_open_file(tmp_path, name, size_known):
    path = tmp_path / "x.safetensors"
    path.write_bytes(GOOD[name])
    assert headers_of(GOOD[name], size_known=size_known) == open_checkpoint(path).headers


def entry(stop: int, start: int = 0, shape: object = (2,), dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


BAD = {
    "empty": (b"", "it is empty"),
    "shorter than a length": (b"\x02\x00", "it has 2 bytes, fewer than the length of a header"),
    "absurd length": ((LONGEST + 1).to_bytes(8, "little") + bytes(99), "more than the 100000000 that are allowed"),
    "header cut": (GOOD["a long header"][:70_000], r"its header would have \d+ bytes, and the file has 70000"),
    "data cut": (GOOD["metadata"][:-1], "its tensors take 16 bytes, and 15 are there"),
    "data too long": (GOOD["metadata"] + b"\x00", "its tensors take 16 bytes, and 17 are there"),
    "no JSON": (with_header(b"not JSON"), "its header is no list of tensors"),
    "no text": (with_header(b"\xff\xfe\xfd{}"), "its header is no list of tensors"),
    "a list": (with_header([1, 2]), "its header is no list of tensors"),
    "deep": (with_header(b"[" * 60_000), "its header is no list of tensors"),
    "no offsets": (with_header({"a": {"dtype": "F32", "shape": [2]}}, 8), "its header is no list of tensors"),
    "shape of words": (with_header({"a": entry(8, shape="ab")}, 8), "its header is no list of tensors"),
    "negative length": (with_header({"a": entry(8, shape=[-2])}, 8), "its header is no list of tensors"),
    "fraction": (with_header({"a": entry(8, shape=[2.0])}, 8), "its header is no list of tensors"),
    "format of a number": (with_header({"a": entry(8, dtype=3)}, 8), "its header is no list of tensors"),
    "wrong bytes": (with_header({"a": entry(9)}, 9), r"a of F32 \[2\] cannot take 9 bytes"),
    "a hole": (with_header({"a": entry(12, 4)}, 12), "a begins at byte 4 of the data, and the one before ends at 0"),
    "overlap": (with_header({"a": entry(8), "b": entry(12, 4)}, 12), "b begins at byte 4"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_is_refused_by_the_library_too(tmp_path: Path, name: str):
    content, message = BAD[name]
    with pytest.raises(CheckpointError, match=rf"damaged safetensors file x\.safetensors: .*{message}") as caught:
        headers_of(content)
    assert not caught.value.transient
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged safetensors file x\.safetensors"):
        open_checkpoint(path)


def test_a_header_that_the_server_cuts_short_without_a_size():
    content = GOOD["a long header"][:70_000]
    with pytest.raises(CheckpointError, match=r"its header has \d+ bytes, and only 70000 came"):
        headers_of(content, size_known=False)


@pytest.mark.parametrize(("status", "content", "size"), [(206, b"cdef", 10), (200, b"cdef", 10), (200, b"cd", 4)])
def test_a_range_and_a_whole_body_give_the_same_piece(status, content, size):
    body = b"abcdefghij"[:size]
    sent = body[2:6] if status == 206 else body
    headers = {"Content-Range": f"bytes 2-5/{size}", "Content-Length": str(len(sent))}
    assert piece_of(status, headers, [sent[i : i + 1] for i in range(len(sent))], 2, 6) == Piece(content, size)


def test_no_more_is_taken_than_is_needed():
    taken = []

    def chunks():
        for number in range(1000):
            taken.append(number)
            yield b"ab"

    assert piece_of(200, {}, chunks(), 3, 7) == Piece(b"baba", None)
    assert taken == [0, 1, 2, 3]
