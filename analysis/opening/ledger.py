"""Which columns of the files of spectra a query reads: what needs no spectrum is asked of the ledger in the cache."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import duckdb

from analysis.opening.guard import check_one_select


def reads(connection: duckdb.DuckDBPyConnection, query: str, columns: Collection[str]) -> bool:
    """Whether a query reads some columns of the files of spectra, by DuckDB's own plan of it.

    Args:
        connection: Its view `spectra` reads the files.
        query: What somebody asks.
        columns: The columns.

    Returns:
        True too where the plan does not say what is read.

    Raises:
        AnalysisError: It is not one SELECT.
    """
    check_one_select(connection, query)
    connection.execute("BEGIN TRANSACTION READ ONLY")
    try:
        ((_, plan),) = connection.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()
        return any(_may_read(scan, columns) for step in json.loads(plan) for scan in _scans(step))
    except (duckdb.Error, ValueError):
        return True
    finally:
        connection.execute("ROLLBACK")


def _scans(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The steps of a plan, from this one down, that read tables of Arrow."""
    own = [step["extra_info"]] if "ARROW" in step["name"] else []
    return own + [scan for child in step["children"] for scan in _scans(child)]


def _may_read(scan: Mapping[str, Any], columns: Collection[str]) -> bool:
    named = set(re.findall(r"\w+", json.dumps(scan)))  # in the columns taken, and in the filters
    return "Projections" not in scan or not named.isdisjoint(columns)
