"""Time per matrix on a device, alone and in batches, in both precisions: ours, the bare calls, WeightWatcher's.

    python benchmarks/gpu.py [--device cuda] [--sizes 256 512 1024] [--weightwatcher PYTHON]

Square float32 matrices. Ours takes them from main memory and gives spectra and entry statistics; the bare calls are
W.T @ W and eigvalsh on copies that are ready on the device. Batches of ours keep to the budget of the job,
so that large matrices stand alone there too. PYTHON is an interpreter with weightwatcher 0.7.7, whose fast path is
singular values in float32 where it sees a GPU, and SciPy's where not. One thread on a CPU.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

os.environ.update({name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")})

import torch

from pipeline.decomposition.decomposer import GPU_BATCH_BYTES
from pipeline.decomposition.device_choice import cpu_name
from setol.weights.batches import Decompose, decompose_batched
from setol.weights.decomposition import decompose
from setol.weights.precision import decompose_float32

SIZES = {"cpu": (64, 128, 256, 512, 1024), "cuda": (256, 512, 1024, 2048, 4096, 8192)}
REPEATS = 3
MOST_MATRICES = 64
MOST_ENTRIES = {"cpu": 2**21, "cuda": 2**26}
"""Of all matrices of a size together, so that none takes much longer than another."""

WEIGHTWATCHER = """
import contextlib, io, logging, sys, time
import numpy
logging.disable(logging.CRITICAL)
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    from weightwatcher.RMT_Util import svd_vals
    size, count, repeats = map(int, sys.argv[1:])
    matrices = numpy.random.default_rng(0).standard_normal((count, size, size)).astype("float32")
    seconds = []
    for _ in range(1 + repeats):  # the first is warm-up
        start = time.perf_counter()
        for W in matrices:
            svd_vals(W, method="fast")
        seconds.append(time.perf_counter() - start)
print(min(seconds[1:]) / count)
"""


def main() -> None:
    """Print a line a size and precision; milliseconds a matrix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--weightwatcher", metavar="PYTHON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    name = cpu_name() if device.type == "cpu" else torch.cuda.get_device_name(device)
    print(f"{name}, torch {torch.__version__}; milliseconds a matrix")
    print(f"{'size':>5} {'matrices':>8} precision {'ours':>9} {'batched':>9} {'bare':>9} {'batched':>9} {'ww':>9}")
    for size in arguments.sizes or SIZES[device.type]:
        count = max(1, min(MOST_MATRICES, MOST_ENTRIES[device.type] // size**2))
        theirs = _weightwatcher(arguments.weightwatcher, size, count) if arguments.weightwatcher else None
        for dtype, compute in ((torch.float64, decompose), (torch.float32, decompose_float32)):
            seconds = _seconds(_weights(size, count), dtype, compute, device)
            cells = " ".join(f"{1e3 * value / count:>9.3f}" for value in seconds)
            told = f"{1e3 * theirs:>9.3f}" if theirs is not None else f"{'-':>9}"
            print(f"{size:>5} {count:>8} {str(dtype).removeprefix('torch.'):<9} {cells} {told}", flush=True)


def _weights(size: int, count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    return [torch.randn(1, size, size, generator=generator) for _ in range(count)]


def _seconds(weights: list[torch.Tensor], dtype: torch.dtype, compute: Decompose, device: torch.device) -> list[float]:
    """Of all matrices: ours alone and in batches, the bare calls alone and in one batch."""
    ready = torch.cat(weights).to(device, dtype)
    functions: list[Callable[[], object]] = [
        lambda: [compute(each, device=device) for each in weights],
        partial(decompose_batched, weights, device=device, budget_bytes=GPU_BATCH_BYTES, compute=compute),
        lambda: [_bare(each) for each in ready.split(1)],
        lambda: _bare(ready),
    ]
    best = [float("inf")] * len(functions)
    for repeat in range(1 + REPEATS):  # the first is warm-up
        for index, function in enumerate(functions):
            start = time.perf_counter()
            function()
            if repeat:
                best[index] = min(best[index], time.perf_counter() - start)
    return best


def _bare(W: torch.Tensor) -> torch.Tensor:
    return torch.linalg.eigvalsh(W.mT @ W).cpu()  # back in main memory: the device has finished


def _weightwatcher(python: str, size: int, count: int) -> float:
    command = [python, "-c", WEIGHTWATCHER, *map(str, (size, count, REPEATS))]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
