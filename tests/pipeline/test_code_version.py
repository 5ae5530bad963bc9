import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.code_version import PACKAGES, code_version

ROOT = Path(__file__).resolve().parents[2]


def version_in(folder: Path) -> str:
    code = "from pipeline.code_version import code_version; print(code_version())"
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout.strip()


@pytest.fixture
def copy(tmp_path):
    for package in (*PACKAGES, "analysis"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_copy_elsewhere_has_the_same_version_and_a_changed_one_another(copy):
    first = version_in(copy)
    assert len(first) == 12
    assert version_in(copy) == first
    (copy / "analysis" / "errors.py").write_text("# no worker imports it\n")
    (copy / "setol" / "notes.txt").write_text("no code\n")
    assert version_in(copy) == first
    module = copy / "setol" / "another.py"
    module.write_text("A = 1\n")
    second = version_in(copy)
    module.write_text("A = 2\n")
    third = version_in(copy)
    module.rename(copy / "setol" / "renamed.py")
    assert len({first, second, third, version_in(copy)}) == 4


def test_this_process_reads_it_once():
    assert code_version() is code_version()
