"""scikit-learn's digits: 1,797 handwritten digits of 8 x 8, part of that package, so nothing is fetched."""

import numpy as np
from numpy.typing import NDArray

from setol_zoo.lab.data.examples import DataSet, Examples
from setol_zoo.lab.errors import DataError

N_TEST = 450
_SEED = 20
_BRIGHTEST = 16


def read_digits() -> DataSet:
    """The digits with a fixed split, stratified by class: 1,347 to learn from, 450 to test.

    Pixels are whole numbers 0 to 16. They become `p * 255 // 16`, 17 different bytes, so that `(byte + 15) // 16`
    gives each back.

    Raises:
        DataError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise DataError(
            f"the data set digits comes with scikit-learn, and the package {error.name} is not installed: "
            "pip install 'setol-zoo[lab]'"
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels.astype(np.int64) * 255 // _BRIGHTEST).astype(np.uint8).reshape(-1, 1, 8, 8)
    labels = labels.astype(np.int64)
    tested = stratified(labels, N_TEST, _SEED)
    return DataSet(
        "digits", Examples(images[~tested], labels[~tested]), Examples(images[tested], labels[tested]), n_classes=10
    )


def stratified(labels: NDArray[np.int64], n: int, seed: int) -> NDArray[np.bool_]:
    """Which of the examples are chosen: `n` of them, from each class its share, rounded by largest remainder.

    Args:
        labels: (examples,), classes.
        n: How many to choose.
        seed: Of the choice within classes. The generator's raw bits do not change between versions of numpy.

    Returns:
        (examples,), true for `n` of them.
    """
    # A permutation by sorting raw bits: numpy promises the same stream of bits for ever, not the same shuffle.
    keys = np.random.PCG64(seed).random_raw(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * n / len(labels)
    wanted = np.floor(shares).astype(np.int64)
    wanted[np.argsort(wanted - shares, kind="stable")[: n - wanted.sum()]] += 1
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label, count in zip(classes, wanted, strict=True):
        members = np.flatnonzero(labels == label)
        chosen[members[np.argsort(keys[members], kind="stable")[:count]]] = True
    return chosen
