"""The log of a run: one JSON object a line, no secret in it."""

import json
from pathlib import Path

import pytest

from catalogs.paths import catalog_of_paths
from catalogs.places import cache_directory
from pipeline.drive import RunRequest, drive
from pipeline.errors import FolderError
from pipeline.execution.events import event, listening, logging_to, new_run_id
from pipeline.options import Options
from pipeline.store.folder import ResultsFolder
from tests.conftest import Silent, run_here
from tests.random_models import write_models


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_run_tells_its_start_its_units_and_its_end(tmp_path):
    good, bad = write_models(tmp_path, 2, layers=1, size=60, seed=5)
    bad.write_bytes(b"\x10")
    log = tmp_path / "logs" / "run.jsonl"
    catalog = catalog_of_paths([str(good), str(bad), str(tmp_path / "gone.pt")])
    with logging_to(log):
        summary = run_here(catalog, tmp_path / "r")
    told = lines(log)
    assert [each["event"] for each in told] == [
        *("run_started", "run_planned", "unit_failed", "unit_finished", "unit_failed", "run_ended")
    ]
    started, planned, gone, finished, failed, ended = told
    assert started["run"] == ended["run"] == summary.run
    assert started["options"]["metrics"]["kernels"] == "pooled"
    assert len(started["code_version"]) == 12
    assert (planned["to_do"], planned["unidentified"]) == (2, 1)
    assert (gone["model"], gone["error"][:12]) == (f"path:{tmp_path / 'gone.pt'}", "no such file")
    assert finished["model"] == f"path:{good}"
    assert finished["seconds"] >= finished["seconds_spectra"] > 0
    assert (failed["outcome"], failed["transient"], failed["model"]) == ("failed", False, f"path:{bad}")
    assert (ended["how"], ended["done"], ended["failed"]) == ("finished", 1, 2)
    assert [each["time"] for each in told] == sorted(each["time"] for each in told)


def test_a_run_that_is_interrupted_says_so(tmp_path):
    models = write_models(tmp_path, 1, layers=1, size=60, seed=5)

    def interrupted(units, job):
        yield from ()
        raise KeyboardInterrupt("typed")

    log = tmp_path / "run.jsonl"
    catalog = catalog_of_paths(list(map(str, models)))
    request = RunRequest(catalog, ResultsFolder(tmp_path / "r"), cache_directory(), Options(), "cpu")
    with logging_to(log), pytest.raises(KeyboardInterrupt, match="typed"):
        drive(request, interrupted, Silent())
    assert lines(log)[-1] | {"time": 0, "run": 0, "seconds": 0} == {
        **{"time": 0, "event": "run_ended", "run": 0},
        **{"how": "KeyboardInterrupt", "done": 0, "failed": 0, "seconds": 0},
    }


def test_a_second_run_is_appended(tmp_path):
    for _ in range(2):
        with logging_to(tmp_path / "run.jsonl"):
            event("run_started", run="a")
    event("run_started", run="b")  # nobody listens
    assert len(lines(tmp_path / "run.jsonl")) == 2


def test_secrets_of_the_environment_and_of_addresses_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijk")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", 'with "quotes" and \\ in it')
    monkeypatch.setenv("SOME_TOKEN", "short")  # would be found inside words
    with logging_to(tmp_path / "run.jsonl"):
        event("unit_failed", error='hf_abcdefghijk, with "quotes" and \\ in it, short; s3://me:mine@bucket/run')
    text = (tmp_path / "run.jsonl").read_text()
    assert "abcdefg" not in text and "quotes" not in text and "mine" not in text
    assert lines(tmp_path / "run.jsonl")[0]["error"] == "***, ***, short; s3://***@bucket/run"


def test_listeners_hear_what_happens_while_they_listen():
    heard = []
    with listening(lambda name, fields: heard.append((name, fields))):
        event("capacity", nodes=2, slots=8)
    event("capacity", nodes=3, slots=12)
    assert heard == [("capacity", {"nodes": 2, "slots": 8})]


def test_a_log_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    told = r"cannot write the log .*file/run.jsonl.*Choose another --log"
    with pytest.raises(FolderError, match=told), logging_to(tmp_path / "file" / "run.jsonl"):
        pass


def test_runs_are_named_apart_and_sort_by_time():
    names = [new_run_id() for _ in range(100)]
    assert len(set(names)) == 100
    assert sorted(names)[0][:8] == names[0][:8]
