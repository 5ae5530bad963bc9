"""What a run did, on what, how long and how much, from its tries."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import open_results
from pipeline.store.records import ATTEMPTS_SCHEMA, AttemptRow, table_of
from setol_zoo.cli.run_record import cause_lines, causes, record_lines, run_line, run_record
from tests.analysis.synthetic import Synthetic, one_layer, sha, weight_file
from tests.cli.test_commands import setol

RUN = "20260101T000000-abc123"


@pytest.fixture
def folder(tmp_path: Path) -> Synthetic:
    """A run on two machines: a in two tries, b and c in one each, b without success."""
    made = Synthetic(tmp_path / "r")
    made.plan()
    a, b, c = (weight_file(name, sha(letter)) for name, letter in zip("abc", "123", strict=True))
    made.describe([a, b, c])
    for content in (sha("1"), sha("3")):
        made.publish(content, one_layer(3.0))
    common = {"run": RUN, "cores": 4, "bytes": 1_000_000}
    lost = {"outcome": "failed", "error_type": "LostWorker", "error": "killed", "transient": True}
    broken = {"outcome": "failed", "error_type": "CheckpointError", "transient": False}
    at = "2026-01-01T00:00:{:02}+00:00".format
    made.attempt(a, started=at(0), seconds=4.0, try_number=1, **common, **lost)
    done = {"seconds_fetch": 2.0, "seconds_wait": 1.0, "seconds_spectra": 5.0, "seconds_metrics": 2.0}
    made.attempt(
        a,
        **{"started": at(4), "seconds": 10.0, "try_number": 2, "device_name": "Chip", **done, **common},
        **{"bytes_fetched": 900_000, "bytes_spectra": 5_000, "peak_rss_anon": 3_000_000},
    )
    made.attempt(b, started=at(2), seconds=1.0, error=f"{b.model}: no such repository", **common, **broken)
    made.attempt(c, started=at(3), seconds=7.0, node="n1", peak_rss_anon=7_000_000, **common)
    made.attempt(c, started=at(50))  # of a time when runs had no names
    return made


def test_a_row_a_run(folder: Synthetic):
    opened = open_results(folder.root)
    (row,) = opened.rows("FROM runs")
    assert {name: row[name] for name in ("run", "seconds", "started", "ended")} == {
        **{"run": RUN, "seconds": 14.0, "started": "2026-01-01T00:00:00+00:00"},
        "ended": "2026-01-01T00:00:14.000000+00:00",
    }
    counts = ("n_files", "n_done", "n_failed", "n_tries", "hosts", "nodes", "cores", "most_at_once")
    assert [row[name] for name in counts] == [3, 2, 1, 4, 1, 1, 4, 2]  # b ends as c begins
    assert (row["seconds_fetch"], row["seconds_lost"], row["core_seconds"]) == (2.0, 5.0, 7.0)
    assert row["core_hours"] == pytest.approx(4 * 14 / 3600)
    assert (row["bytes"], row["bytes_fetched"], row["bytes_spectra"]) == (4_000_000, 900_000, 5_000)
    assert row["peak_rss_anon"] == 7_000_000
    assert run_record(opened, RUN) == row
    assert run_record(opened, "another") is None


def test_a_line_of_a_run_of_which_little_is_known(tmp_path):
    """All tries were lost with their workers: no stage was timed, and nothing was fetched."""
    made = Synthetic(tmp_path / "r")
    made.plan()
    file = weight_file("a", sha("1"))
    made.describe([file])
    lost = {"outcome": "failed", "error_type": "LostWorker", "error": "killed", "transient": True}
    made.attempt(file, run=RUN, cores=4, started="2026-01-01T00:00:00+00:00", seconds=3.0, **lost)
    assert run_line(open_results(made.root), RUN) == "3.0 s on 4 cores"


def test_in_words(folder: Synthetic):
    opened = open_results(folder.root)
    assert run_line(opened, RUN) == (
        "14 s on 4 cores: fetching 20 %, waiting 10 %, computing 70 %; "
        "900 kB fetched, 5.0 kB of spectra, at most 7.0 MB of memory"
    )
    assert run_line(opened, None) is None
    assert record_lines(opened, price=90.0) == [
        "last run  2026-01-01 00:00 UTC, 14 s, setol-zoo 0.1.0",
        "did       3 weight files in 4 tries, 1 failed",
        "on        4 cores, Chip, 2 at a time",
        "time      fetching 20 %, waiting 10 %, computing 70 %; 7.0 s of a core; 5.0 s lost to failures",
        "price     1.40 for 0.02 core-hours at 90",
        "bytes     900 kB fetched, 5.0 kB of spectra, at most 7.0 MB of memory",
        "slowest   a 10 s, c 7.0 s, b 1.0 s",
    ]


def test_a_folder_without_runs_has_none(rich_unchanged: Path):
    opened = open_results(rich_unchanged)
    assert (opened.rows("FROM runs"), record_lines(opened)) == ([], [])


def test_status_tells_the_last_run_and_all_as_json(folder: Synthetic):
    shown = setol("status", "--results", folder.root)
    assert "\nlast run  2026-01-01 00:00 UTC, 14 s" in shown.stdout
    told = json.loads(setol("status", "--results", folder.root, "--json").stdout)
    assert [row["run"] for row in told["runs"]] == [RUN]
    assert told["causes"] == [
        {"error": "…: no such repository", "error_type": "CheckpointError", "transient": False, "models": ["path:b"]}
    ]


def test_many_failures_are_told_by_their_causes(tmp_path: Path):
    folder = Synthetic(tmp_path / "r")
    folder.plan()
    files = [weight_file(f"net{i}", None) for i in range(30)]
    folder.describe(files)
    for i, file in enumerate(files):
        error = f"{file.model}: no such repository" if i % 10 else "connection failed"
        folder.attempt(file, outcome="failed", error_type="E", error=error, transient=i % 10 == 0, run=RUN)
    assert cause_lines(causes(open_results(folder.root))) == [
        "27 weight files (path:net1, path:net11, path:net12, ...): …: no such repository",
        "3 weight files (path:net0, path:net10, path:net20): connection failed",
    ]
    lines = setol("status", "--results", folder.root).stdout.splitlines()
    assert sum("no such repository" in line for line in lines) == 1


def test_rows_logged_before_there_were_runs_are_read(rich: Path):
    """Files of the log without the newer columns, beside those that have them."""
    newer = ("run", "try_number", "node", "cores", "seconds", "seconds_wait", "bytes_fetched", "bytes_spectra")
    row = AttemptRow(
        **{"unit": "u", "model": "path:a", "file": "f", "weights_sha256": sha("a"), "config": "c0ffee000001"},
        **{"host": "old", "device": "cpu", "threads": 1, "started": "2025-01-01", "outcome": "done"},
        code_version="0.0.1",
    )
    old = table_of([row], ATTEMPTS_SCHEMA).select([name for name in ATTEMPTS_SCHEMA.names if name not in newer])
    assert isinstance(old, pa.Table) and len(old.column_names) == len(ATTEMPTS_SCHEMA) - len(newer)
    pq.write_table(old, rich / "attempts" / "0123456789abcdef.parquet")
    rows = open_results(rich).rows("FROM attempts WHERE host = 'old'")
    assert [(each["code_version"], *(each[name] for name in newer)) for each in rows] == [("0.0.1", *[None] * 8)]
