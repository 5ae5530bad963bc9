"""`setol catalog list` and `show`, for catalogs of ten models and of a thousand, on terminals and in pipes."""

import json

import pytest
from click.testing import CliRunner, Result

from catalogs import catalog_names, load_catalog
from setol_zoo.cli import main
from tests.cli.terminal import Terminal


def catalog(*arguments: object) -> Result:
    run = CliRunner().invoke(main, ["catalog", *map(str, arguments)])
    assert run.exit_code in (0, 2), run.output
    return run


def test_list_counts_what_is_there():
    rows = {row["catalog"]: row for row in json.loads(catalog("list", "--json").stdout)}
    assert tuple(rows) == catalog_names()
    timm = rows["timm-imagenet"]
    assert {name: timm[name] for name in ("models", "fetchable", "scores", "datasets", "families", "licence")} == {
        "models": 1266,
        "fetchable": 1266,
        "scores": 10417,
        "datasets": 8,
        "families": 85,
        "licence": "Apache-2.0",
    }
    for name, row in rows.items():
        sources = {model.partition(":")[0] for model in load_catalog(name).models}
        assert (row["fetchable"] < row["models"]) == ("scores" in sources)
    lines = catalog("list").stdout.splitlines()
    assert len(lines) == len(rows) + 2 and lines[-1] == "next: setol catalog show demo"


@pytest.mark.parametrize("columns", [80, 120])
def test_list_fits_a_terminal(columns):
    with Terminal("catalog", "list", columns=columns) as terminal:
        terminal.finish()
        lines = terminal.text.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split()[0] for line in lines[1 : 1 + len(catalog_names())]] == list(catalog_names())


def test_of_many_models_the_families_are_shown():
    lines = catalog("show", "timm-in1k").stdout.splitlines()
    assert lines[0] == load_catalog("timm-in1k").title
    assert lines[2].split() == ["resnet", "123", "58", "5.44M", "-", "192M", "123", "68.25", "-", "85.01"]
    assert len(lines) == 2 + 74 + 3
    assert lines[-3] == "835 models, score: imagenet-1k acc@1, percent"
    assert lines[-2].startswith("data sets (--dataset): imagenet-1k, imagenet-real, imagenetv2-mf, imagenet-a, ")
    assert lines[-1] == "next: setol catalog show timm-in1k --family resnet"


def test_a_family_on_a_dataset():
    run = catalog("show", "timm-in1k", "--family", "convnext", "--family", "vgg", "--dataset", "imagenetv2-mf")
    lines = run.stdout.splitlines()
    (tiny,) = [line for line in lines if line.startswith("convnext_tiny.fb_in1k ")]
    assert tiny.split() == ["convnext_tiny.fb_in1k", "convnext", "28.6M", "71.87", "7", "in1k", "fb_in1k", "Apache-2.0"]
    assert lines[-2] == "score: imagenetv2-mf acc@1, percent"
    assert lines[-1].startswith("next: setol run --catalog timm-in1k ")
    assert len(lines) == 2 + 15 + 8 + 2


def test_all_models_on_request_and_in_json():
    assert len(catalog("show", "timm-in1k", "--models").stdout.splitlines()) == 2 + 835 + 2
    found = json.loads(catalog("show", "timm-in1k", "--family", "vgg", "--dataset", "imagenet-a", "--json").stdout)
    assert {file["family"] for file in found["files"]} == {"vgg"}
    assert {score["model"] for score in found["scores"]} == {file["model"] for file in found["files"]}
    assert len(json.loads(catalog("show", "timm-imagenet", "--json").stdout)["scores"]) == 10417


def test_unknown_families_and_datasets_name_the_nearest():
    run = catalog("show", "timm-in1k", "--family", "resnt")
    assert run.exit_code == 2 and "unknown family 'resnt'; nearest: resnet" in run.stderr
    run = catalog("show", "timm-in1k", "--dataset", "imagenet-1k-val")
    assert run.exit_code == 2 and "unknown dataset 'imagenet-1k-val'; nearest: imagenet-1k" in run.stderr


def test_a_catalog_of_ones_own_without_scores_or_families(tmp_path):
    (tmp_path / "own.csv").write_text("model\n" + "".join(f"path:{i}.pt\n" for i in range(50)))
    lines = catalog("show", tmp_path / "own.csv").stdout.splitlines()
    assert lines[1].split() == ["(none)", "50", "0", "·", "0", "·"]
    assert lines[-2] == "50 models, score: none"
    lines = catalog("show", tmp_path / "own.csv", "--family", "(none)").stdout.splitlines()
    assert len(lines) == 52 and lines[-1].endswith("own.csv 0")
    assert catalog("show", tmp_path / "own.csv", "--models").exit_code == 0


def test_what_cannot_be_fetched_is_not_offered_to_a_run(tmp_path):
    header = "model,dataset,metric,value,unit\n"
    (tmp_path / "own.csv").write_text(f"{header}scores:a,d,acc,0.5,fraction\nscores:b,d,acc,0.6,fraction\n")
    assert catalog("show", tmp_path / "own.csv").stdout.splitlines()[-1] == "next: setol catalog list"


def test_show_fits_a_narrow_terminal():
    with Terminal("catalog", "show", "timm-in1k", columns=80) as terminal:
        terminal.finish()
        assert max(map(len, terminal.text.splitlines()[:-2])) <= 80


@pytest.mark.parametrize("name", catalog_names())
def test_every_catalog_of_the_package_passes_its_own_check(name):
    run = catalog("check", name)
    assert run.exit_code == 0, run.output
    assert run.stdout.startswith(f"catalog {name} is in order: ")
    assert "no duplicate_group says so" not in run.stdout
    assert "none is primary" not in run.stdout or name in ("opt-bloom", "pythia")  # scores at chance, by design


def test_a_plan_without_network_says_what_it_needed_it_for(tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "own.csv").write_text("model,params\nhub:nobody/a,2000000\nhub:nobody/b,\npath:gone.pt,5\n")
    words = ["plan", "--catalog", str(tmp_path / "own.csv"), "--results", str(tmp_path / "r")]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 1
    assert "2 models not reached: the hub tells commit, size, sha256 and header of a file" in run.stdout
    assert "by the catalog, 1 with 2.00M parameters, about 8.0 MB at 4 bytes each" in run.stdout
