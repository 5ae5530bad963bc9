"""Anonymous memory while a file is decomposed: weights are mapped; no tensor is widened or compared whole."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

WEIGHTS = 2**26
"""Bytes of each large tensor, far above what its narrow side needs."""

ALLOWED = 40 * 2**20
"""Bytes that a decomposition may take beside what the process held: libraries keep up to 30 MiB after first calls,
weights widened whole would take 128 MiB or more, and a byte for every entry of the zeros below 64."""

MEASURE = """
import json, sys
from pathlib import Path
import torch
from catalogs import WeightFile
from checkpoints.open import open_checkpoint
from pipeline.execution.memory import PeakMemory
from pipeline.decomposition.spectra import spectra_table

torch.set_num_threads(1)

def rows(path):
    file = WeightFile(model=f"path:{path}", name="m", file=str(path), weights_sha256="0" * 64)
    return spectra_table(file, open_checkpoint(path), "cpu").to_pylist()

warm, *paths = map(Path, sys.argv[1:])
rows(warm)
told = {}
for path in paths:
    with PeakMemory() as before:
        pass
    with PeakMemory() as during:
        found = [(row["tensor"], row["reason"] or row["role"]) for row in rows(path)]
    told[path.stem] = {"found": found, "above": during.peak - before.peak}
print(json.dumps(told))
"""


def zeros_with_an_end(*shape):
    """All zeros but the last entry: nothing tells it from a constant before the end."""
    tensor = torch.zeros(shape)
    tensor.view(-1)[-1] = 1.0
    return tensor.to(torch.float8_e5m2)


def randn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def float8(*shape):
    numbers = torch.arange(2**16, dtype=torch.float32).remainder(251) - 125
    return numbers.to(torch.float8_e4m3fn).repeat(WEIGHTS // 2**16).view(shape)


CASES = {
    "tall": lambda: {"embed_tokens.weight": randn(2**18, 64)},
    "as Conv1D of GPT-2": lambda: {"h.0.mlp.c_fc.weight": randn(64, 2**18)},
    "experts": lambda: {"mlp.experts.down_proj": randn(64, 64, 2**12)},
    "experts, transposed": lambda: {"mlp.experts.up_proj": randn(64, 2**12, 64)},
    "kernel": lambda: {"conv.weight": randn(2**15, 32, 4, 4)},
    "fused rows": lambda: {"attn.qkv.weight": randn(3 * 2**17, 42)},
    "tied": lambda: {"embed_tokens.weight": randn(2**18, 64), "lm_head.weight": randn(2**18, 64)},
    "zeros": lambda: {"fc.weight": torch.zeros(2**20, 64).to(torch.float8_e5m2)},
    "zeros but one": lambda: {"fc.weight": zeros_with_an_end(2**20, 64)},
    "8-bit floats": lambda: {"fc.weight": float8(2**20, 64)},
    "many of 16 bits": lambda: {f"l{i}.weight": randn(1024, 1024).bfloat16() for i in range(WEIGHTS // 2**21)},
    "saved by torch": lambda: {"fc.weight": randn(2**18, 64)},
    "quantized": lambda: {"fc.weight": float8(2**20, 64), "fc.weight_scale_inv": torch.full((2**13, 1), 0.5)},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Roles, and bytes beside what the process held before, by case."""
    if sys.platform != "linux":
        pytest.skip("RssAnon is known on Linux only")
    folder = tmp_path_factory.mktemp("large")
    paths = [folder / "warm.safetensors"]
    save_file({"fc.weight": randn(300, 64)}, paths[0])
    for case, tensors in CASES.items():
        save, suffix = (torch.save, "pt") if case == "saved by torch" else (save_file, "safetensors")
        paths.append(folder / f"{case}.{suffix}")
        save(tensors(), paths[-1])
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for path in paths:
        path.unlink()
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_large_tensor_takes_little_memory(case, told):
    assert {what for _, what in told[case]["found"]} <= {"analyzed", "tied", "scales"}
    assert told[case]["above"] < ALLOWED
