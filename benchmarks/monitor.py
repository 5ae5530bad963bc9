"""What `zoo.Monitor` costs: milliseconds of the processor a call, beside bare decompositions and an epoch of training.

    python benchmarks/monitor.py [--repeats 9]

The bare calls are W.T @ W and eigvalsh in float64, the taps of a kernel in one batch, on copies that are ready. An
epoch is 60,000 images of the network's size in batches of 32, by SGD, told from one of its steps. One thread; the
least of the repeats, taken in turns. What the disk takes to keep the file is not counted, some milliseconds a call.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

os.environ.update({name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")})

import torch
from torch import nn

import setol_zoo as zoo
from checkpoints.layout import lay_out
from checkpoints.live import live_module
from checkpoints.matrices import matrix_stack
from checkpoints.torchvision_import import import_timm

EXAMPLES, BATCH = 60_000, 32


class Residual(nn.Module):
    """Two kernels with batch normalization, and the input added where the shape stays."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        stride = 1 if n_in == n_out else 2
        self.conv1, self.bn1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out)
        self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The next layer's images."""
        found = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(images)))))
        return torch.relu(found + images if found.shape == images.shape else found)


def mlp() -> nn.Module:
    """784-300-100-10."""
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))
    )


def resnet20() -> nn.Module:
    """The shapes of ResNet-20 for CIFAR-10."""
    widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
    blocks = [Residual(*pair) for pair in pairwise(widths)]
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )


def vit_tiny() -> nn.Module:
    """timm's, with random weights."""
    model: nn.Module = import_timm().create_model("vit_tiny_patch16_224", num_classes=10)
    return model


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP 784-300-100-10": (mlp, (1, 28, 28)),
    "ResNet-20": (resnet20, (3, 32, 32)),
    "vit_tiny_patch16_224": (vit_tiny, (3, 224, 224)),
}


def main() -> None:
    """Print a line a network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print(
        "network               matrices  bare ms  log ms  /bare  permutations=0 ms  /bare   epoch s  log/epoch  file kB"
    )
    for name, (make, shape) in NETWORKS.items():
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            print(_line(name, make(), shape, Path(folder), repeats), flush=True)


def _line(name: str, model: nn.Module, shape: tuple[int, ...], folder: Path, repeats: int) -> str:
    stacks = _stacks(model)
    whole, plain = zoo.Monitor(model, folder / "whole"), zoo.Monitor(model, folder / "plain", permutations=0)
    bare, log, less, step = _interleaved(
        repeats,
        lambda: _bare(stacks),
        lambda: whole.log(0, loss=1.0),
        lambda: plain.log(0, loss=1.0),
        _training_step(model, shape),
    )
    epoch = step * EXAMPLES / BATCH
    size = (folder / "whole" / "epoch-000000.parquet").stat().st_size
    return (
        f"{name:<21} {len(stacks):>8} {1e3 * bare:>8.1f} {1e3 * log:>7.1f} {log / bare:>6.1f} {1e3 * less:>18.1f} "
        f"{less / bare:>6.1f} {epoch:>9.1f} {100 * log / epoch:>8.3f} % {size / 1e3:>8.1f}"
    )


def _stacks(model: nn.Module) -> list[torch.Tensor]:
    """All matrices, ready for the bare calls."""
    checkpoint = live_module(model)
    return [
        matrix_stack(checkpoint.read(layout.header.name), part).double().contiguous()
        for layout in lay_out(checkpoint.headers, checkpoint.facts)
        for part in layout.parts
    ]


def _bare(stacks: list[torch.Tensor]) -> None:
    for stack in stacks:
        torch.linalg.eigvalsh(stack.mT @ stack)


def _training_step(model: nn.Module, shape: tuple[int, ...]) -> Callable[[], None]:
    images, labels = torch.randn(BATCH, *shape), torch.randint(10, (BATCH,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def _interleaved(repeats: int, *functions: Callable[[], object]) -> list[float]:
    """The least seconds of the processor of each, taken in turns, so that what disturbs one disturbs all."""
    best = [float("inf")] * len(functions)
    for _ in range(repeats):
        for index, function in enumerate(functions):
            start = time.process_time()
            function()
            best[index] = min(best[index], time.process_time() - start)
    return best


if __name__ == "__main__":
    sys.exit(main())
