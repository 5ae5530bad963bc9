"""Files are put in place whole, and what is there is known."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogs.journal import entry_of, replayed
from pipeline.errors import FolderError
from pipeline.folder import ResultsFolder
from pipeline.parquet import parquet_of
from pipeline.records import ATTEMPTS_SCHEMA, AttemptRow, table_of
from pipeline.storage import STALE_SECONDS, write_bytes


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


SCHEMA = pa.schema([("model", pa.string()), ("n", pa.int64())])


def rows(*pairs: tuple[str, int]) -> pa.Table:
    return pa.Table.from_pylist([{"model": model, "n": n} for model, n in pairs], schema=SCHEMA)


def journal(folder: ResultsFolder) -> list[tuple[str, int]]:
    """What the journal of scores says by now, read as the files lie there."""
    paths = [*folder.root.glob("scores.parquet"), *sorted((folder.root / "scores").glob("*.parquet"))]
    table = replayed([entry_of(path, SCHEMA) for path in paths], SCHEMA)
    return [(row["model"], row["n"]) for row in table.to_pylist()]


@pytest.fixture
def folder(tmp_path):
    found = ResultsFolder(tmp_path / "results")
    found.prepare()
    return found


def test_the_same_rows_give_the_same_bytes(tmp_path):
    table = table_of([attempt("a", "done", "1")], ATTEMPTS_SCHEMA)
    assert parquet_of(table) == parquet_of(table)
    assert pq.read_table(pa.BufferReader(parquet_of(table))).equals(table)


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
    folder.merge("scores", rows(("a", 1), ("a", 2), ("b", 3)), {"a", "b"})
    folder.merge("scores", rows(("a", 9)), {"a"})
    assert journal(folder) == [("b", 3), ("a", 9)]
    folder.merge("scores", rows(), {"b"})  # nothing is known of it any more
    assert journal(folder) == [("a", 9)]


def test_what_says_nothing_new_is_not_written(folder):
    for _ in range(2):
        folder.merge("scores", rows(("a", 1), ("b", 3)), {"a", "b"})
        folder.merge("scores", rows(("b", 3)), {"b", "c"})
    assert len(list((folder.root / "scores").iterdir())) == 1


def test_a_later_entry_sorts_behind_one_of_a_clock_that_is_ahead(folder):
    folder.merge("scores", rows(("a", 1)), {"a"})
    (first,) = (folder.root / "scores").iterdir()
    first.rename(first.with_name(f"29991231T235959999998{first.name[21:]}"))
    folder.merge("scores", rows(("a", 2)), {"a"})
    assert journal(folder) == [("a", 2)]


def test_a_table_from_before_the_journal_is_its_oldest_entry(folder):
    pq.write_table(rows(("a", 1), ("b", 2)), folder.root / "scores.parquet")
    assert journal(folder) == [("a", 1), ("b", 2)]
    folder.merge("scores", rows(("a", 3)), {"a"})
    assert journal(folder) == [("b", 2), ("a", 3)]
    assert pq.read_table(folder.root / "scores.parquet").num_rows == 2  # left as it was


def test_logs_without_names_that_tell_are_read(folder):
    rows = [attempt("a", "failed", "1", transient=False), attempt("b", "failed", "1", transient=False)]
    for number, row in enumerate(rows):
        write_bytes(parquet_of(table_of([row], ATTEMPTS_SCHEMA)), folder.root / "attempts" / f"{number:032x}.parquet")
    folder.record(attempt("b", "done", "2"))
    assert folder.permanently_failed() == {"a"}


def test_several_threads_may_merge_at_once(folder):

    def add(number: int) -> None:
        folder.merge("scores", rows((f"m{number}", number)), {f"m{number}"})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    assert sorted(journal(folder)) == sorted((f"m{number}", number) for number in range(20))
