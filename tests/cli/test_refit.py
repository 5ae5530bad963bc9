"""`setol refit` as it is typed: without weights and network, interrupted, in the wrong place."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.test_commands import setol
from tests.pipeline.test_refit import workers_of
from tests.random_models import write_models

COUNT = 4


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Path:
    """Results of four models whose files are gone, with spectra of permuted entries; `weights` has copies of them."""
    home = tmp_path_factory.mktemp("zoo")
    models = write_models(home, COUNT, layers=2, size=120, seed=5)
    done = setol("run", *models, "--permutations", 1, "--results", home / "results", "--executor", "serial")
    assert done.exit_code == 0, done.output
    (home / "weights").mkdir()
    for path in models:
        path.rename(home / "weights" / path.name)
    return home


@pytest.fixture
def results(zoo, tmp_path, monkeypatch) -> Path:
    """A copy of the results, and no way to any weights."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "empty"))
    return Path(shutil.copytree(zoo / "results", tmp_path / "r"))


def test_it_prints_the_models_the_configuration_and_the_next_command(results):
    run = setol("refit", "--results", results, "--min-evals", 60, "--cpus", 1)
    assert run.exit_code == 0, run.output
    *table, others, counts, last = run.stdout.splitlines()
    assert [line.split()[:4] for line in table[1:]] == [[f"m{i}", "done", "2", "2"] for i in range(COUNT)]
    config = others.split()[1].strip(";")
    assert others == f"configuration {config}; 1 more here, see --config"
    assert counts == f"configuration {config}: 4 weight files computed, 0 there already, 0 without spectra or failed"
    assert last == f"next: setol report --results {results}"
    assert not (results.parent / "empty").exists()
    again = setol("refit", "--results", results, "--min-evals", 60, "--cpus", 1)
    assert "0 weight files computed, 4 there already, 0 without" in again.stdout


def test_status_and_config_show_each_configuration(results):
    configs = {}
    for least in (60, 121):
        summary = json.loads(setol("refit", "--results", results, "--min-evals", least, "--cpus", 1, "--json").stdout)
        assert (summary["computed"], summary["reused"], summary["failures"]) == (COUNT, 0, [])
        configs[least] = summary["config"]
    for least, fitted in ((60, 2), (121, 0)):
        query = "SELECT n_ok, count(*) AS n FROM models GROUP BY n_ok"
        shown = json.loads(setol("sql", query, "--results", results, "--config", configs[least], "--json").stdout)
        assert shown == [{"n_ok": fitted, "n": COUNT}]
        status = setol("status", "--results", results, "--config", configs[least])
        assert f"configuration {configs[least]}; 2 more here, see --config" in status.stdout


def test_the_command_that_it_names_makes_what_it_needs(zoo, results):
    run = setol("refit", "--results", results, "--windows", "--preset", "natcomm2021")
    assert (run.exit_code, run.stdout) == (2, "")
    assert run.stderr.startswith(f"Error: no weight file in {results} has spectra with precision float64, windows True")
    words = shlex.split(run.stderr.split("`")[1])
    assert words[:2] == ["setol", "run"]
    assert [*words[-3:-2], words[-1]] == ["--windows", str(results)]
    for path in (zoo / "weights").iterdir():
        shutil.copy(path, zoo / path.name)
    try:
        made = setol(*words[1:], "--executor", "serial")
    finally:
        for path in zoo.glob("*.safetensors"):
            path.unlink()
    assert made.exit_code == 0, made.output
    assert setol("refit", "--results", results, "--windows", "--min-evals", 40, "--cpus", 1).exit_code == 0


def test_models_that_lack_spectra_are_named_with_the_command(results):
    (path, *_) = sorted((results / "spectra" / "v1").iterdir())
    path.unlink()
    run = setol("refit", "--results", results, "--detail", "full", "--cpus", 1)
    assert run.exit_code == 1
    (told,) = (line for line in run.stdout.splitlines() if "they need the weights" in line)
    assert told.startswith("path:")
    assert f"made by `setol run path:{told.partition(':')[2].partition(':')[0]} --permutations 1 --results" in told
    assert "3 weight files computed, 0 there already, 1 without spectra or failed" in run.stdout
    config = run.stdout.split("configuration ")[1][:12]
    assert run.stdout.splitlines()[-1] == f"next: setol status --results {results} --config {config}"
    status = setol("status", "--results", results, "--config", config)
    assert status.stdout.splitlines()[-1].endswith(f"--detail full --permutations 1 --results {results}")


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_folder_without_results(tmp_path, make):
    folder = tmp_path / "no results"
    make(folder)
    before = sorted(tmp_path.rglob("*"))
    run = setol("refit", "--results", folder)
    assert run.exit_code == 2
    told = f"{folder} holds no results to refit. Name a folder that `setol run` has filled, or fill this one: setol "
    assert told in run.stderr
    assert sorted(tmp_path.rglob("*")) == before
    status = setol("status", "--results", folder)
    for stderr in (run.stderr, status.stderr):
        command = shlex.split(stderr.strip().split("fill this one: ")[1])
        assert command == ["setol", "run", "--catalog", "demo", "--results", str(folder)]
    assert setol(*command[1:], "--dry-run").exit_code == 0


def test_a_folder_of_other_things_is_not_to_be_filled(tmp_path):
    (tmp_path / "thesis.tex").touch()
    for command in ("refit", "status"):
        run = setol(command, "--results", tmp_path)
        assert run.exit_code == 2
        assert run.stderr.strip().endswith(" Name a folder that `setol run` has filled.")


def test_what_failed_for_good_has_no_spectra_in_any_configuration(tmp_path):
    (good,) = write_models(tmp_path, 1, layers=1, size=60, seed=5)
    bad, page = tmp_path / "empty.safetensors", tmp_path / "page.safetensors"
    bad.touch()
    page.write_text("<!DOCTYPE html><title>Not found</title>")
    folder = tmp_path / "r"
    ran = setol("run", good, bad, page, "--results", folder, "--executor", "serial", "--json")
    run = setol("refit", "--results", folder, "--min-evals", 20, "--cpus", 1)
    assert run.exit_code == 1
    lines = run.stdout.splitlines()
    assert f"path:{bad}: failed for good, so it has no spectra: damaged safetensors file empty" in run.stdout
    assert not any("`setol run" in line for line in lines)
    assert lines[-1] == f"next: setol status --results {folder}"  # complete, so it is the default
    config = lines[-2].split("configuration ")[1][:12]
    assert config != json.loads(ran.stdout)["config"]
    status = json.loads(setol("status", "--results", folder, "--json").stdout)
    assert status["config"] == config
    assert [row["status"] for row in status["models"]] == ["done", "failed", "failed"]
    assert {row["error_type"] for row in status["failures"]} == {"CheckpointError"}
    assert setol("status", "--results", folder).stdout.splitlines()[-1] == f"next: setol report --results {folder}"
    alone = setol("run", bad, "--results", tmp_path / "alone", "--executor", "serial")
    assert alone.exit_code == 1
    none = setol("refit", "--results", tmp_path / "alone", "--min-evals", 20)
    assert none.exit_code == 2
    assert none.stderr.endswith(" has spectra with precision float64: all failed for good.\n")


def test_options_that_do_not_exist_or_are_out_of_range(results):
    for arguments, message in (
        (("--preset", "natcom"), "unknown preset 'natcom'; nearest: natcomm2021"),
        (("--min-evals", 1), "min_evals must be at least 2"),
        (("--detail", "ful"), "'ful' is not one of 'basic', 'standard', 'full'"),
        (("--bootstrap", -1), "-1 is not in the range x>=0"),
    ):
        run = setol("refit", "--results", results, *arguments)
        assert run.exit_code == 2
        assert message in run.stderr
    assert len(list((results / "options").iterdir())) == 1


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the processes through /proc")
def test_an_interrupt_leaves_nothing_half_done_and_no_process(results):
    options = ("--results", results, "--bootstrap", 300, "--cpus", 1)
    command = [sys.executable, "-m", "setol_zoo.cli", "refit", *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "[1/4]" in line:
                break
        (worker,) = workers_of(process.pid)
        assert os.getpgid(worker) != os.getpgid(process.pid)  # Ctrl-C on a terminal reaches the command alone
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted: nothing half-done is left, and the same command goes on"
    assert "Traceback" not in errors
    assert not Path(f"/proc/{worker}").exists()
    assert not list(results.rglob(".*.tmp"))
    written = list((results / "layers" / "v1").iterdir())
    assert all(pq.read_table(path).num_rows == 2 for path in written)
    done = len(written) - COUNT
    assert 1 <= done < COUNT
    again = setol("refit", *options)
    assert again.exit_code == 0, again.output
    assert f"{COUNT - done} weight files computed, {done} there already" in again.stdout.replace(
        "1 weight file c", "1 weight files c"
    )
