"""What somebody meets who has just installed it: the bare command, a first model, and the usual mistakes."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from setol_zoo.cli import COMMANDS, main
from tests.cli.terminal import Terminal
from tests.cli.test_commands import model, setol  # noqa: F401 - a fixture


def test_the_bare_command_says_how_to_begin():
    run = setol()
    assert run.exit_code == 0
    begin = run.stdout.split("Begin with one of these:\n")[1].splitlines()
    assert [line.split()[:2] for line in begin] == [["setol", "analyze"], ["setol", "run"], ["setol", "catalog"]]
    assert all(f"  {name} " in run.stdout for name in COMMANDS)
    assert run.stdout == setol("--help").stdout


def make_mistakes(folder: Path) -> None:
    weight = torch.randn(60, 60, generator=torch.Generator().manual_seed(0))
    for name in ("two/a", "two/b"):
        (folder / name).parent.mkdir(exist_ok=True)
        save_file({"fc.weight": weight}, folder / f"{name}.safetensors")
    (folder / "empty").mkdir()
    (folder / "model.py").write_text("import torch\n")
    (folder / "zero.safetensors").touch()
    (folder / "zero.pt").touch()
    (folder / "readme.txt").write_text("hello")
    torch.save(torch.nn.Linear(3, 3), folder / "whole.pt")
    factors = {f"base_model.model.q_proj.lora_{side}.weight": torch.ones(*shape) for side, shape in _FACTORS.items()}
    (folder / "adapter").mkdir()
    save_file(factors, folder / "adapter" / "adapter_model.safetensors")


_FACTORS = {"A": (4, 60), "B": (60, 5)}


@pytest.mark.parametrize(
    ("target", "status", "told"),
    [
        ("two", 1, "holds 2 checkpoints (a.safetensors, b.safetensors): name one of them"),
        ("empty", 1, "holds no weight file: need one of .safetensors, .pt"),
        ("model.py", 1, "cannot read model.py: need one of .safetensors, .pt"),
        ("readme.txt", 1, "cannot read readme.txt: need one of .safetensors, .pt"),
        ("zero.safetensors", 1, "zero.safetensors"),
        ("zero.pt", 1, "zero.pt"),
        ("whole.pt", 1, "refused whole.pt: unpickling it would run torch.nn.modules.linear.Linear"),
        ("none.safetensors", 2, "none.safetensors. Check the path"),
        ("two/b.safetensor", 2, "no file two/b.safetensor here; nearest: two/b.safetensors; a model of the hub would"),
        ("two/bb.safetensors", 2, "two/bb.safetensors; nearest: b.safetensors. Check the path"),
        ("adapter", 1, "adapter_model.safetensors holds an adapter of which nothing can be analyzed"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_status(tmp_path, monkeypatch, target, status, told):
    make_mistakes(tmp_path)
    monkeypatch.chdir(tmp_path)
    run = setol("analyze", target)
    assert run.exit_code == status, run.output
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("Error: ")
    assert told in line


def test_a_name_that_is_nearly_right(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = setol("analyze", "resnet5")
    assert run.exit_code == 2
    assert "nearest: resnet56" in run.stderr


def test_one_mistake_does_not_hide_the_other_models(model, tmp_path):  # noqa: F811
    run = setol("analyze", tmp_path / "none.pt", model)
    assert run.exit_code == 1
    assert "no such file" in run.stderr
    assert "toy: median alpha" in run.stdout


def test_a_model_of_vectors_says_that_there_is_nothing_to_read(tmp_path):
    save_file({"norm.weight": torch.ones(5)}, tmp_path / "vectors.safetensors")
    run = setol("analyze", tmp_path / "vectors.safetensors")
    assert run.exit_code == 0
    assert "no weight matrices" in run.stdout
    assert run.stdout.endswith("\nnothing to analyze: no weight matrix that can be decomposed\n")
    assert "alpha_hat" not in run.stdout  # no table without a row


def test_plot_draws_and_says_how_much(model, tmp_path):  # noqa: F811
    run = setol("analyze", model, "--plot", tmp_path / "p", "--rows", 1)
    assert run.exit_code == 0, run.output
    said = "drawn: 1 of 2 fitted layers, those of the first row (--rows 2 draws all), and alpha by depth, in "
    assert f"{said}{tmp_path / 'p'}\n" in run.stdout
    assert sorted(path.name for path in (tmp_path / "p" / "toy").iterdir()) == ["alpha_by_depth.png", "layer_1_fc1.png"]
    found = json.loads(setol("analyze", model, "--plot", tmp_path / "s", "--format", "svg", "--json").stdout)
    assert [Path(path).name for path in found["pictures"]] == [
        "alpha_by_depth.svg",
        "layer_1_fc1.svg",
        "layer_2_fc2.svg",
    ]
    assert all(Path(path).is_file() for path in found["pictures"])


def test_the_pictures_are_of_the_layers_in_the_table(tmp_path):
    generator = torch.Generator().manual_seed(5)
    shapes = {"0.small": (9, 9), "1.narrow": (70, 60), "2.wide": (130, 120), "3.wider": (150, 140)}
    weights = {f"{name}.weight": torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    save_file(weights, tmp_path / "net.safetensors")
    run = setol("analyze", tmp_path / "net.safetensors", "--plot", tmp_path / "p", "--rows", 2, "--format", "svg")
    assert run.exit_code == 0, run.output
    header, _, narrow = run.stdout.splitlines()[1:4]
    assert narrow.startswith("1.narrow")
    said = "drawn: 1 of 3 fitted layers, those of the first 2 rows (--rows 4 draws all), and alpha by depth, in "
    assert said in run.stdout
    (picture,) = (tmp_path / "p" / "net").glob("layer_*")
    assert picture.name == "layer_1_1.narrow.svg"  # the first row has no fit
    distance = narrow.split()[header.split().index("D")]
    assert f", D {float(distance):.4f}, d_ww " in picture.read_text()
    whole = setol("analyze", tmp_path / "net.safetensors", "--plot", tmp_path / "q", "--rows", 4)
    assert "drawn: 3 of 3 fitted layers, and alpha by depth, in " in whole.stdout


def test_a_narrow_terminal_gets_fewer_columns_and_is_told(model):  # noqa: F811
    with Terminal("analyze", model, columns=80) as terminal:
        assert terminal.finish() == 0
        text = terminal.text
    table = text[text.index("layer ") : text.index("skipped:")].splitlines()
    assert max(map(len, table[:3])) <= 80
    assert table[3].startswith("left out to fit: log_norm")
    assert {"layer", "alpha", "±", "D", "tail"} <= set(table[0].split())
    whole = CliRunner().invoke(main, ["analyze", str(model)]).stdout
    assert "left out" not in whole
    assert "stable_rank" in whole


def test_a_number_format_that_cannot_be_read_is_named(tmp_path):
    save_file({"fc.weight": torch.randn(9, 8).to(torch.complex64)}, tmp_path / "complex.safetensors")
    run = setol("analyze", tmp_path / "complex.safetensors")
    assert run.exit_code == 0
    assert "skipped: 1 tensor, 72 entries, dtype (complex64): The number format" in run.stdout
    assert "next:" not in run.stdout


def test_one_missing_file_beside_a_damaged_one_is_no_wrong_call(tmp_path, monkeypatch):
    make_mistakes(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert setol("analyze", "none.pt", "gone.pt").exit_code == 2
    assert setol("analyze", "none.pt", "zero.pt").exit_code == 1


def test_files_of_one_name_in_two_folders_stand_side_by_side(tmp_path, monkeypatch):
    results = tmp_path / "r"
    for number, folder in enumerate("ab"):
        (tmp_path / folder).mkdir()
        weight = torch.randn(60 + number, 60, generator=torch.Generator().manual_seed(number))
        save_file({"fc.weight": weight}, tmp_path / folder / "net.safetensors")
    monkeypatch.chdir(tmp_path / "a")
    assert setol("analyze", "net.safetensors", "--results", results).stderr == ""
    monkeypatch.chdir(tmp_path / "b")
    other = setol("analyze", "net.safetensors", "--results", results)
    (line,) = other.stderr.splitlines()
    first, second = (tmp_path / folder / "net.safetensors" for folder in "ab")
    assert line == f"path:net.safetensors is {first} in these results: {second} is known by its whole path here"
    assert "b/net: median alpha" in other.stdout
    rows = json.loads(setol("sql", "SELECT model, name, n_ok FROM models", "--results", results, "--json").stdout)
    assert {row["model"]: row["name"] for row in rows} == {"path:net.safetensors": "net", f"path:{second}": "b/net"}
    assert setol("analyze", "net.safetensors", "--results", results).stderr == ""  # known by now

    save_file({"fc.weight": torch.eye(60)}, first)
    monkeypatch.chdir(tmp_path / "a")
    again = setol("analyze", "net.safetensors", "--results", results)
    assert again.stderr == "net.safetensors has changed since: its earlier results are no longer shown\n"
    rows = json.loads(setol("sql", "SELECT name FROM models", "--results", results, "--json").stdout)
    assert sorted(row["name"] for row in rows) == ["b/net", "net"]


def test_what_a_checkpoint_holds_besides_is_told(tmp_path):
    weight = torch.randn(60, 60, generator=torch.Generator().manual_seed(0))
    torch.save({"ema": {"fc.weight": weight}, "model": {"fc.weight": weight + 1}}, tmp_path / "two.pt")
    run = setol("analyze", tmp_path / "two.pt")
    assert run.exit_code == 0
    assert run.stderr == "two: the tensors under 'model' are analyzed; left out: ema\n"
