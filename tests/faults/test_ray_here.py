"""Ray as a run starts it on this machine: again in the same process, and nothing left in the user's home."""

import os
import subprocess
import sys

import pytest

from tests.random_models import write_models

pytestmark = pytest.mark.ray

CODE = """
import sys
from pathlib import Path
import tests.conftest as shared
from catalogs.paths import catalog_of_paths
from pipeline.execution.cluster import run_on_ray
shared.run_serially = run_on_ray
catalog = catalog_of_paths(sys.argv[1:2])
done = [shared.run_here(catalog, Path(sys.argv[2]) / str(n)).computed for n in range(2)]
assert done == [1, 1], done
"""


def test_two_runs_in_one_process_and_an_untouched_home(tmp_path):
    """Ray reads its token once a process; and it would leave one at home if it were let."""
    pytest.importorskip("ray", reason="needs Ray")
    (model,) = write_models(tmp_path, 1, layers=1, size=100, seed=7)
    home = tmp_path / "home"
    home.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", CODE, str(model), str(tmp_path)],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert not list(home.rglob("*"))
