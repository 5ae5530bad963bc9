"""Files are put in place whole, and what is there is known."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogs.journal import entry_of, replayed
from pipeline.errors import FolderError
from pipeline.store.folder import ResultsFolder
from pipeline.store.parquet import parquet_of
from pipeline.store.records import ATTEMPTS_SCHEMA, AttemptRow, table_of
from pipeline.store.storage import STALE_SECONDS, temporary, write_bytes


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
    place, chance = folder.root / "layers" / "v1", "0123456789abcdef" * 2
    old = [place / f".a.parquet.{chance}.tmp", temporary(place / "b.parquet"), folder.root / f".probe.{chance}.tmp"]
    new = temporary(place / "a.parquet")
    (place / "mine").mkdir()
    others = [place / ".a.parquet.1.tmp", place / "mine" / old[0].name, folder.root / ".notes.tmp"]
    others += [place / f".{chance}", place / f"a.parquet.{chance}.tmp", folder.root.parent / old[0].name]
    for path in (*old, new, *others):
        path.touch()
        if path != new:
            os.utime(path, (time.time() - 2 * STALE_SECONDS,) * 2)
    folder.prepare()
    assert not [path for path in old if path.exists()]
    assert new.exists()  # another run may be writing it
    assert all(path.exists() for path in others)  # of somebody else


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


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "it has 0 bytes"),
        (b"PAR1" + bytes(20), "its end is not that of a Parquet file"),
        (bytes(20) + b"PAR1", "its beginning is not that of a Parquet file"),
        (b"PAR1" + (99).to_bytes(4, "little") + b"PAR1", "it is shorter than what stands at its end"),
        (b"PAR1" + bytes(4) + b"PAR1", None),
    ],
)
@pytest.mark.parametrize("stage", ["attempts", "spectra/v1", "layers/v1"])
def test_damage_is_told_by_the_ends_of_a_file(folder, stage, content, error):
    folder.record(attempt("a", "done", "1"))
    path = folder.root / stage / "b.parquet"
    path.write_bytes(content)
    assert [(each.path, each.error) for each in folder.damaged()] == ([(path, error)] if error else [])


def test_a_file_of_the_log_is_small_and_says_all(folder):
    row = replace(attempt("a", "failed", "1", transient=False), error="no such tensor", seconds=1.5, try_number=2)
    folder.record(row)
    (path,) = (folder.root / "attempts").iterdir()
    assert path.stat().st_size < 5000
    assert pq.read_table(path).equals(table_of([row], ATTEMPTS_SCHEMA))
    assert folder.failures()[0] == {name: getattr(row, name) for name in row.__slots__}
