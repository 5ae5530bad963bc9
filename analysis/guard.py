"""What may be asked: one SELECT on the views, which changes nothing and reaches no file."""

import re
from collections.abc import Iterable

import duckdb
import pyarrow as pa

from analysis.errors import AnalysisError
from catalogs import unknown_name

_CLOSED = (
    "SET python_enable_replacements = false",  # a table's name is no variable of the calling program
    "SET temp_directory = ''",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)

_NO_TABLE = re.compile(r"Table with name (\S+) does not exist")
_NO_COLUMN = re.compile(
    r'Referenced column "([^"]+)" (?:not found|was not found)'
    r'|does not have a column named "([^"]+)"'
    r'|column named "([^"]+)"'
)
_NO_FUNCTION = re.compile(r"Function with name (\S+) does not exist")


def close_doors(connection: duckdb.DuckDBPyConnection) -> None:
    """Bar a connection from files, the network, extensions and settings, for good."""
    for statement in _CLOSED:
        connection.execute(statement)


def select(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Answer one SELECT, in a transaction that cannot write.

    DuckDB's own parser says what a statement is. That alone would not do, because a SELECT may hold an INSERT
    in a WITH clause.

    Args:
        connection: Its doors are closed.
        query: One SELECT statement; DESCRIBE, SUMMARIZE and SHOW count as such.

    Returns:
        All rows.

    Raises:
        AnalysisError: It is not one SELECT, or DuckDB cannot answer it.
    """
    _check_one_select(connection, query)
    connection.execute("BEGIN TRANSACTION READ ONLY")
    try:
        return connection.sql(query).to_arrow_table()
    except duckdb.Error as error:
        raise AnalysisError(_explain(connection, str(error))) from error
    finally:
        connection.execute("ROLLBACK")


def _check_one_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    try:
        statements = connection.extract_statements(query)
    except duckdb.Error as error:
        raise AnalysisError(f"this is not SQL: {_tidy(str(error))}") from error
    kinds = [statement.type.name for statement in statements]
    if kinds != ["SELECT"]:
        got = " and ".join(kinds) or "none"
        raise AnalysisError(f"need exactly one SELECT statement on the views, got {got}. Results are only read.")


def _explain(connection: duckdb.DuckDBPyConnection, message: str) -> str:
    """DuckDB's message; that about an unknown name with the nearest ones of ours."""
    connection.execute("ROLLBACK")
    connection.execute("BEGIN TRANSACTION READ ONLY")
    if found := _NO_TABLE.search(message):
        views = _names(connection, "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal")
        return unknown_name("view", found[1].strip('"'), views)
    if found := _NO_COLUMN.search(message):
        name = next(group for group in found.groups() if group)
        columns = _names(connection, "SELECT DISTINCT column_name FROM duckdb_columns() WHERE schema_name = 'main'")
        told = unknown_name("column", name, columns)
        return f"{told}; DESCRIBE a view to see its columns"
    if _NO_FUNCTION.search(message):
        return _tidy(message.replace("Catalog Error: ", ""))
    return _tidy(message)


def _names(connection: duckdb.DuckDBPyConnection, query: str) -> Iterable[str]:
    return sorted(row[0] for row in connection.execute(query).fetchall())


def _tidy(message: str) -> str:
    return message.strip().replace("\n\n", "\n")
