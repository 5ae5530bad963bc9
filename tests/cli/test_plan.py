"""`setol plan`: what it knows of files that are here, are not here, are done, are broken."""

import json
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from catalogs.places import cache_directory
from pipeline.planning.estimate import SECONDS_PER_MATRIX
from tests.cli.test_commands import setol

GENERATOR = torch.Generator().manual_seed(1)


@pytest.fixture
def zoo(tmp_path) -> Path:
    """Three models: safetensors, pickled, and damaged."""
    fc = torch.randn(30, 6, generator=GENERATOR)
    save_file({"fc.weight": fc, "fc.bias": torch.zeros(30)}, tmp_path / "safe.safetensors")
    torch.save({"conv.weight": torch.randn(8, 6, 3, 3, generator=GENERATOR)}, tmp_path / "pickled.pt")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10")
    (tmp_path / "own.csv").write_text(
        "model\npath:safe.safetensors\npath:pickled.pt\npath:cut.safetensors\npath:gone.pt\n"
    )
    return tmp_path


def plan_of(*arguments: object, status: int = 0) -> dict[str, dict]:
    run = setol("plan", *arguments, "--json")
    assert run.exit_code == status, run.output
    return {row["name"]: row for row in json.loads(run.stdout)["files"]}


def test_rows_by_hand(zoo):
    rows = plan_of("--catalog", zoo / "own.csv", "--results", zoo / "r", status=1)
    safe, pickled, cut, gone = (rows[name] for name in ("safe", "pickled", "cut", "gone"))
    assert (safe["to_do"], safe["pickle"], safe["note"]) == ("compute", False, None)
    assert safe["bytes"] == (zoo / "safe.safetensors").stat().st_size
    found = safe["estimate"]
    assert (found["n_tensors"], found["n_params"], found["matrices"]) == (2, 210, {"linear": 1})
    assert found["skipped"] == {"vector": 1}
    assert (found["gram_flops"], found["eigen_flops"]) == (30 * 36, 288)
    assert (found["largest"]["name"], found["largest"]["n_rows"], found["largest"]["n_cols"]) == ("fc", 30, 6)
    assert pickled["pickle"] is True
    assert pickled["estimate"]["gram_flops"] == 9 * 8 * 36
    assert (cut["estimate"], cut["to_do"]) == (None, "fails")
    assert cut["note"].startswith("damaged safetensors file")
    assert gone["to_do"] == "fails"
    assert gone["note"].startswith("no such file")
    assert not (zoo / "r").exists()


def test_the_table_and_its_sentences(zoo):
    run = setol("plan", "--catalog", zoo / "own.csv", "--results", zoo / "r")
    assert run.exit_code == 1
    out = run.stdout
    assert "1 linear" in out
    assert "skipped: 1 tensor, vector: Fewer than two axes" in out
    assert "1 pickled file had to be opened to see shapes, as weights alone" in out
    assert "\nError: cut: damaged safetensors file" in run.stderr
    assert "\nError: gone: no such file" in run.stderr
    assert "Error" not in out
    assert "4 weight files: 2 to do (4.4 kB), 2 cannot be had or read\n  compute  about" in out  # all of it here
    assert "unknown before download" not in out
    assert out.splitlines()[-1] == f"next: setol run --catalog {zoo / 'own.csv'} --results {zoo / 'r'}"


def test_what_is_there_is_nothing_to_do(zoo):
    arguments = (zoo / "safe.safetensors", "--results", zoo / "r")
    assert setol("run", *arguments, "--executor", "serial").exit_code == 0
    before = sorted(zoo.rglob("*"))
    assert plan_of(*arguments)["safe"]["to_do"] == "nothing"
    assert sorted(zoo.rglob("*")) == before  # a plan writes nothing


def test_only_metrics_are_missing(zoo):
    arguments = (zoo / "safe.safetensors", "--results", zoo / "r")
    assert setol("run", *arguments, "--executor", "serial").exit_code == 0
    computed = plan_of(*arguments)["safe"]["estimate"]
    (zoo / "safe.safetensors").touch()
    row = plan_of(*arguments, "--min-evals", 9)["safe"]
    assert (row["to_do"], row["fetch"], row["bytes"]) == ("refit", False, (zoo / "safe.safetensors").stat().st_size)
    found = row["estimate"]
    assert (found["gram_flops"], found["eigen_flops"], found["seconds"]) == (0, 0, SECONDS_PER_MATRIX)
    assert {key: found[key] for key in ("n_tensors", "n_params", "matrices", "skipped", "largest")} == {
        key: computed[key] for key in ("n_tensors", "n_params", "matrices", "skipped", "largest")
    }
    out = setol("plan", *arguments, "--min-evals", 9).stdout
    assert "1 weight file: 0 to do (0 B), 1 to refit from spectra that are there\n  compute  about" in out


def test_the_next_command_has_the_options_that_were_given(zoo):
    given = ("--catalog", zoo / "own.csv", "--limit", 2, "--preset", "weightwatcher", "--min-evals", 9, "--windows")
    given = (*given, "--no-vectors", "--retry-failed")
    run = setol("plan", "safe", "pickled", *given, "--results", zoo / "r")
    assert run.exit_code == 0
    head, *words = shlex.split(run.stdout.splitlines()[-1])
    assert (head, words[:4], words[-2:]) == (
        "next:",
        ["setol", "run", "safe", "pickled"],
        ["--results", str(zoo / "r")],
    )
    assert sorted(words[4:-2]) == sorted(map(str, given))
    assert setol("run", *words[2:], "--dry-run").stdout == run.stdout


def test_what_failed_is_held_back_until_asked_for(zoo):
    arguments = (zoo / "cut.safetensors", "--results", zoo / "r")
    assert setol("run", *arguments, "--executor", "serial").exit_code == 1
    assert plan_of(*arguments, status=1)["cut"]["to_do"] == "failed before"
    assert plan_of(*arguments, "--retry-failed", status=1)["cut"]["to_do"] == "fails"


def test_what_only_a_download_tells_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "empty"))
    assert cache_directory() == tmp_path / "empty"
    out = setol("plan", "--catalog", "demo", "--limit", 2, "--results", tmp_path / "r").stdout
    assert out.count("unknown before download") == 3  # two rows and the sum
    assert "2 files unknown before download: a wheel comes as a whole" in out
    (row,) = plan_of("--catalog", "demo", "--limit", 1, "--results", tmp_path / "r").values()
    assert (row["estimate"], row["to_do"], row["fetch"]) == (None, "compute", True)
    assert row["note"] == "unknown before download: a wheel comes as a whole"
    assert not (tmp_path / "empty").exists()


def test_an_adapter_of_single_factors_is_told_before_it_fails(tmp_path):
    factors = {
        "base_model.model.q.lora_A.weight": torch.ones(4, 9),
        "base_model.model.k.lora_B.weight": torch.ones(9, 4),
    }
    save_file(factors, tmp_path / "lora.safetensors")
    row = plan_of(tmp_path / "lora.safetensors", "--results", tmp_path / "r", status=1)["lora"]
    assert row["estimate"] is None
    assert row["note"].startswith("lora.safetensors holds an adapter of which nothing can be analyzed: 2 factors")


def test_a_wrong_call(tmp_path):
    run = setol("plan", "--results", tmp_path)
    assert run.exit_code == 2
    assert "need --catalog NAME" in run.stderr
    run = setol("plan", "--catalog", "dmo", "--results", tmp_path)
    assert run.exit_code == 2
    assert "unknown catalog 'dmo'; nearest: demo" in run.stderr
