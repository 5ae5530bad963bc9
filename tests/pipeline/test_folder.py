"""Files are put in place whole, and what is there is known."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import FolderError
from pipeline.folder import STALE_SECONDS, ResultsFolder, write_bytes, write_table
from pipeline.records import ATTEMPTS_SCHEMA, AttemptRow, table_of


def attempt(unit: str, outcome: str, started: str, *, transient: bool | None = None) -> AttemptRow:
    return AttemptRow(
        unit=unit,
        model="path:m",
        file="m",
        weights_sha256=None,
        config="c",
        host="h",
        device="cpu",
        threads=1,
        started=started,
        outcome=outcome,
        transient=transient,
        code_version="0",
    )


@pytest.fixture
def folder(tmp_path):
    found = ResultsFolder(tmp_path / "results")
    found.prepare()
    return found


def test_the_same_rows_give_the_same_bytes(tmp_path):
    table = table_of([attempt("a", "done", "1")], ATTEMPTS_SCHEMA)
    write_table(table, tmp_path / "1.parquet")
    write_table(table, tmp_path / "2.parquet")
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert pq.read_table(tmp_path / "1.parquet").equals(table)


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    write_bytes(b"old", tmp_path / "file")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(b"new", tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FolderError, match=r"cannot write results to .*file: .*Choose another folder with --results"):
        ResultsFolder(tmp_path / "file").prepare()


def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    root = Path("/proc") if os.geteuid() == 0 else tmp_path  # root may write anywhere but there
    with pytest.raises(FolderError, match=r"cannot write results to .*Choose another folder"):
        ResultsFolder(root / "results").prepare()


def test_left_overs_are_cleared_once_they_are_old(folder):
    old, new = folder.root / "layers" / "v1" / ".a.parquet.1.tmp", folder.root / ".b.2.tmp"
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 2 * STALE_SECONDS,) * 2)
    folder.prepare()
    assert not old.exists()
    assert new.exists()  # another run may be writing it


def test_unfinished_files_do_not_count(folder):
    (folder.root / "layers" / "v1" / ".abc.parquet.1.tmp").touch()
    (folder.root / "layers" / "v1" / "def.parquet").touch()
    assert folder.finished() == {"def"}


def test_only_a_last_permanent_failure_counts(folder):
    for row in (
        attempt("mended", "failed", "1", transient=False),
        attempt("mended", "done", "2"),
        attempt("network", "failed", "1", transient=True),
        attempt("broken", "done", "1"),
        attempt("broken", "failed", "2", transient=False),
    ):
        folder.record(row)
    assert folder.permanently_failed() == {"broken"}


def test_merging_replaces_the_rows_of_the_same_models(folder):
    schema = pa.schema([("model", pa.string()), ("n", pa.int64())])

    def rows(*pairs: tuple[str, int]) -> pa.Table:
        return pa.Table.from_pylist([{"model": model, "n": n} for model, n in pairs], schema=schema)

    folder.merge("catalog", rows(("a", 1), ("a", 2), ("b", 3)), {"a", "b"})
    folder.merge("catalog", rows(("a", 9)), {"a"})
    assert pq.read_table(folder.root / "catalog.parquet").to_pylist() == [
        {"model": "b", "n": 3},
        {"model": "a", "n": 9},
    ]


def test_several_threads_may_merge_at_once(folder):
    schema = pa.schema([("model", pa.string())])

    def add(number: int) -> None:
        folder.merge("catalog", pa.table({"model": [f"m{number}"]}, schema=schema), {f"m{number}"})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    found = pq.read_table(folder.root / "catalog.parquet")["model"].to_pylist()
    assert sorted(found) == sorted(f"m{number}" for number in range(20))
