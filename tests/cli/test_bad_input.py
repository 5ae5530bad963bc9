"""Whatever is wrong: a clear message, a row, the right exit status, and the others done."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from setol_zoo.cli import COMMANDS
from tests.cli.test_commands import setol

GOOD = torch.randn(70, 60, generator=torch.Generator().manual_seed(5))


class Evil:
    """Unpickling this makes a file: the sign that code ran."""

    def __init__(self, sign: Path):
        self.sign = sign

    def __reduce__(self):
        return os.system, (f"touch {self.sign}",)


@pytest.fixture
def good(tmp_path) -> Path:
    save_file({"fc.weight": GOOD}, tmp_path / "good.safetensors")
    return tmp_path / "good.safetensors"


def run_beside_a_good_one(bad: Path, good: Path, results: Path) -> str:
    """Run a bad model beside a good one; the good one must be done, the bad one be a row. Gives its error."""
    run = setol("run", bad, good, "--results", results, "--executor", "serial", "--json")
    assert run.exit_code == 1, run.output
    summary = json.loads(run.stdout)
    assert summary["computed"] == 1
    (failure,) = summary["failures"]
    status = json.loads(setol("status", "--results", results, "--json").stdout)
    assert {row["name"]: row["status"] for row in status["models"]}["good"] == "done"
    assert [row["error"] for row in status["failures"]] == [failure["error"]]
    assert not list(results.rglob("*.tmp"))
    # The same command again: nothing is computed twice, the exit status still says that not all is well.
    again = setol("run", bad, good, "--results", results, "--executor", "serial", "--json")
    assert again.exit_code == 1
    assert json.loads(again.stdout)["computed"] == 0
    return failure["error"]


@pytest.mark.parametrize("keep", [0, 5, 60, 0.5])
def test_a_truncated_safetensors(good, tmp_path, keep):
    content = good.read_bytes()
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    error = run_beside_a_good_one(bad, good, tmp_path / "r")
    assert error.startswith("damaged safetensors file bad.safetensors")
    assert "fetch it again" in error


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".th", ".tar"])
def test_a_pickle_that_would_run_code(good, tmp_path, suffix):
    sign, bad = tmp_path / "code_ran", tmp_path / f"bad{suffix}"
    torch.save({"state_dict": {"w": GOOD}, "extra": Evil(sign)}, bad)
    error = run_beside_a_good_one(bad, good, tmp_path / "r")
    assert "refused" in error
    assert "system" in error
    assert not sign.exists()


def test_a_bare_pickle_that_would_run_code(good, tmp_path):
    sign, bad = tmp_path / "code_ran", tmp_path / "bad.bin"
    bad.write_bytes(pickle.dumps(Evil(sign)))
    run_beside_a_good_one(bad, good, tmp_path / "r")
    assert not sign.exists()


def test_a_file_that_is_not_there(good, tmp_path):
    assert run_beside_a_good_one(tmp_path / "none.pt", good, tmp_path / "r").startswith("no such file")


def test_a_format_that_is_not_read(good, tmp_path):
    (tmp_path / "bad.h5").write_bytes(b"\x89HDF")
    error = run_beside_a_good_one(tmp_path / "bad.h5", good, tmp_path / "r")
    assert "cannot read bad.h5" in error
    assert "safetensors" in error


def test_a_missing_shard(good, tmp_path):
    folder = tmp_path / "sharded"
    folder.mkdir()
    save_file({"a.weight": GOOD}, folder / "model-00001-of-00002.safetensors")
    names = {"a.weight": "model-00001-of-00002.safetensors", "b.weight": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    error = run_beside_a_good_one(folder, good, tmp_path / "r")
    assert "missing shard" in error
    assert "model-00002-of-00002.safetensors" in error


def test_a_sharded_model_is_whole_once_its_shards_are_there(tmp_path):
    folder = tmp_path / "sharded"
    folder.mkdir()
    names = {}
    for number in (1, 2):
        names[f"layer{number}.weight"] = f"model-0000{number}-of-00002.safetensors"
        save_file({f"layer{number}.weight": GOOD * number}, folder / names[f"layer{number}.weight"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    run = setol("run", folder, "--results", tmp_path / "r", "--executor", "serial")
    assert run.exit_code == 0, run.output
    (model,) = json.loads(setol("status", "--results", tmp_path / "r", "--json").stdout)["models"]
    assert (model["n_files"], model["n_ok"], model["status"]) == (2, 2, "done")


def test_a_wrong_hash(good, tmp_path):
    save_file({"fc.weight": GOOD * 2}, tmp_path / "bad.safetensors")
    (tmp_path / "own.csv").write_text(
        f"model,weights_sha256\npath:bad.safetensors,{'0' * 64}\npath:good.safetensors,\n"
    )
    run = setol("run", "--catalog", tmp_path / "own.csv", "--results", tmp_path / "r", "--executor", "serial")
    assert run.exit_code == 1
    status = json.loads(setol("status", "--results", tmp_path / "r", "--json").stdout)
    assert {row["name"]: row["status"] for row in status["models"]} == {"bad": "failed", "good": "done"}
    assert "wrong hash" in status["failures"][0]["error"]


def test_sick_matrices_are_rows_with_reasons(tmp_path):
    nan, inf = GOOD.clone(), GOOD.clone()
    nan[3, 4], inf[5, 6] = float("nan"), float("inf")
    tensors = {"nan": nan, "inf": inf, "zero": torch.zeros(60, 60), "one": torch.ones(1, 1), "three": torch.eye(3)}
    tensors |= {"good": GOOD, "orthogonal": torch.linalg.qr(GOOD.double())[0].float()}
    save_file(
        {f"{name}.weight": tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "sick.safetensors"
    )
    run = setol("analyze", tmp_path / "sick.safetensors", "--json")
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    skipped = {row["layer"]: row["reason"] for row in found["skipped"]}
    assert skipped == {"nan": "non_finite", "inf": "non_finite", "one": "vector"}
    layers = {row["layer"]: row for row in found["layers"]}
    assert (layers["zero"]["status"], layers["zero"]["reason"]) == ("failed", "zero_matrix")
    assert (layers["three"]["status"], layers["three"]["reason"]) == ("no_tail", "too_few_eigenvalues")
    assert layers["three"]["stable_rank"] == pytest.approx(3.0)
    assert layers["good"]["status"] == "ok"
    assert layers["zero"]["alpha"] is None
    assert found["model_metrics"][0]["alpha_mean"] is not None


def test_an_unknown_command_is_told_all_there_are():
    every = f"known: {', '.join(COMMANDS)}"
    for typed, expected in (
        ("reprot", f"unknown command 'reprot'; nearest: report; {every}\n"),
        ("xyzzy", f"unknown command 'xyzzy'; {every}\n"),
        ("models", f'; {every}; models is a view of results: setol sql "SELECT * FROM models"\n'),
    ):
        run = setol(typed)
        assert run.exit_code == 2
        assert run.stderr.endswith(expected), run.stderr


@pytest.mark.parametrize(
    ("group", "typed", "expected"),
    [
        ("catalog", "lst", "unknown command 'lst'; nearest: list; known: check, list, show"),
        ("lab", "rnu", "unknown command 'rnu'; nearest: run; known: list, report, run"),
        ("theory", "xyzzy", "unknown command 'xyzzy'; known: curve, features, select, spectrum"),
    ],
)
def test_an_unknown_command_of_a_group_is_told_all_of_the_group(group, typed, expected):
    run = setol(group, typed)
    assert run.exit_code == 2
    assert run.stderr.endswith(f"{expected}\n"), run.stderr


def test_results_inside_the_default_folder_are_offered(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert setol("run", good, "--results", "results/mine", "--executor", "serial").exit_code == 0
    for command in (("status",), ("report",), ("sql", "SELECT 1"), ("export",)):
        run = setol(*command)
        assert run.exit_code == 2
        assert run.stderr.endswith("; inside this one: --results results/mine\n"), run.stderr
    assert setol("status", "--results", "results/mine").exit_code == 0


def test_unknown_names_offer_the_nearest(good, tmp_path):
    results = tmp_path / "r"
    for arguments, expected in (
        (("run", "--catalog", "dmo"), r"unknown catalog 'dmo'; nearest: demo"),
        (("run", "resnet2o", "--catalog", "demo"), "unknown model 'resnet2o'; nearest: resnet20"),
        (("analyze", "restnet56"), "unknown model 'restnet56'; nearest: resnet56"),
        (("run", good, "--preset", "weightwacher"), "unknown preset 'weightwacher'; nearest: weightwatcher"),
        (("reprot",), "unknown command 'reprot'; nearest: report"),
        (("run", good, "--result", "x"), "--results"),
    ):
        run = setol(*arguments)
        assert run.exit_code == 2, (arguments, run.output)
        assert expected in run.stderr, run.stderr
        assert "Traceback" not in run.output
    assert setol("run", good, "--results", results, "--executor", "serial").exit_code == 0
    for query, expected in (
        ("SELECT alhpa FROM layers", "unknown column 'alhpa'; nearest: alpha"),
        ("SELECT * FROM layrs", "unknown view 'layrs'; nearest: layers"),
        ("COPY layers TO 'x.csv'", "need exactly one SELECT"),
        ("SELECT 1; SELECT 2", "need exactly one SELECT"),
    ):
        run = setol("sql", query, "--results", results)
        assert run.exit_code == 2, (query, run.output)
        assert expected in run.stderr, run.stderr
    assert setol("sql", "SELECT 1", "--results", results, "--config", "nope").exit_code == 2


@pytest.mark.parametrize("limit", ["0", "-1", "inf", "nan", "1e12"])
def test_a_time_limit_that_no_timer_keeps(good, tmp_path, limit):
    told = setol("run", good, "--results", tmp_path / "r", "--time-limit", limit)
    assert told.exit_code == 2
    assert "need seconds above 0 and at most 2592000 (30 days), got" in " ".join(told.output.split())
    assert not (tmp_path / "r").exists()


def test_a_results_folder_that_cannot_be_written(good, tmp_path):
    (tmp_path / "in_the_way").write_text("")
    run = setol("run", good, "--results", tmp_path / "in_the_way" / "r", "--executor", "serial")
    assert run.exit_code == 2
    assert "cannot write results to" in run.stderr


def test_no_results_yet(tmp_path):
    for command in ("status", "report", "correlate"):
        run = setol(command, "--results", tmp_path / "nothing")
        assert run.exit_code == 2
        assert "setol run" in run.stderr


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("model\npath:a.pt\npath:a.pt\n", "already"),
        ("model\nhubb:org/name\n", "unknown source 'hubb'"),
        ("model,dataset,metric,value\npath:a.pt,cifar-10,acc@1,91.2\n", "unit"),
        ("model,dataset,metric,value,unit\npath:a.pt,cifar-10,acc@1,912,percent\n", "percent"),
        ("modle\npath:a.pt\n", "unknown column 'modle'; nearest: model"),
        ("", "empty"),
    ],
)
def test_a_catalog_with_a_fault(tmp_path, content, expected):
    own = tmp_path / "own.csv"
    own.write_text(content)
    for command in (("catalog", "check", own), ("run", "--catalog", own, "--results", tmp_path / "r")):
        run = setol(*command)
        assert run.exit_code == 2, run.output
        assert expected in run.stderr, run.stderr
    assert not (tmp_path / "r").exists()


def test_everything_failed_is_still_a_report(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"")
    assert (
        setol("run", tmp_path / "bad.safetensors", "--results", tmp_path / "r", "--executor", "serial").exit_code == 1
    )
    report = setol("report", "--results", tmp_path / "r")
    assert report.exit_code == 0, report.output
    assert "damaged safetensors file" in (tmp_path / "r" / "report.html").read_text()
