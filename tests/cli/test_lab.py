"""`setol lab`: what it says when all is well, and when it is asked for what cannot be."""

import json
import shutil
import sys
from pathlib import Path
from types import MappingProxyType

import pytest

from setol_zoo.lab import experiments
from setol_zoo.lab.experiments import Experiment
from setol_zoo.lab.setting import Setting
from tests.cli.test_commands import setol

SERIAL = ("--executor", "serial")


def small(seed: int) -> tuple[Setting, ...]:
    return tuple(
        Setting(data="digits", widths=(60,), max_epochs=2, learning_rate=rate, seed=seed) for rate in (0.1, 1e30)
    )


def pooled(seed: int) -> tuple[Setting, ...]:
    return (Setting(data="digits", architecture="cnn", widths=(4, 4, 4, 4, 8), seed=seed),)


@pytest.fixture(autouse=True)
def small_experiments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the real ones, one of two networks that take no time, and one that cannot be trained."""
    added = {
        name: Experiment(name=name, question=f"Is it {name}?", settings_of=settings)
        for name, settings in (("small", small), ("pooled", pooled))
    }
    monkeypatch.setattr(experiments, "EXPERIMENTS", MappingProxyType({**experiments.EXPERIMENTS, **added}))


def test_list_names_every_experiment_with_its_question() -> None:
    listed = json.loads(setol("lab", "list", "--json").stdout)
    assert [row["experiment"] for row in listed] == list(experiments.EXPERIMENTS)
    (row,) = [row for row in listed if row["experiment"] == "small"]
    assert row == {
        **{"experiment": "small", "networks": 6, "quick": 2},
        **{"core_minutes": None, "data": "digits", "question": "Is it small?"},
    }
    shown = setol("lab", "list").stdout
    assert all(each.question in shown for each in experiments.EXPERIMENTS.values())


def test_run_tells_networks_as_they_end_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    call = ("lab", "run", "small", "--seeds", 1, "--results", tmp_path / "r", *SERIAL)
    planned = setol(*call, "--dry-run")
    assert planned.stdout.splitlines()[-1] == "2 networks: 0 trained already, 2 to train"
    assert not (tmp_path / "r").exists()
    first = setol(*call)
    assert first.exit_code == 0, first.output
    begun, one, other, *_, truncated = first.stderr.splitlines()
    assert begun == "2 networks: 0 trained already, 2 to train"
    assert one.startswith("[1/2] mlp-60 lr0.1 bs32 seed0 ") and "    2 epochs (limit)     test error " in one
    assert other.startswith("[2/2] mlp-60 lr1e+30 bs32 seed0 ") and "   1 epochs (diverged)" in other
    assert truncated == "2 networks: 0 truncated already, 2 to truncate"
    assert first.stdout.splitlines() == [
        "2 networks: 2 trained, 0 there already, 1 diverged, 0 failed",
        "3 weight files of them: 3 computed, 0 there already, 0 failed",
        f"written: {tmp_path / 'r' / 'lab' / 'small-networks.parquet'}",
        f"written: {tmp_path / 'r' / 'lab' / 'small-layers.parquet'}",
        f"next: setol lab report small --results {tmp_path / 'r'}",
    ]
    again = setol(*call, "--json")
    assert again.exit_code == 0, again.output
    summary = json.loads(again.stdout)
    assert (summary["trained"], summary["reused"], summary["failures"]) == (0, 2, [])
    assert (summary["analysis"]["computed"], summary["analysis"]["reused"]) == (0, 3)
    assert summary["diverged"] == ["mlp-60 lr1e+30 bs32 seed0"]

    told = setol("lab", "report", "small", "--results", tmp_path / "r", "--output", tmp_path / "lab.html")
    assert told.exit_code == 0, told.output
    assert "<html" in (tmp_path / "lab.html").read_text()
    claims = json.loads(setol("lab", "report", "small", "--results", tmp_path / "r", "--json").stdout)["claims"]
    assert claims and all(claim["outcome"] and claim["title"] in told.stdout for claim in claims)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "smal"), "unknown experiment 'smal'; nearest: small"),
        (("report", "smal"), "unknown experiment 'smal'; nearest: small"),
        (("run", "small", "--data", "digit"), "unknown data set 'digit'; nearest: digits"),
        (("run", "pooled", *SERIAL), "need images of at least 16 x 16 for 4 poolings by 2; got 8 x 8 of digits"),
        (("run", "small", "--seeds", "0"), "0 is not in the range x>=1"),
        (
            ("run", "small", "--results", "s3://bucket/r"),
            "need a folder of this machine for --results, got s3://bucket",
        ),
        (("run", "small", "--results", "file/r", *SERIAL), "cannot write results to "),
        (("report", "small"), "no tables of the experiment small come with the package. Make them: setol lab run"),
        (("report", "small", "zoo"), "need zoo by itself, as it has questions of its own; got small, zoo."),
        (("report", "small", "--results", "nothing"), "need a results folder; there is none at nothing."),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SETOL_RESULTS", raising=False)
    (tmp_path / "file").touch()
    refused = setol("lab", *arguments)
    assert refused.exit_code == 2, refused.output
    assert words in refused.stderr
    assert not list(tmp_path.rglob("*.safetensors"))


def test_data_that_cannot_be_had_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no npm
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)  # where another test has imported it
    refused = setol("lab", "run", "small", "--data", "mnist", "--results", tmp_path / "r", *SERIAL)
    assert refused.exit_code == 2, refused.output
    assert "the data set mnist cannot be had: " in refused.stderr
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_run_that_stopped_in_the_analysis_is_told_how_to_go_on(tmp_path: Path) -> None:
    results = tmp_path / "r"
    assert setol("lab", "run", "small", "--quick", "--limit", 2, "--results", results, *SERIAL).exit_code == 0
    for made in ("layers", "spectra", "lab"):
        shutil.rmtree(results / made)
    assert setol("status", "--results", results).stdout.splitlines()[-1] == (
        f"next: setol lab run small --quick --limit 2 --results {results}"
    )
    assert "no model that has a score is analyzed yet" in setol("correlate", "--results", results).stdout
    told = setol("lab", "report", "small", "--results", results)
    assert told.exit_code == 2
    assert "has trained networks, and no tables of the experiment small" in " ".join(told.stderr.split())


def test_report_of_no_folder(tmp_path: Path) -> None:
    told = setol("lab", "report", "mlp3", "--results", tmp_path / "nowhere")
    assert told.exit_code == 2
    assert "there is none at" in " ".join(told.stderr.split())


def test_quick_takes_the_seeds_that_are_asked_for() -> None:
    seeds = [len(experiments.experiment("mlp3").settings(quick=True, seeds=count)) for count in (1, 3)]
    assert seeds == [11, 33]
    assert len(experiments.experiment("zoo").settings(quick=True, seeds=2)) == 2 * len(
        experiments.experiment("zoo").settings(quick=True)
    )
