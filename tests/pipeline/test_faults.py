"""Workers and drivers killed in the middle of a real run on Ray: the same command finishes, and nothing differs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalogs.paths import catalog_of_paths
from tests.conftest import run_here
from tests.random_models import write_models

pytestmark = pytest.mark.ray

N_MODELS = 8


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Path:
    """Models of about half a second each."""
    folder = tmp_path_factory.mktemp("zoo")
    write_models(folder, N_MODELS, layers=6, size=900, seed=7)
    return folder


@pytest.fixture(scope="module")
def undisturbed(zoo, tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    summary = run_here(catalog_of_paths(models(zoo)), folder)
    assert summary.computed == N_MODELS
    return published(folder)


def models(zoo: Path) -> list[str]:
    return sorted(map(str, zoo.glob("*.safetensors")))


def published(folder: Path) -> dict[str, bytes]:
    """Bytes of every visible result file."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for stage in ("spectra/v1", "layers/v1")
        for path in (folder / stage).glob("*.parquet")
    }


def start(zoo: Path, results: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "setol_zoo.cli", "run", *models(zoo), "--results", str(results), "--device", "cpu"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def wait_for_layers(results: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while len(list((results / "layers" / "v1").glob("*.parquet"))) < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "no results after 90 s"
        time.sleep(0.02)


def ray_workers(session: int) -> Iterator[int]:
    """Processes of a session of ours that work on a unit: Ray names them after the function."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.getsid(int(entry.name)) == session and b"ray::run_unit" in (entry / "cmdline").read_bytes():
                yield int(entry.name)
        except (OSError, ProcessLookupError):
            continue


def read_every_visible_file(folder: Path) -> None:
    """A file cut short would have no footer, and this would raise."""
    files = list(folder.rglob("*.parquet"))
    assert files
    for path in files:
        pq.read_table(path)


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds Ray's workers through /proc")
def test_a_killed_worker_costs_nothing(zoo, undisturbed, tmp_path):
    process = start(zoo, tmp_path)
    wait_for_layers(tmp_path, 1, process)
    deadline = time.monotonic() + 30
    while not (workers := list(ray_workers(process.pid))):
        assert time.monotonic() < deadline, "no worker to kill"
        time.sleep(0.01)
    os.kill(workers[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert published(tmp_path) == undisturbed
    read_every_visible_file(tmp_path)


def test_a_killed_driver_is_taken_up_where_it_was(zoo, undisturbed, tmp_path):
    first = start(zoo, tmp_path)
    wait_for_layers(tmp_path, 2, first)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=60)
    read_every_visible_file(tmp_path)
    kept = published(tmp_path)
    assert len(kept) < len(undisturbed)
    second = start(zoo, tmp_path)
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0, output
    there = sum(name.startswith("layers") for name in kept)
    assert f"{N_MODELS} weight files: " in output
    assert int(output.split("weight files: ")[1].split(" there")[0]) >= there >= 2
    assert published(tmp_path) == undisturbed
    read_every_visible_file(tmp_path)


def test_two_runs_in_one_process_and_an_untouched_home(zoo, tmp_path):
    """Ray reads its token once a process; and it would leave one at home if it were let."""
    code = (
        "import sys; from pathlib import Path; from tests.conftest import run_here; from pipeline import serial;"
        "from pipeline.cluster import run_on_ray; from catalogs.paths import catalog_of_paths;"
        "import tests.conftest as shared; shared.run_serially = run_on_ray;"
        "catalog = catalog_of_paths(sys.argv[1:2]);"
        "done = [run_here(catalog, Path(sys.argv[2]) / str(n)).computed for n in range(2)]; assert done == [1, 1], done"
    )
    home = tmp_path / "home"
    home.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", code, models(zoo)[0], str(tmp_path)],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert not list(home.rglob("*"))
