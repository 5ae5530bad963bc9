"""Files of results that cannot be read any more: cut short, overwritten, rotten."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUFFIX = ".damaged"
"""What is put behind the name of a damaged file, so that nothing takes it for results."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged file, and what the reader says of it."""

    path: Path
    error: str


def damage_in(path: Path, *, whole: bool) -> Damage | None:
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
        return Damage(path, " ".join(str(error).split()).rstrip("."))
    return None
