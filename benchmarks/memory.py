"""Memory of one large matrix: peak RssAnon while a 32,000 x 4,096 float32 embedding is decomposed.

    python benchmarks/memory.py [ROWS COLUMNS]

The weights are mapped, so what counts is the Gram matrix, the solver's copy of it, and the chunks. The figure is
printed whole, and above what the process held before (Python, torch).
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.update({name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")})

import torch
from safetensors.torch import save_file

from catalogs import WeightFile
from checkpoints.open import open_checkpoint
from pipeline.decomposition.spectra import spectra_table
from pipeline.execution.memory import PeakMemory


def main() -> None:
    """Print peak RssAnon and seconds."""
    rows, columns = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (32_000, 4_096)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embedding.safetensors"
        if os.fork() == 0:  # the weights are made in a process of their own, whose memory goes with it
            generator = torch.Generator().manual_seed(0)
            save_file({"embed_tokens.weight": torch.randn(rows, columns, generator=generator)}, path)
            os._exit(0)
        os.wait()
        with PeakMemory() as before:
            pass
        file = WeightFile(model="path:embedding", name="embedding", file=str(path), weights_sha256="0" * 64)
        start = time.perf_counter()
        with PeakMemory() as during:
            spectra_table(file, open_checkpoint(path), "cpu")
        seconds = time.perf_counter() - start
    assert before.peak is not None and during.peak is not None, "RssAnon is known on Linux only"
    above = (during.peak - before.peak) / 2**20
    told = f"peak RssAnon {during.peak / 2**20:.0f} MiB, {above:.0f} MiB of it for this"
    print(f"{rows} x {columns} float32: {told}; {seconds:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
