"""Many files in one table: whatever columns they have, and wherever they lie."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import many_files
from analysis.errors import AnalysisError
from analysis.many_files import insert_files


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("CREATE TABLE t (a BIGINT, b VARCHAR, c DOUBLE[])")
    return made


def written(folder: Path, rows: list[dict]) -> list[Path]:
    """A file a row, with the columns that the row has."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:04}.parquet" for i in range(len(rows))]
    for path, row in zip(paths, rows, strict=True):
        pq.write_table(pa.Table.from_pylist([row]), path)
    return paths


ROWS = [{"a": 1}, {"b": "x", "a": 2, "c": [1.0, 2.0]}, {"a": 3, "b": "y"}]
EXPECTED = [(1, None, None), (2, "x", [1.0, 2.0]), (3, "y", None)]


@pytest.mark.parametrize("name", ["plain", "with [brackets]", "a=7/b=z", "what? * {x,y}", "quote ' in it"])
def test_columns_go_by_name_and_the_place_says_nothing(connection, tmp_path, name):
    insert_files(connection, "t", written(tmp_path / name, ROWS))
    assert connection.sql("FROM t").fetchall() == EXPECTED


def test_more_files_than_are_read_at_a_time_keep_their_order(connection, tmp_path, monkeypatch):
    monkeypatch.setattr(many_files, "AT_A_TIME", 3)
    paths = written(tmp_path, [{"a": i, "b": str(i)} for i in range(10)])
    insert_files(connection, "t", paths[::-1])
    assert connection.sql("SELECT a FROM t").fetchall() == [(i,) for i in range(9, -1, -1)]


def test_a_column_that_the_table_has_not_is_left_out(connection, tmp_path):
    insert_files(connection, "t", written(tmp_path, [*ROWS, {"a": 4, "newer": 1.5}]))
    assert connection.sql("FROM t").fetchall() == [*EXPECTED, (4, None, None)]


def test_a_damaged_file_is_named_and_nothing_of_its_lot_is_there(connection, tmp_path):
    paths = written(tmp_path, ROWS)
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    with pytest.raises(AnalysisError, match=r"0001\.parquet cannot be read"):
        insert_files(connection, "t", paths)
    assert connection.sql("FROM t").fetchall() == []


def test_no_files_are_no_rows(connection):
    insert_files(connection, "t", [])
    assert connection.sql("FROM t").fetchall() == []
