"""A real run on Ray in which some models crash their worker, hang, or need too much memory; prints what became of it.

python -m tests.pipeline.faulty_ray FOLDER_OF_MODELS RESULTS
"""

import ctypes
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from catalogs import WeightFile
from catalogs.paths import catalog_of_paths
from pipeline.drive import RunRequest, drive
from pipeline.execution import cluster, dispatch
from pipeline.execution.job import Job, Outcome
from pipeline.options import Options
from pipeline.planning.estimate import UnitCost
from pipeline.planning.plan import Unit
from pipeline.store.folder import ResultsFolder
from tests.conftest import Silent

LIMIT = 8.0


def misbehave(path: Path) -> None:
    """What a model does to its worker, by its name."""
    if "segfault" in path.stem:
        ctypes.string_at(0)
    if "hang" in path.stem:
        time.sleep(600)
    if "stuck" in path.stem:  # C code that holds the interpreter's lock
        ctypes.PyDLL(None).sleep(600)
    if "memory" in path.stem:
        raise MemoryError("an array of 1 EiB")


def run_units(works: Any, job: Job, beside_gpus: bool) -> Iterator[Any]:
    """The task, in a worker in which some models misbehave."""
    from pipeline.execution import watched

    assert job.code is None, "Ray of this machine alone has the driver's code"
    watched.GRACE_SECONDS = 2.0
    real = watched.run_unit

    def run_unit(unit: Unit, job: Job, turn: Any, **told: Any) -> Outcome:
        @contextmanager
        def misbehaving() -> Iterator[None]:
            with turn():
                misbehave(Path(unit.file.file))  # before torch is loaded, which takes longer than all else here
                yield

        return real(unit, job, misbehaving, **told)

    watched.run_unit = run_unit
    try:
        yield from real_task(works, job, beside_gpus)
    finally:
        watched.run_unit = real


def cost(file: WeightFile, cache: Path) -> UnitCost:
    """What a unit costs, one of which is too large for any machine."""
    found = real_cost(file, cache)
    return replace(found, memory=2**50) if file.name == "huge" else found


real_task, real_cost = cluster.run_units, dispatch.unit_cost


def execute(units: tuple[Unit, ...], job: Job) -> Iterator[Outcome]:
    """The executor on Ray with a short time limit."""
    return cluster.run_on_ray(units, replace(job, time_limit=LIMIT), cpus=2)


if __name__ == "__main__":
    cluster.run_units, dispatch.unit_cost = run_units, cost
    models = catalog_of_paths(sorted(map(str, Path(sys.argv[1]).glob("*.safetensors"))))
    folder = ResultsFolder(Path(sys.argv[2]))
    summary = drive(RunRequest(models, folder, folder.root, Options(), device="cpu"), execute, Silent())
    sys.stdout.write(json.dumps(asdict(summary)))
