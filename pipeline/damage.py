"""Files of results that cannot be read any more: cut short, overwritten, rotten."""

from dataclasses import dataclass
from pathlib import Path, PurePath

import pyarrow as pa
import pyarrow.parquet as pq

SUFFIX = ".damaged"
"""What is put behind the name of a damaged file, so that nothing takes it for results."""

SMALLEST = 12
"""Bytes of the smallest Parquet file: both its marks, and the length of what stands at its end."""


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


def damage_in(path: Path, *, whole: bool) -> str | None:
    """Read a Parquet file and see whether that works.

    Args:
        path: The file.
        whole: Whether to read all of it and check the pages' sums, or only what stands at its end: that tells a file
            that was cut short.

    Returns:
        What is wrong with it. None if nothing is, or if the system does not let it be read, which says nothing
        about what is in it.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if whole:
                file.read(use_threads=False)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            return None
        return " ".join(str(error).split()).rstrip(".")
    return None
