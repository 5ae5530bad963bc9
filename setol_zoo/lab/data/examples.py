"""A data set in memory: images as they were published, and the class of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol_zoo.lab.errors import DataError


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled images.

    Attributes:
        images: (n, channels, height, width), brightness 0 to 255.
        labels: (n,), classes from 0.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set with its fixed split.

    Attributes:
        name: What it was asked for by.
        train: Examples to learn from.
        test: Examples of which nothing is learned.
        n_classes: Labels lie below it.

    Raises:
        DataError: Images and labels do not go together, or a label is no class.
    """

    name: str
    train: Examples
    test: Examples
    n_classes: int

    def __post_init__(self) -> None:
        for part, examples in (("training", self.train), ("test", self.test)):
            _check(f"{self.name}, {part} part", examples, self.n_classes)


def _check(what: str, examples: Examples, n_classes: int) -> None:
    images, labels = examples.images, examples.labels
    if images.ndim != 4 or images.dtype != np.uint8:
        raise DataError(
            f"{what}: need images of bytes (n, channels, height, width), got {images.dtype} {images.shape}."
        )
    if labels.shape != (len(images),):
        raise DataError(f"{what}: need one label an image, got {labels.shape} labels for {len(images)} images.")
    if len(labels) and not 0 <= labels.min() <= labels.max() < n_classes:
        raise DataError(f"{what}: need labels from 0 to {n_classes - 1}, got {labels.min()} to {labels.max()}.")
