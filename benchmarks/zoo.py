"""Throughput of the job on 1 worker and on 2, one thread each: seconds, and what the second worker brings.

    python benchmarks/zoo.py [--models 16]

A zoo of seeded models, made on the spot, is run by the same executor with one and with two cores of a local Ray.
Start-up is left out: seconds count from the first outcome to the last, for the units in between.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from catalogs.paths import catalog_of_paths
from pipeline.execution.cluster import run_on_ray
from pipeline.execution.job import Job
from pipeline.options import Options
from pipeline.planning.identify import identify
from pipeline.planning.plan import Unit, make_plan
from pipeline.store.folder import ResultsFolder


def main() -> None:
    """Print units a second for 1 and 2 workers, and the parallel efficiency."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=16)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        units = _units(folder, arguments.models)
        rates = [_rate(units, folder / f"results{cpus}", cpus) for cpus in (1, 2)]
    print(f"1 worker {rates[0]:.2f} units/s, 2 workers {rates[1]:.2f} units/s, ratio {rates[1] / rates[0]:.2f}")


def _units(folder: Path, count: int) -> tuple[Unit, ...]:
    generator = torch.Generator().manual_seed(0)
    for number in range(count):
        tensors = {f"{layer}.weight": torch.randn(1536, 768, generator=generator) for layer in range(12)}
        save_file(tensors, folder / f"model{number}.safetensors")
    catalog = catalog_of_paths(sorted(map(str, folder.glob("*.safetensors"))))
    return make_plan(identify(catalog.files, folder / "cache").files, Options(), finished=(), failed=()).units


def _rate(units: tuple[Unit, ...], results: Path, cpus: int) -> float:
    """Units a second in the steady state of a run."""
    folder = ResultsFolder(results)
    folder.prepare()
    job = Job(folder, results / "cache", "benchmark", Options(), "cpu", 1)
    times = []
    for outcome in run_on_ray(units, job, cpus=cpus):
        assert outcome.done, outcome.error
        times.append(time.perf_counter())
    warm = 2 * cpus  # workers import torch during their first units
    return (len(times) - 1 - warm) / (times[-1] - times[warm])


if __name__ == "__main__":
    sys.exit(main())
