"""Small files that claim much: what a hostile owner of a repository would publish."""

import io
import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch

WEIGHT = torch.randn(70, 60, generator=torch.Generator().manual_seed(8))


class Calls:
    """Pickled as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def saved(content: Any, *, zipped: bool = True) -> bytes:
    """What torch.save makes of it."""
    sink = io.BytesIO()
    torch.save(content, sink, _use_new_zipfile_serialization=zipped)
    return sink.getvalue()


def packed(content: bytes, replaced: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The same archive, its entries compressed or not, some of them with other bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(sink, "w", compression) as other:
        for entry in archive.infolist():
            name = entry.filename.partition("/")[2]
            other.writestr(entry.filename, (replaced or {}).get(name, archive.read(entry)))
    return sink.getvalue()


def zeros_entry(path: Path, gibibytes: int) -> None:
    """A checkpoint of a few megabytes whose tensor unpacks to gibibytes."""
    with (
        zipfile.ZipFile(io.BytesIO(saved({"w": WEIGHT}))) as archive,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in archive.infolist():
            if not entry.filename.endswith("data/0"):
                bomb.writestr(entry.filename, archive.read(entry))
                continue
            with bomb.open(entry.filename, "w", force_zip64=True) as sink:
                for _ in range(gibibytes * 64):
                    sink.write(bytes(2**24))


def overlapping(content: bytes, times: int) -> bytes:
    """An archive whose directory names the same bytes many times."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.start_dir
        entries = len(archive.infolist())
    end = content.rindex(b"PK\x05\x06")
    directory = content[start:end] * times
    count, size = entries * times, len(directory)
    return content[:start] + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, start, 0)


def many_doubles(depth: int) -> bytes:
    """Lists of ten lists of ten lists: 10^depth entries by reference, a few hundred bytes; in a state dict's place."""
    lists = b"]q\x00K\x01a"
    for level in range(1, depth):
        lists += b"]q" + bytes([level]) + b"(" + (b"h" + bytes([level - 1])) * 10 + b"e"
    return b"\x80\x02" + lists + b"."


def as_pickle_of(pickle: bytes) -> bytes:
    """A torch file of which the pickle is that one."""
    return packed(saved({"w": WEIGHT}), {"data.pkl": pickle}, zipfile.ZIP_STORED)


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with that header, which may lie about its length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape: list[int], start: int, stop: int) -> dict[str, Any]:
    """A float32 tensor of a safetensors header."""
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, stop]}


def sparse_file(path: Path, size: int) -> None:
    """A file of that many bytes, none of which takes room on the disk."""
    with path.open("wb") as file:
        file.write(b'{"a": "')
        os.truncate(file.fileno(), size)
