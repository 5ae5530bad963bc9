"""Importing the package is cheap, and its names are what they should be however it is imported."""

import subprocess
import sys
from importlib import resources
from importlib.metadata import version

import pytest

import setol_zoo as zoo

HEAVY = ("torch", "ray", "transformers", "timm", "pandas", "numpy", "pyarrow", "duckdb", "matplotlib", "click", "rich")


def run(source: str) -> str:
    return subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True).stdout


def test_importing_loads_nothing_heavy():
    loaded = run(f"import setol_zoo, sys; print([name for name in {HEAVY} if name in sys.modules])")
    assert loaded == "[]\n"


@pytest.mark.parametrize(
    "first",
    ["import setol_zoo", "import setol_zoo.analyze", "from setol_zoo.analyze import analyze", "import setol_zoo.cli"],
)
def test_analyze_is_the_function_whatever_is_imported_first(first):
    source = f"{first}\nimport setol_zoo as zoo, setol_zoo.analyze\nprint(type(zoo.analyze).__name__, zoo.__all__)"
    assert (
        run(source) == "function ['Analysis', 'Monitor', 'Zoo', 'analyze', 'detrap', 'distance', 'open', 'truncate']\n"
    )


def test_the_package_is_typed():
    assert (resources.files("setol_zoo") / "py.typed").is_file()


def test_the_version_is_that_of_the_command_and_is_looked_up_only_when_asked_for():
    looked_up = "'importlib.metadata' in sys.modules"
    source = f"import setol_zoo as zoo, sys\nprint({looked_up}, zoo.__version__, {looked_up}, 'torch' in sys.modules)"
    installed = version("setol-zoo")
    assert run(source) == f"False {installed} True False\n"
    command = [sys.executable, "-c", "from setol_zoo.cli import main; main()", "--version"]
    assert installed in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_other_names_are_missing_as_in_any_module():
    with pytest.raises(AttributeError, match="module 'setol_zoo' has no attribute 'analyse'"):
        _ = zoo.analyse
