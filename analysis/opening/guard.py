"""What may be asked: one SELECT on the views, which changes nothing and reaches no file."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import duckdb
import pyarrow as pa

from analysis.errors import AnalysisError
from analysis.opening.column_hints import no_column
from analysis.opening.stored import damaged
from catalogs import unknown_name
from catalogs.places import cache_directory

_CLOSED = (
    "SET python_enable_replacements = false",  # a table's name is no variable of the calling program
    "SET temp_directory = ''",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)

_FILE = re.compile(r'Cannot (?:access|open) (?:file|directory|database) "([^"]*)"')
_EXTENSION = re.compile(r"exists in the (\w+) extension")
_DAMAGED = re.compile(r"'stored_spectra' failed: .*'([^']+\.parquet)'(?:: )?(.*)", re.DOTALL)
_BROKEN = re.compile(r"Corrupt database file|Could not read enough bytes from file")
_NO_TABLE = re.compile(r"Table with name (\S+) does not exist")
_NO_COLUMN = re.compile(
    r'Referenced column "([^"]+)" (?:not found|was not found)'
    r'|does not have a column named "([^"]+)"'
    r'|column named "([^"]+)"'
)


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
        KeyboardInterrupt: Ctrl-C, after which the next query is answered.
    """
    check_one_select(connection, query)
    connection.execute("BEGIN TRANSACTION READ ONLY")
    try:
        return _plain_integers(_answer(connection, query))
    except duckdb.Error as error:
        raise AnalysisError(_explain(connection, query, str(error))) from error
    finally:
        connection.execute("ROLLBACK")


def _answer(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """All rows; Ctrl-C ends the query. DuckDB itself looks for it only now and then, and not in every query."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: connection.sql(query).to_arrow_table())
        try:
            return waiting.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


def check_one_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """See that a text is one SELECT statement, before DuckDB is given it or anything around it.

    Raises:
        AnalysisError: It is not.
    """
    try:
        statements = connection.extract_statements(query)
    except duckdb.Error as error:
        raise AnalysisError(f"this is not SQL: {_tidy(str(error))}") from error
    kinds = [statement.type.name for statement in statements]
    if kinds != ["SELECT"]:
        got = " and ".join(kinds) or "none"
        keep = " To keep an answer: setol sql --format csv ... > FILE." if kinds == ["COPY"] else ""
        raise AnalysisError(f"need exactly one SELECT statement on the views, got {got}. Results are only read.{keep}")


def _plain_integers(table: pa.Table) -> pa.Table:
    """Sums of integers, which DuckDB hands over as decimals of 38 digits, as the 64-bit integers that they fit in."""
    for index, field in enumerate(table.schema):
        if field.type == pa.decimal128(38, 0):
            with suppress(pa.ArrowInvalid):
                table = table.set_column(index, field.name, table.column(index).cast(pa.int64()))
    return table


def _explain(connection: duckdb.DuckDBPyConnection, query: str, message: str) -> str:
    """DuckDB's message; ours for an unknown name, with the nearest ones, and for what is barred."""
    if found := _FILE.search(message):
        return (
            f"a query reads the views and no file: {found[1]!r} cannot be reached. Join data of your own in Python: "
            "zoo.open(FOLDER).sql(...) gives a DataFrame; and `setol sql --format csv ... > FILE` keeps an answer."
        )
    if found := _EXTENSION.search(message):
        return f"this needs the extension {found[1]} of DuckDB; queries on the views load none."
    if found := _NO_TABLE.search(message):
        return unknown_name("view", found[1].strip('"'), _columns(connection))
    if found := _NO_COLUMN.search(message):
        name = next(group for group in found.groups() if group)
        return no_column(name, query, _columns(connection)) or _tidy(message)
    if found := _DAMAGED.search(message):
        return damaged(found[1], found[2])
    if _BROKEN.search(message):  # which opening it does not tell: it reads little
        kept = cache_directory() / "opened"
        return f"what was kept of opened results is damaged: delete {kept}, nothing but time is lost, and ask again."
    if "read-only mode" in message:
        return "need a SELECT that changes nothing; results are only read."
    return _tidy(message)


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The views, each with its columns."""
    connection.execute("ROLLBACK")  # the statement that failed has spoilt the transaction
    connection.execute("BEGIN TRANSACTION READ ONLY")
    found = connection.execute(
        """SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns()
           WHERE schema_name = 'main' AND database_name = 'memory' GROUP BY table_name ORDER BY table_name"""
    )
    return dict(found.fetchall())


def _tidy(message: str) -> str:
    """Without the name of the kind of error, which says nothing to a reader, and without blank lines."""
    return re.sub(r"^[A-Z]\w+ Error: ", "", message.strip()).replace("\n\n", "\n")
