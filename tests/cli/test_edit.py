"""`setol truncate`, `detrap` and `distance`, and `setol analyze --base`, as a user types them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import setol_zoo as zoo
from tests.cli.terminal import Terminal
from tests.cli.test_commands import setol


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    generator = torch.Generator().manual_seed(3)

    def heavy(*shape):
        return torch.randn(shape, generator=generator) * torch.rand(shape[1], generator=generator).pow(-0.5)

    save_file(
        {
            "fc1.weight": heavy(120, 80),
            "fc1.bias": torch.zeros(120),
            "fc2.weight": heavy(60, 120) + 0.5,
            "head.weight": heavy(10, 60),
        },
        "model.safetensors",
    )
    return Path("model.safetensors")


def test_truncate_prints_what_is_kept_and_what_is_left(model):
    run = setol("truncate", model, "--out", "new/tails.safetensors")
    assert run.exit_code == 0, run.output
    lines = run.stdout.splitlines()
    assert lines[:2] == ["model", "layer  kind    evals  kept  lambda_min  removed"]
    assert "left as they were: 1 matrix, too_few_eigenvalues (head): Fewer eigenvalues" in run.stdout
    assert "wrote new/tails.safetensors (0.1 MB); all other tensors are copies" in lines
    assert lines[-1] == "next: setol analyze new/tails.safetensors"
    assert setol(*lines[-1].split()[2:]).exit_code == 0
    kept = zoo.analyze(model).layers["n_tail"].dropna().sum()
    assert f"truncated to the tail: {kept:.0f} of 140 components kept in 2 rows" in lines


def test_truncate_json(model):
    run = setol("truncate", model, "--out", "ecs.safetensors", "--to", "ecs", "--json")
    found = json.loads(run.stdout)
    assert (found["model"], found["file"], found["tied"]) == ("model", "ecs.safetensors", {})
    counts = zoo.analyze(model).layers["erg_n"].tolist()
    assert [row["n_kept"] for row in found["matrices"]] == counts
    again = setol("truncate", model, "--out", "ecs.safetensors", "--force", "--min-evals", 5, "--json")
    assert [row["reason"] for row in json.loads(again.stdout)["matrices"]] == [None, None, None]


def test_detrap_prints_what_was_removed(model):
    run = setol("detrap", model, "--out", "clean.safetensors", "--remove", "mean", "--seed", 1)
    assert run.exit_code == 0, run.output
    assert "layer  kind    taps  trap_theta  means  components  removed" in run.stdout
    assert "removed 1 mean and 0 components of permuted matrices" in run.stdout
    assert abs(float(load_file("clean.safetensors")["fc2.weight"].mean())) < 1e-6
    again = setol("detrap", model, "--out", "clean.safetensors", "--force", "--tracy-widom-level", 0.999, "--json")
    assert sum(row["n_means"] for row in json.loads(again.stdout)["matrices"]) == 1


def test_distance_prints_a_table_and_what_is_in_one_alone(model):
    setol("truncate", model, "--out", "tails.safetensors")
    run = setol("distance", "tails.safetensors", model)
    assert run.exit_code == 0, run.output
    assert "compared: 3 matrices of 3" in run.stdout
    assert run.stdout.splitlines()[-1] == "next: setol analyze tails.safetensors --base model.safetensors"
    tensors = load_file(model)
    tensors["fc1.weight"], tensors["extra.weight"] = tensors["fc1.weight"].T.contiguous(), torch.ones(4, 3)
    del tensors["fc2.weight"]
    save_file(tensors, "other.safetensors")
    text = setol("distance", model, "other.safetensors").stdout
    assert "not compared: 1 matrix, other_shape (fc1): The base's tensor of that name has another shape." in text
    assert "not compared: 1 matrix, not_in_base (fc2): The base has no tensor of that name." in text
    assert "only in other: 1 tensor (extra.weight)" in text
    assert "compared: 1 matrix of 3" in text
    found = json.loads(setol("distance", model, "other.safetensors", "--json").stdout)
    assert found["only_in_base"] == ["extra.weight"]
    assert {row["layer"]: (row["relative"], row["reason"]) for row in found["matrices"]}["head"] == (0.0, None)


def test_the_distance_is_what_truncation_removed(model):
    found = json.loads(setol("truncate", model, "--out", "tails.safetensors", "--json").stdout)["matrices"]
    apart = json.loads(setol("distance", "tails.safetensors", model, "--json").stdout)["matrices"]
    for cut, row in zip(found, apart, strict=True):
        assert row["relative"] ** 2 == pytest.approx(cut["removed_share"], rel=1e-5, abs=1e-12)


def test_analyze_with_a_base(model):
    tensors = load_file(model)
    change = torch.randn(120, 80, generator=torch.Generator().manual_seed(5))
    save_file(tensors | {"fc1.weight": tensors["fc1.weight"] + change}, "tuned.safetensors")
    run = setol("analyze", "tuned.safetensors", "--base", model, "--results", "kept")
    assert run.exit_code == 0, run.output
    assert run.stdout.splitlines()[0] == "tuned-minus-model"
    assert run.stdout.splitlines()[-1] == "next: setol distance tuned.safetensors model.safetensors"
    found = json.loads(setol("analyze", "tuned.safetensors", "--base", model, "--json").stdout)
    assert [row["status"] for row in found["layers"]] == ["ok", "failed", "failed"]
    rows = json.loads(setol("sql", "SELECT name FROM models", "--results", "kept", "--json").stdout)
    assert [row["name"] for row in rows] == ["tuned-minus-model"]
    permuted = setol("analyze", "tuned.safetensors", "--base", model, "--permutations", 2, "--json")
    (first, *_) = json.loads(permuted.stdout)["layers"]
    assert first["n_traps"] is not None


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("truncate", "model.safetensors"), 2, "Missing option '--out'"),
        (("truncate", "model.safetensors", "--out", "x.pt"), 2, "cannot write x.pt: need a name that ends in .safeten"),
        (("truncate", "model.safetensors", "--out", "there.safetensors"), 2, "it is there already. Name another file"),
        (("detrap", "model.safetensors", "--out", "model.safetensors", "--force"), 2, "it is the file that is read"),
        (("detrap", "none.safetensors", "--out", "x.safetensors"), 1, "no such file"),
        (("truncate", "there.safetensors", "--out", "x.safetensors"), 1, "damaged safetensors file there.safetensors"),
        (("truncate", "restnet20", "--out", "x.safetensors"), 2, "unknown model 'restnet20'; nearest: resnet20"),
        (("truncate", "model.safetensors", "--out", "x.safetensors", "--preset", "w"), 2, "unknown preset 'w'"),
        (("truncate", "model.safetensors", "--out", "x.safetensors", "--device", "tpu"), 2, "need a device of auto"),
        (("detrap", "model.safetensors", "--out", "x.safetensors", "--tracy-widom-level", "2"), 2, "between 0 and 1"),
        (("distance", "model.safetensors"), 2, "Missing argument 'BASE'"),
        (("distance", "model.safetensors", "none.safetensors"), 1, "no such file"),
        (("analyze", "model.safetensors", "--base", "none.safetensors"), 1, "no such file"),
        (("analyze", "model.safetensors", "--base", "turned.safetensors"), 1, "have no matrix in common"),
    ],
)
def test_mistakes(model, arguments, status, told):
    Path("there.safetensors").write_bytes(b"something else")
    save_file({"fc1.weight": torch.ones(80, 120)}, "turned.safetensors")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    run = setol(*arguments)
    assert run.exit_code == status, run.output
    assert told in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_tables_fit_a_narrow_terminal(model, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # the folder is another one than pytest's
    with Terminal("truncate", model, "--out", "tails.safetensors", columns=45) as terminal:
        assert terminal.finish() == 0
        assert max(len(line) for line in terminal.text.splitlines() if line.startswith(("layer", "fc"))) <= 45
        assert "left out to fit: kind" in terminal.text


@pytest.mark.weights
def test_a_published_network_keeps_the_tails_that_were_counted(tmp_path):
    layers = zoo.analyze("resnet20").layers.set_index("layer")
    for to, column in (("tail", "n_tail"), ("ecs", "erg_n")):
        edited = zoo.truncate("resnet20", tmp_path / f"{to}.safetensors", to=to)
        cut = [row for row in edited.changes if row.reason is None]
        assert len(cut) == (18 if to == "tail" else 20)
        assert [row.n_kept for row in cut] == [layers.loc[row.layer, column] for row in cut]
        assert {row.layer for row in edited.changes if row.reason} == ({"conv1", "linear"} if to == "tail" else set())
        for row in zoo.distance(tmp_path / f"{to}.safetensors", "resnet20").matrices:
            (change,) = (each for each in edited.changes if each.tensor == row.tensor)
            assert row.relative**2 == pytest.approx(change.removed_share, rel=1e-4, abs=1e-12)
        spectrum = zoo.analyze(tmp_path / f"{to}.safetensors").spectrum("layer3.1.conv2")
        assert int(np.count_nonzero(spectrum > 1e-9 * spectrum[-1])) == layers.loc["layer3.1.conv2", column]
