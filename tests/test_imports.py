"""Which package may import what: read from the syntax trees of all files, so no import hides in a branch."""

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("catalogs", "checkpoints", "setol", "pipeline", "analysis", "setol_zoo")
OURS = frozenset(PACKAGES)

TORCH_FOLDER = "setol/weights/"
TORCH_PACKAGE = "setol.weights"
LAB_FOLDER = "setol_zoo/lab/"
LAB_PACKAGE = "setol_zoo.lab"
"""Experiments with torch: nothing imports them but the functions that run one."""

RAY_FILE = "pipeline/execution/cluster.py"
SCRIPT = "pipeline/run.py"
"""`setol run` as a file that `ray submit` can copy: a caller of the front door, imported by nothing."""

OUTSIDE_WORLD = {
    *("argparse", "asyncio", "csv", "ctypes", "fileinput", "ftplib", "getpass", "glob"),
    *("gzip", "http", "io", "json", "logging", "mmap", "multiprocessing", "os"),
    *("pathlib", "pickle", "platform", "shelve", "shutil", "signal", "socket", "sqlite3"),
    *("ssl", "subprocess", "sys", "tarfile", "tempfile", "threading", "time", "urllib"),
    *("warnings", "zipfile"),
}
"""Modules of the standard library that read, write, log, wait or look at the machine."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, absolute, and whether it is imported as soon as its file is."""

    module: str
    line: int
    at_import: bool

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]

    @property
    def loads_torch(self) -> bool:
        within = f"{self.module}.".startswith((f"{TORCH_PACKAGE}.", f"{LAB_PACKAGE}."))
        return self.package == "torch" or within


def imports_of(file: Path, root: Path) -> list[Import]:
    """Every import of a file: statements, relative ones resolved, and importlib.import_module("...")."""
    folder = file.relative_to(root).with_suffix("").parts[:-1]
    found: list[Import] = []

    def visit(node: ast.AST, at_import: bool) -> None:
        for module in _modules_named_by(node, folder):
            found.append(Import(module, node.lineno, at_import))  # type: ignore[attr-defined]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            at_import = False
        if isinstance(node, ast.If) and ast.unparse(node.test).removeprefix("typing.") == "TYPE_CHECKING":
            for child in node.body:
                visit(child, False)
            for child in node.orelse:
                visit(child, at_import)
            return
        for child in ast.iter_child_nodes(node):
            visit(child, at_import)

    visit(ast.parse(file.read_text(encoding="utf-8"), filename=str(file)), True)
    return found


def _modules_named_by(node: ast.AST, folder: tuple[str, ...]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = folder[: len(folder) - node.level + 1] if node.level else ()
        module = ".".join((*base, *filter(None, [node.module])))
        # `from package import name` may import the module package.name; both spellings are the same import.
        submodules = [f"{module}.{alias.name}" for alias in node.names if f"{module}.{alias.name}" in KNOWN_MODULES]
        yield from submodules
        if len(submodules) < len(node.names):
            yield module
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
        "__import__",
        "import_module",
        "importlib.import_module",
    ):
        if not (node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)):
            return  # computed from a variable: nothing to read here, the subprocess tests below see it
        yield node.args[0].value


def files_of(package: str, root: Path = ROOT) -> list[Path]:
    return sorted((root / package).rglob("*.py"))


def module_name(file: Path, root: Path = ROOT) -> str:
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


KNOWN_MODULES = frozenset(module_name(file) for package in PACKAGES for file in files_of(package))


def offence(importer: str, module: Import) -> str | None:
    """Why a file may not import a module; None if it may.

    Args:
        importer: The file, relative to the root, with forward slashes.
        module: What it imports.
    """
    package, _, _ = importer.partition("/")
    foreign = module.package in OURS and module.package != package
    if package == "setol":
        if module.package == "setol":
            forbidden = module.loads_torch and not importer.startswith(TORCH_FOLDER)
            return "only the files that touch weights import those that load torch" if forbidden else None
        if module.package == "torch":
            return None if importer.startswith(TORCH_FOLDER) else f"torch belongs in {TORCH_FOLDER}"
        if module.package in sys.stdlib_module_names and module.package not in OUTSIDE_WORLD:
            return None
        return None if module.package in ("numpy", "scipy") else "setol is numerics: standard library, numpy, scipy"
    if package == "catalogs":
        if module.package in ("torch", "ray"):
            return "catalogs are data, and analysis imports them without torch or ray"
        return "catalogs import none of our packages" if foreign else None
    if package == "checkpoints":
        if module.package == "ray":
            return f"ray belongs in {RAY_FILE}"
        allowed = module.package == "catalogs" or module.module == "setol.reasons"
        return "checkpoints import catalogs and setol.reasons only" if foreign and not allowed else None
    if importer == SCRIPT and module.package == "setol_zoo":
        return None
    if package == "pipeline":
        if module.package == "ray" and importer != RAY_FILE:
            return f"ray belongs in {RAY_FILE}"
        allowed = module.package in ("setol", "checkpoints", "catalogs")
        return "pipeline imports setol, checkpoints and catalogs only" if foreign and not allowed else None
    if package == "analysis":
        if module.loads_torch or module.package == "ray":
            return "analysis reads files, without torch or ray"
        allowed = module.package in ("setol", "catalogs")
        return "analysis imports setol and catalogs only" if foreign and not allowed else None
    if importer.startswith(LAB_FOLDER):
        return f"ray belongs in {RAY_FILE}" if module.package == "ray" else None
    if module.at_import and (module.loads_torch or module.package == "ray"):
        return "setol_zoo imports torch and ray inside the functions that need them"
    return None


def offences(package: str, root: Path = ROOT) -> list[str]:
    """Every forbidden import of a package, as `file:line: module: why`."""
    return [
        f"{importer}:{module.line}: {module.module}: {why}"
        for file in files_of(package, root)
        for importer in [file.relative_to(root).as_posix()]
        for module in imports_of(file, root)
        if (why := offence(importer, module))
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_what_it_may(package):
    assert offences(package) == []


def test_ray_is_imported_by_one_file_of_the_pipeline():
    importers = {
        file.relative_to(ROOT).as_posix()
        for file in files_of("pipeline")
        if any(module.package == "ray" for module in imports_of(file, ROOT))
    }
    assert importers == ({RAY_FILE} if (ROOT / RAY_FILE).exists() else set())


def test_numerics_neither_open_nor_print():
    calls = [
        f"{file.name}:{node.lineno}: {ast.unparse(node.func)}"
        for file in files_of("setol")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in ("open", "print", "input", "np.load", "np.save", "np.loadtxt", "np.savetxt", "torch.load", "torch.save")
    ]
    assert calls == []


@pytest.mark.parametrize(
    ("file", "source", "expected"),
    [
        ("setol/erg.py", "import pandas", "pandas"),
        ("setol/erg.py", "import logging", "logging"),
        ("setol/erg.py", "from os import path", "os"),
        ("setol/erg.py", "import matplotlib.pyplot as plt", "matplotlib.pyplot"),
        ("setol/erg.py", "def f():\n    import torch", "torch"),
        ("setol/erg.py", "from setol.weights.gram import GramAccumulator", "setol.weights.gram"),
        ("setol/erg.py", "from setol.weights import gram", "setol.weights.gram"),
        ("setol/erg.py", "from .weights import gram", "setol.weights.gram"),
        ("setol/erg.py", "from .weights.gram import GramAccumulator", "setol.weights.gram"),
        ("setol/weights/gram.py", "import catalogs", "catalogs"),
        ("setol/weights/gram.py", "import ray", "ray"),
        ("catalogs/load.py", "from setol import Reason", "setol"),
        ("catalogs/load.py", "import torch", "torch"),
        ("checkpoints/open.py", "from setol.erg import trace_scale", "setol.erg"),
        ("checkpoints/open.py", "from setol import Reason", "setol"),
        ("checkpoints/open.py", "import pipeline", "pipeline"),
        ("checkpoints/open.py", "import ray", "ray"),
        ("pipeline/execution/worker.py", "import ray", "ray"),
        ("pipeline/execution/worker.py", "try:\n    import ray.data\nexcept ImportError:\n    pass", "ray.data"),
        ("pipeline/execution/worker.py", "import importlib\nimportlib.import_module('ray')", "ray"),
        ("pipeline/execution/worker.py", "from analysis.reporting import report", "analysis.reporting"),
        ("pipeline/execution/cluster.py", "from setol_zoo import api", "setol_zoo"),
        ("analysis/views.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch", "torch"),
        ("analysis/views.py", "from setol.weights.decomposition import decompose", "setol.weights.decomposition"),
        ("analysis/views.py", "import checkpoints.open", "checkpoints.open"),
        ("analysis/deep/views.py", "from .. import views\nfrom ...pipeline import plan", "pipeline"),
        ("setol_zoo/api.py", "import torch", "torch"),
        ("setol_zoo/api.py", "class A:\n    import ray", "ray"),
        ("setol_zoo/api.py", "if True:\n    from torch import nn", "torch"),
        ("setol_zoo/cli/main.py", "from setol.weights.decomposition import decompose", "setol.weights.decomposition"),
        ("setol_zoo/cli/theory.py", "from setol_zoo.lab.selection import agreement", "setol_zoo.lab.selection"),
        ("setol_zoo/lab/finite_width.py", "import ray", "ray"),
    ],
)
def test_a_planted_import_is_found(tmp_path, file, source, expected):
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(source, encoding="utf-8")
    (found,) = offences(file.partition("/")[0], tmp_path)
    assert found.startswith(f"{file}:")
    module = found.split(": ")[1]
    assert f"{module}.".startswith(f"{expected}.")  # `from package import name` names the module where there is one


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "setol/erg.py",
            "import dataclasses\nimport numpy as np\nimport scipy.special\nfrom setol.reasons import Reason",
        ),
        ("setol/weights/gram.py", "import torch\nfrom setol import entries"),
        (
            "catalogs/load.py",
            "import csv\nimport pathlib\nfrom catalogs.errors import CatalogError\nfrom . import keys",
        ),
        (
            "checkpoints/open.py",
            "import torch\nfrom setol.reasons import Reason\nfrom setol import reasons\nimport catalogs",
        ),
        ("pipeline/execution/cluster.py", "import ray"),
        (
            "pipeline/execution/worker.py",
            "from setol.weights.decomposition import decompose\nimport checkpoints\nimport catalogs",
        ),
        ("analysis/views.py", "import duckdb\nimport matplotlib\nfrom setol import fit_power_law\nimport catalogs"),
        ("setol_zoo/api.py", "def f():\n    import torch\n    import ray\nimport pipeline\nimport analysis"),
        ("setol_zoo/api.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
        ("setol_zoo/cli/theory.py", "def f():\n    from setol_zoo.lab.selection import agreement"),
        ("setol_zoo/lab/finite_width.py", "import torch\nfrom setol_zoo.lab.selection import agreement"),
    ],
)
def test_an_allowed_import_is_let_through(tmp_path, file, source):
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(source, encoding="utf-8")
    assert offences(file.partition("/")[0], tmp_path) == []


def run_python(source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=120)


BLOCKER = """
import importlib, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError("blocked: " + name, name=name)
sys.meta_path.insert(0, Blocker())
for module in {modules!r}:
    importlib.import_module(module)
assert not {blocked!r} & set(sys.modules)
"""


def import_without(modules: list[str], blocked: set[str]) -> subprocess.CompletedProcess[str]:
    """Import modules in a fresh interpreter in which others cannot be found."""
    return run_python(BLOCKER.format(modules=modules, blocked=blocked))


def test_importing_the_numerics_loads_no_torch():
    process = run_python(
        "import setol, sys; print(sorted({'torch', 'pandas', 'matplotlib', 'ray'} & set(sys.modules)))"
    )
    assert (process.stdout.strip(), process.returncode) == ("[]", 0), process.stderr


def test_metrics_from_stored_spectra_import_where_torch_is_missing():
    process = import_without(
        ["pipeline.refit", "pipeline.execution.processes", "pipeline.display.progress"], {"torch", "ray"}
    )
    assert process.returncode == 0, process.stderr


def test_numerics_import_where_torch_is_missing():
    numpy_part = [name for name in map(module_name, files_of("setol")) if not name.startswith(f"{TORCH_PACKAGE}.")]
    assert "setol.tails.power_law" in numpy_part
    process = import_without(numpy_part, {"torch", "ray"})
    assert process.returncode == 0, process.stderr


def test_analysis_imports_where_torch_and_ray_are_missing():
    process = import_without(["analysis", *map(module_name, files_of("analysis"))], {"torch", "ray"})
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("module", ["setol.weights.decomposition", "setol.weights.entries", "setol.weights.gram"])
def test_the_blocker_blocks(module):
    assert importlib.util.find_spec(module) is not None
    process = import_without([module], {"torch"})
    assert process.returncode != 0
    assert "ModuleNotFoundError: blocked: torch" in process.stderr


def test_nothing_imports_the_script():
    for package in OURS:
        for path in files_of(package):
            assert "pipeline.run" not in {each.module for each in imports_of(path, ROOT)}, path
