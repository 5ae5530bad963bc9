"""Importing the package is cheap, and its names are what they should be however it is imported."""

import subprocess
import sys
from importlib import resources

import pytest

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
