"""The tables that the views are made of, filled from what lies in results folders."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from analysis.opening.configurations import Configuration, layouts, tries
from analysis.opening.guard import select
from analysis.opening.kept import attach_kept
from analysis.opening.many_files import insert_files
from analysis.opening.packs import FEWEST, kept_at, lots
from analysis.opening.stored import Stored, lazy_parquet
from catalogs.identity import fit_id, spectra_id
from setol import Reason

TOGETHER = 36
"""Averages that are worked out together, three of each metric: a median holds all values of its column in memory."""

FEW = 100_000
"""Rows of metrics of which all columns fit into memory at a time; planning each part takes longer then."""

WORKED_OUT = ("contents", "averages")
"""Views of the schema `stored` that take long, and are kept as tables with the rows that they are made of."""


def fill_small(
    connection: duckdb.DuckDBPyConnection, stored: Stored, attempts: pa.Table, chosen: Configuration
) -> tuple[list[Path], list[Path]]:
    """Load what is small about a configuration, and point at the spectra where they lie.

    Returns:
        Its files of metrics and of spectra, all on this machine.
    """
    hashes = sorted({sha256 for sha256 in stored.catalog["weights_sha256"].to_pylist() if sha256})
    laid_out = layouts(stored, chosen.options)
    fits = {sha256: fit_id(sha256, chosen.options, laid_out.get(sha256)) for sha256 in hashes}
    done = [sha256 for sha256 in hashes if fits[sha256] in stored.layers]
    spectra = [spectra_id(sha256, chosen.options, laid_out.get(sha256)) for sha256 in hashes]
    fitted = [stored.layers[fits[sha256]] for sha256 in done]
    files = [stored.spectra[name] for name in spectra if name in stored.spectra]
    stored.fetch([*fitted, *files])  # spectra too: what was analyzed, and how far, stands in them alone
    connection.execute("DELETE FROM stored.attempts WHERE config IS DISTINCT FROM $name", {"name": chosen.name})
    load(connection, "CREATE TABLE stored.catalog AS FROM incoming", stored.catalog)
    load(connection, "CREATE TABLE stored.scores AS FROM incoming", stored.scores)
    load(connection, "CREATE TABLE stored.tries AS FROM incoming", tries(stored, attempts, chosen.name))
    load(connection, "INSERT INTO stored.done FROM incoming", pa.table({"weights_sha256": pa.array(done, pa.string())}))
    reasons = {"reason": [each.value for each in Reason], "sentence": [each.sentence for each in Reason]}
    load(connection, "INSERT INTO stored.reasons FROM incoming", pa.table(reasons))
    connection.register("stored_spectra", lazy_parquet(files, _schema(connection, "stored.spectra")))
    return fitted, files


def fill_layers(
    connection: duckdb.DuckDBPyConnection,
    fitted: Sequence[Path],
    spectra: Sequence[Path],
    tables: str,
    depends: bytes | None,
) -> frozenset[str]:
    """Load the metrics; of many files, from a database in the cache, with the ledger of tensors and what takes long.

    Args:
        connection: With all views.
        fitted: Files of metrics.
        spectra: Files of spectra.
        tables: Script that makes their tables.
        depends: What else the rows and views depend on; None where they will soon change, and are not worth keeping.

    Returns:
        Columns of the ledger that the database lacks, the lists of numbers; empty where there is no database.

    Raises:
        AnalysisError: A file of metrics cannot be read.
    """
    many = depends is not None and len(fitted) >= FEWEST
    kept = kept_at([*fitted, *spectra], depends or b"", ".duckdb") if many else None
    if kept is not None and attach_kept(
        connection, kept, lambda making: _keep_rows(making, tables, fitted, spectra), lambda: _keep_rest(connection)
    ):
        read_ledger(connection, alone=False)
        for view in WORKED_OUT:
            connection.execute(f"CREATE OR REPLACE VIEW stored.{view} AS FROM opened.{view}")
        return frozenset(_lists(connection))
    _read_from(connection, "stored.layers", "stored_spectra")
    insert_files(connection, "stored.layers", fitted)
    return frozenset()


def worked_out(connection: duckdb.DuckDBPyConnection, view: str) -> pa.Table:
    """All rows of a view of the schema `stored`; of `averages` over many rows, some columns at a time."""
    ((rows,),) = connection.execute("SELECT count(*) FROM stored.matrices").fetchall()
    if view != "averages" or rows < FEW:
        return select(connection, f"FROM stored.{view}")
    names = _schema(connection, "stored.averages").names
    metrics = [name.removesuffix("_mean") for name in names if name.endswith("_mean")]
    averages = [f"{metric}_{average}" for metric in metrics for average in ("mean", "median", "se")]
    columns: dict[str, pa.ChunkedArray] = {}
    for some in (
        [name for name in names if name not in averages],
        *(averages[start : start + TOGETHER] for start in range(0, len(averages), TOGETHER)),
    ):
        part = select(connection, f"SELECT {', '.join(some)} FROM stored.averages ORDER BY model")
        columns |= zip(part.column_names, part.columns, strict=True)
    return pa.table({name: columns[name] for name in names})


def read_ledger(connection: duckdb.DuckDBPyConnection, *, alone: bool) -> None:
    """Take the rows of the view `spectra` from the ledger in the cache, without lists of numbers, or from the files."""
    ledger = "stored.spectra UNION ALL BY NAME FROM opened.ledger"  # of the two, the first has all columns and no rows
    _read_from(connection, "opened.stored.layers", ledger if alone else "stored_spectra")


def load(connection: duckdb.DuckDBPyConnection, statement: str, incoming: pa.Table | ds.Dataset) -> None:
    """Execute a statement in which `incoming` is a table of Arrow."""
    connection.register("incoming", incoming)
    connection.execute(statement)
    connection.unregister("incoming")


def _keep_rows(making: duckdb.DuckDBPyConnection, tables: str, fitted: Sequence[Path], spectra: Sequence[Path]) -> None:
    making.execute(tables)
    insert_files(making, "stored.layers", fitted)
    schema = _schema(making, "stored.spectra")
    large = {"model", "file", *_lists(making)}  # the view takes the first two from the catalog
    ledger = pa.schema([field for field in schema if field.name not in large])
    load(making, "CREATE TABLE ledger AS FROM incoming", ledger.empty_table())
    for some in lots(spectra):
        load(making, "INSERT INTO ledger FROM incoming", lazy_parquet(some, ledger))


def _keep_rest(connection: duckdb.DuckDBPyConnection) -> None:
    read_ledger(connection, alone=True)
    for view in WORKED_OUT:
        load(connection, f"CREATE TABLE opened.{view} AS FROM incoming", worked_out(connection, view))


def _lists(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The columns of spectra that are large. A shape is a list too, but short."""
    schema = _schema(connection, "stored.spectra")
    return [field.name for field in schema if pa.types.is_list(field.type) and field.name != "shape"]


def _read_from(connection: duckdb.DuckDBPyConnection, matrices: str, tensors: str) -> None:
    connection.execute(f"CREATE OR REPLACE VIEW stored.matrices AS FROM {matrices}")
    connection.execute(f"CREATE OR REPLACE VIEW stored.tensors AS FROM {tensors}")


def _schema(connection: duckdb.DuckDBPyConnection, table: str) -> pa.Schema:
    return connection.sql(f"FROM {table} LIMIT 0").to_arrow_table().schema
