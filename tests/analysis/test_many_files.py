"""Many files in one table: whatever columns they have, and wherever they lie."""

import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.errors import AnalysisError
from analysis.opening import many_files, packs
from analysis.opening.many_files import insert_files


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


@pytest.fixture
def many(tmp_path, monkeypatch) -> list[Path]:
    """As many files as are worth keeping together, with a cache of their own."""
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packs, "FEWEST", 6)
    return written(tmp_path / "files", [{"a": i, "b": str(i)} for i in range(6)])


def numbers(connection) -> list[int]:
    found = [a for (a,) in connection.sql("SELECT a FROM t").fetchall()]
    connection.execute("DELETE FROM t")
    return found


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "opened").iterdir())


def test_many_files_are_read_once_and_kept(connection, many, tmp_path, monkeypatch):
    insert_files(connection, "t", many)
    assert numbers(connection) == list(range(6)) and len(kept(tmp_path)) == 1
    monkeypatch.setattr(many_files, "_insert", lambda *_, **__: pytest.fail("a file was read again"))
    insert_files(connection, "t", many)
    assert numbers(connection) == list(range(6))


def test_what_is_kept_is_not_taken_for_other_files(connection, many, tmp_path):
    insert_files(connection, "t", many)
    numbers(connection)
    pq.write_table(pa.table({"a": [70, 71], "b": ["x", "y"]}), many[0])
    insert_files(connection, "t", many)
    assert numbers(connection) == [70, 71, 1, 2, 3, 4, 5] and len(kept(tmp_path)) == 2
    insert_files(connection, "t", many[::-1])
    assert numbers(connection) == [5, 4, 3, 2, 1, 70, 71] and len(kept(tmp_path)) == 3


def test_a_cache_that_is_damaged_or_cannot_be_written_costs_time_alone(connection, many, tmp_path, monkeypatch):
    insert_files(connection, "t", many)
    numbers(connection)
    (pack,) = kept(tmp_path)
    pack.write_bytes(pack.read_bytes()[:-9])
    insert_files(connection, "t", many)
    assert numbers(connection) == list(range(6))
    (tmp_path / "file").touch()
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "file"))
    insert_files(connection, "t", many)
    assert numbers(connection) == list(range(6))


def test_what_was_not_used_for_longest_makes_room(connection, many, tmp_path, monkeypatch):
    insert_files(connection, "t", many)
    (first,) = kept(tmp_path)
    os.utime(first, (1, 1))
    monkeypatch.setattr(packs, "ROOM", first.stat().st_size + 10)
    insert_files(connection, "t", many[::-1])
    assert len(kept(tmp_path)) == 1 and not first.exists()
