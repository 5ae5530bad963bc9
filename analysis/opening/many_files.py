"""Many small Parquet files into one table of DuckDB: some at a time, so that memory stays that of the table."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from analysis.opening.packs import insert_pack, keep_pack, lots, pack_of
from analysis.opening.stored import read_parquet, readable

AT_A_TIME = 100
"""Files that are read at a time: DuckDB keeps about a megabyte for each until it is through."""

_PATTERN = set("*?[]{}")
_READ = "read_parquet($files, union_by_name = true, hive_partitioning = false)"


def insert_files(
    connection: duckdb.DuckDBPyConnection, table: str, paths: Sequence[Path], *, pass_over: bool = False
) -> None:
    """Insert all rows of some files into a table, by the names of its columns; one that a file lacks is NULL there.

    What many files hold is kept in the cache (`analysis.opening.packs`), and read there the next time.

    DuckDB reads small files with a quarter of the processor time that Arrow takes. What it cannot take so (a damaged
    file, a column that the table has not, a path that would be a pattern) is Arrow's, which tells what is wrong.

    Args:
        connection: Where the table is.
        table: Its name.
        paths: Files on this machine.
        pass_over: Whether to leave out files that cannot be read.

    Raises:
        AnalysisError: A file cannot be read, and none is to be passed over.
    """
    connection.execute("SET enable_progress_bar = false")  # which is on by default in notebooks
    schema = connection.sql(f"FROM {table} LIMIT 0").to_arrow_table().schema
    for lot in lots(paths):
        pack = pack_of(lot, [str(field) for field in schema])
        if pack is None:
            _insert(connection, table, lot, schema, pass_over=pass_over)
        elif not insert_pack(connection, table, pack):
            first = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            _insert(connection, table, lot, schema, pass_over=pass_over)
            keep_pack(connection, table, first, pack)


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, paths: Sequence[Path], schema: pa.Schema, *, pass_over: bool
) -> None:
    for some in lots(paths, AT_A_TIME):
        names = [str(path) for path in some]
        try:
            if any(_PATTERN & set(name) for name in names):
                raise duckdb.Error("a path is no pattern")
            connection.execute(f"INSERT INTO {table} BY NAME FROM {_READ}", {"files": names})
        except duckdb.Error:
            rows = read_parquet([path for path in some if not pass_over or readable(path)], schema)
            connection.register("incoming", rows)
            connection.execute(f"INSERT INTO {table} FROM incoming")
            connection.unregister("incoming")
