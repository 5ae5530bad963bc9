"""The README's commands and files exist."""

import json
import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from setol_zoo.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_its_commands_exist():
    typed = set(re.findall(r"setol ([a-z]+)", README))
    assert typed <= set(COMMANDS)
    assert {"run", "analyze", "sql", "report"} <= typed
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^    make ([a-z]+)", README, re.MULTILINE)) <= targets


def test_its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / link).exists(), link


def test_its_layout_is_the_packages():
    packages = set(re.findall(r"^    ([a-z_]+)/  ", README, re.MULTILINE))
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages == ours | {"clusters"}


def test_its_catalog_can_be_planned(tmp_path):
    lines = re.findall(r"^    (model,.+|path:.+)$", README, re.MULTILINE)
    assert len(lines) == 3
    (tmp_path / "my_models.csv").write_text("\n".join(lines))
    names = [re.match(r"path:([^,]+)", line)[1] for line in lines[1:]]
    for seed, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        matrix = torch.randn(30, 20, generator=torch.Generator().manual_seed(seed))
        save_file({"fc.weight": matrix}, tmp_path / name)
    run = CliRunner().invoke(main, ["plan", "--catalog", str(tmp_path / "my_models.csv")])
    assert run.exit_code == 0, run.output
    assert "2 weight files: 2 to do" in run.stdout
    shown = CliRunner().invoke(main, ["catalog", "show", str(tmp_path / "my_models.csv"), "--json"])
    scores = json.loads(shown.stdout)["scores"]
    assert [(each["dataset"], each["metric"], each["value"]) for each in scores] == [("cifar-10", "acc@1", 91.2)]


@pytest.mark.weights
def test_its_queries_print_what_it_says(demo_results):
    found = re.findall(
        r"^    \$ setol sql \"([^\"]+)\" --results results/demo\n((?:    [^$\n].*\n)+)", README, re.MULTILINE
    )
    assert found
    for query, shown in found:
        query = " ".join(query.split())
        run = CliRunner().invoke(main, ["sql", query, "--results", str(demo_results)])
        assert [line.strip() for line in run.stdout.splitlines()] == [line.strip() for line in shown.splitlines()]
