"""What many small files hold, together in one file of the cache: opening a large folder again takes seconds.

Reading a small Parquet file takes longer than what is in it. Files of results never change, so rows that were read once
are kept, a file for each lot of them. Its name is made of the paths, sizes and times of the lot's files and of the
columns of the table: where any of these differs, there is no such file, and the lot is read anew. Nothing depends on
it: a cache that cannot be written, or was deleted, costs time alone.
"""

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb

from analysis.opening.literals import sql_text
from catalogs.places import cache_directory

PACKED = 500
"""Files of a lot."""

FEWEST = 100
"""Files below which a lot is not kept: they are read as fast."""

ROOM = 4 * 2**30
"""Bytes that are kept in all; what was not used for longest goes first."""


STALE_SECONDS = 24 * 3600
"""Age after which what is half-made is taken for what a killed process left."""


def lots(paths: Sequence[Path], size: int = PACKED) -> Iterator[Sequence[Path]]:
    """The files in lots, in their order."""
    for start in range(0, len(paths), size):
        yield paths[start : start + size]


def pack_of(paths: Sequence[Path], columns: Sequence[str]) -> Path | None:
    """Where a lot is kept, or would be; None where it is too small, or one of its files has gone."""
    return kept_at(paths, repr(columns).encode(), ".parquet") if len(paths) >= FEWEST else None


def kept_at(paths: Sequence[Path], rest: bytes, suffix: str) -> Path | None:
    """Where what was made of some files is kept, or would be; None where one of them has gone.

    Args:
        paths: The files; their paths, sizes and times are in the name.
        rest: What else it depends on.
        suffix: Of the name.
    """
    digest = hashlib.sha256(rest)
    try:
        for path in paths:
            stat = path.stat()
            digest.update(f"{path.absolute()} {stat.st_size} {stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        return cache_directory().absolute() / "opened" / f"{digest.hexdigest()[:32]}{suffix}"
    except OSError:
        return None


def insert_pack(connection: duckdb.DuckDBPyConnection, table: str, pack: Path) -> bool:
    """Insert a lot that is kept; False where it is not, or cannot be read: then no row is inserted."""
    if not pack.is_file():
        return False
    try:
        connection.execute(f"INSERT INTO {table} BY NAME FROM read_parquet([{sql_text(str(pack))}])")
    except duckdb.Error:
        return False
    with suppress(OSError):
        os.utime(pack)
    return True


def keep_pack(connection: duckdb.DuckDBPyConnection, table: str, first: int, pack: Path) -> None:
    """Keep the rows of a table from a row on, and see that all that is kept does not take too much room."""
    partial = pack.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        pack.parent.mkdir(parents=True, exist_ok=True)
        rows = f"(SELECT * FROM {table} WHERE rowid >= {first})"
        connection.execute(f"COPY {rows} TO {sql_text(str(partial))} (FORMAT parquet, ROW_GROUP_SIZE 10000)")
        os.replace(partial, pack)
        make_room(pack.parent)
    except (OSError, duckdb.Error):
        pass
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def make_room(folder: Path) -> None:
    """Delete what was not used for longest, until the rest fits; what was used last stays, however large it is.

    What killed processes left half-made goes too: it may be as large as what is kept.

    Raises:
        OSError: The folder cannot be read, or changed.
    """
    for left in folder.glob(".*"):
        with suppress(OSError):  # another process has just put it in place
            if time.time() - left.lstat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    kept = [path for suffix in ("parquet", "duckdb") for path in folder.glob(f"*.{suffix}")]
    found = sorted(((path.stat(), path) for path in kept), key=lambda each: -each[0].st_mtime_ns)
    total = 0
    for position, (stat, path) in enumerate(found):
        total += stat.st_size
        if position and total > ROOM:
            path.unlink(missing_ok=True)
