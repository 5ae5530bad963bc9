"""Ray's own process on the driver's machine is killed: the run says so and ends, and the same command does the rest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from catalogs.paths import catalog_of_paths
from tests.conftest import run_here
from tests.random_models import write_models

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds Ray's process through /proc"),
]

CODE = """
import os, signal, sys
from pathlib import Path
import tests.conftest as shared
from catalogs.paths import catalog_of_paths
from pipeline.execution.cluster import run_on_ray
from pipeline.errors import NodeError

def raylet():
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            program = (place / "cmdline").read_bytes().split(b"\\0")[0]
        except (OSError, ValueError):
            continue
        if parent == os.getpid() and program.endswith(b"/raylet"):
            return int(place.name)

def killed(units, job):
    outcomes = run_on_ray(units, job, cpus=1)
    yield next(outcomes)
    os.kill(raylet(), signal.SIGKILL)
    yield from outcomes

shared.run_serially = killed
try:
    shared.run_here(catalog_of_paths(sys.argv[2:]), Path(sys.argv[1]))
except NodeError as error:
    print(error)
"""


def test_the_run_ends_and_the_next_does_the_rest(tmp_path):
    pytest.importorskip("ray", reason="needs Ray")
    models = write_models(tmp_path, 100, layers=2, size=200, seed=7)
    run = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "r"), *map(str, models)],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Ray has ended on this machine" in run.stdout, run.stderr
    done = list((tmp_path / "r" / "layers" / "v1").glob("*.parquet"))
    assert 0 < len(done) < len(models)
    failed = [path for path in (tmp_path / "r" / "attempts").iterdir() if "-failed-" in path.name]
    assert failed == []
    again = run_here(catalog_of_paths(list(map(str, models))), tmp_path / "r")
    assert (again.computed, again.reused) == (len(models) - len(done), len(done))
