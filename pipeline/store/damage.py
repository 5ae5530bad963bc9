"""Files of results that cannot be read any more: cut short, overwritten, rotten."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePath

import pyarrow as pa
import pyarrow.parquet as pq

SUFFIX = ".damaged"
"""What is put behind the name of a damaged file, so that nothing takes it for results."""

SMALLEST = 12
"""Bytes of the smallest Parquet file: both its marks, and the length of what stands at its end."""

_MARK = b"PAR1"


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged file, and what the reader says of it.

    Attributes:
        name: Its name in the results folder.
        path: Where it lies, as one is told.
        error: What is wrong with it.
    """

    name: str
    path: PurePath
    error: str


def damage_at_ends(path: Path) -> str | None:
    """Look at both ends of a Parquet file, which takes two small reads: that tells one that is empty or was cut short.

    Returns:
        What is wrong with it. None if nothing is, or if the system does not let it be read, which says nothing
        about what is in it.
    """
    try:
        with path.open("rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size < SMALLEST:
                return f"it has {size} bytes"
            file.seek(size - 8)
            end = file.read(8)
            file.seek(0)
            start = file.read(4)
    except OSError:
        return None
    if start != _MARK or end[4:] != _MARK:
        return f"its {'end' if start == _MARK else 'beginning'} is not that of a Parquet file"
    if int.from_bytes(end[:4], "little") + SMALLEST > size:
        return "it is shorter than what stands at its end"
    return None


def damage_within(path: Path) -> str | None:
    """Read all of a Parquet file, and check the sum of every page; what it returns is as for the ends alone."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            file.read(use_threads=False)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            return None
        return " ".join(str(error).split()).rstrip(".")
    return None


def damage_of(content: pa.Buffer, schema: pa.Schema | None = None) -> str | None:
    """The same of a file's content.

    Args:
        content: All of it.
        schema: The columns that it must have been written with, if that is known.
    """
    try:
        pq.read_table(pa.BufferReader(content), schema=schema, page_checksum_verification=True, use_threads=False)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        return " ".join(str(error).split()).rstrip(".")
    return None
