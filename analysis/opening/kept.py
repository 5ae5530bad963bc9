"""What a large folder takes long to be opened for, kept in the cache as a database of DuckDB.

A query reads of it the columns that it names, where they lie: they need not all be in memory. Like a pack
(`analysis.opening.packs`), it is named by all that it was made of, and nothing depends on it but time and memory.
"""

import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb

from analysis.errors import AnalysisError
from analysis.opening.literals import sql_text
from analysis.opening.packs import make_room

BUILDING = "600MB"
"""Memory of DuckDB while rows are on their way to the disk; what does not fit waits beside the database."""


def attach_kept(
    connection: duckdb.DuckDBPyConnection,
    kept: Path,
    rows: Callable[[duckdb.DuckDBPyConnection], None],
    rest: Callable[[], None],
) -> bool:
    """Attach a kept database as `opened`, read-only; where there is none, or a damaged one, it is made.

    Args:
        connection: Where there is no database of that name yet.
        kept: Its file.
        rows: Makes its large tables, by a connection to it of its own.
        rest: Makes its small tables, while it is attached as `opened` and can be written.

    Returns:
        False where it cannot be made; then nothing is attached.
    """
    return _attached(connection, kept) or (_made(connection, kept, rows, rest) and _attached(connection, kept))


def _attached(connection: duckdb.DuckDBPyConnection, kept: Path) -> bool:
    # DuckDB lets queries read an attached file as a text too, by its name: that is gone as soon as it is attached.
    name = kept.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        os.utime(kept)
        os.link(kept, name)
        connection.execute(f"ATTACH {sql_text(str(name))} AS opened (READ_ONLY)")
    except (OSError, duckdb.Error):
        return False
    finally:
        with suppress(OSError):
            name.unlink(missing_ok=True)
    return True


def _made(
    connection: duckdb.DuckDBPyConnection,
    kept: Path,
    rows: Callable[[duckdb.DuckDBPyConnection], None],
    rest: Callable[[], None],
) -> bool:
    partial = kept.with_name(f".{uuid.uuid4().hex}.tmp")
    waiting = partial.with_suffix(".waiting")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": BUILDING,
            "temp_directory": str(waiting),
            "checkpoint_threshold": "100GB",
        }
        with duckdb.connect(str(partial), config=config) as making:
            rows(making)
        connection.execute(f"ATTACH {sql_text(str(partial))} AS opened")
        try:
            rest()
        finally:
            connection.execute("DETACH opened")
        os.replace(partial, kept)
        make_room(kept.parent)
        return True
    except (OSError, duckdb.Error, AnalysisError):  # a damaged file is told by the query that needs it
        return False
    finally:
        shutil.rmtree(waiting, ignore_errors=True)
        for left in (partial, partial.with_name(f"{partial.name}.wal")):
            with suppress(OSError):
                left.unlink(missing_ok=True)
