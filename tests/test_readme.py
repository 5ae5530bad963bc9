"""The README's commands and files exist."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

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
