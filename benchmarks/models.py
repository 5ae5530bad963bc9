"""Time per model: ours, the bare calls, WeightWatcher's. Ratios of one run; run it on an idle machine.

    python benchmarks/models.py [--weightwatcher PYTHON] [MODEL ...]

The bare calls are W.T @ W and eigvalsh in float64, the taps of a kernel in one batch: what any implementation
must pay. Ours is decomposition and metrics; loading is left out on all sides. One thread everywhere. MODEL is a
model of the demo, or `bert-base`, a seeded random network of BERT-base's shapes. PYTHON is an interpreter with
weightwatcher 0.7.7 (`make reference` makes one in .venv-reference).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update({name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")})

import torch
from safetensors.torch import save_file
from threadpoolctl import threadpool_limits

from catalogs import WeightFile, load_catalog
from catalogs.places import cache_directory
from checkpoints.fetch import fetch
from checkpoints.layout import lay_out
from checkpoints.matrices import matrix_stack
from checkpoints.open import open_checkpoint
from checkpoints.tensors import Checkpoint
from pipeline.decomposition.spectra import spectra_table
from pipeline.measurement.metrics import layers_table
from pipeline.options import preset

MODELS = ("resnet20", "resnet56", "efficientnet_lite0", "all-MiniLM-L6-v2", "bert-base")
SECONDS = 3.0
"""How long the functions of a model are run in turns, each three times at least: the least of many is steadier."""

WEIGHTWATCHER = """
import contextlib, io, json, sys, time, logging
import torch
from safetensors.torch import load_file
logging.disable(logging.CRITICAL)
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    import weightwatcher
    torch.set_num_threads(1)
    path = sys.argv[1]
    safe = path.endswith(".safetensors")
    state = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    seconds = []
    while len(seconds) < 3 or sum(seconds) < float(sys.argv[2]):
        start = time.perf_counter()
        weightwatcher.WeightWatcher(model=state).analyze()
        seconds.append(time.perf_counter() - start)
sys.stderr.write(json.dumps(min(seconds)))
"""


def main() -> None:
    """Print a line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--weightwatcher", metavar="PYTHON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        print("model                matrices   ours s   bare s  ours/bare  beyond bare, ms/matrix  ww s  ww/ours")
        for name in arguments.models:
            print(_line(name, _file(name, Path(folder)), arguments.weightwatcher), flush=True)


def _line(name: str, path: Path, weightwatcher: str | None) -> str:
    file = WeightFile(model=f"path:{name}", name=name, file=str(path), weights_sha256="0" * 64)
    checkpoint = open_checkpoint(path)
    stacks = _stacks(checkpoint)
    ours, bare = _interleaved(lambda: _ours(file, checkpoint), lambda: _bare(stacks))
    beyond = 1e3 * (ours - bare) / len(stacks)
    line = f"{name:<20} {len(stacks):>8} {ours:>8.3f} {bare:>8.3f} {ours / bare:>10.2f} {beyond:>23.3f}"
    if weightwatcher:
        theirs = _weightwatcher(weightwatcher, path)
        line += f" {theirs:>5.2f} {theirs / ours:>8.1f}"
    return line


def _file(name: str, folder: Path) -> Path:
    if name != "bert-base":
        (file,) = load_catalog("demo").select([name]).files
        return fetch(file, cache_directory())
    generator = torch.Generator().manual_seed(0)
    shapes = {f"encoder.layer.{i}.attention.{part}": (768, 768) for i in range(12) for part in "qkvo"}
    shapes |= {f"encoder.layer.{i}.up": (3072, 768) for i in range(12)}
    shapes |= {f"encoder.layer.{i}.down": (768, 3072) for i in range(12)}
    path = folder / "bert-base.safetensors"
    save_file({f"{key}.weight": torch.randn(shape, generator=generator) for key, shape in shapes.items()}, path)
    return path


def _stacks(checkpoint: Checkpoint) -> list[torch.Tensor]:
    """All matrices, ready for the bare calls."""
    return [
        matrix_stack(checkpoint.read(layout.header.name), part).double().contiguous()
        for layout in lay_out(checkpoint.headers)
        for part in layout.parts
    ]


def _bare(stacks: list[torch.Tensor]) -> None:
    for stack in stacks:
        torch.linalg.eigvalsh(stack.mT @ stack)


def _ours(file: WeightFile, checkpoint: Checkpoint) -> None:
    layers_table(spectra_table(file, checkpoint, "cpu"), preset("weightwatcher"), "benchmark")


def _interleaved(*functions: Callable[[], None]) -> list[float]:
    """The least seconds of each, taken in turns, so that what disturbs one disturbs all."""
    seconds: list[list[float]] = [[] for _ in functions]
    while len(seconds[0]) < 3 or sum(map(sum, seconds)) < SECONDS:
        for function, own in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            own.append(time.perf_counter() - start)
    return [min(own) for own in seconds]


def _weightwatcher(python: str, path: Path) -> float:
    run = subprocess.run(
        [python, "-c", WEIGHTWATCHER, str(path), str(SECONDS)], capture_output=True, text=True, check=True
    )
    seconds: float = json.loads(run.stderr.splitlines()[-1])
    return seconds


if __name__ == "__main__":
    sys.exit(main())
