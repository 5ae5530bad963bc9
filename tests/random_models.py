"""Weight files of random matrices that take a while, for tests of what happens meanwhile."""

from pathlib import Path

import torch
from safetensors.torch import save_file


def write_models(folder: Path, count: int, *, layers: int, size: int, seed: int) -> list[Path]:
    """Models `m0.safetensors` and so on, each of some square matrices."""
    generator = torch.Generator().manual_seed(seed)
    paths = [folder / f"m{number}.safetensors" for number in range(count)]
    for path in paths:
        save_file({f"fc{i}.weight": torch.randn(size, size, generator=generator) for i in range(layers)}, path)
    return paths
