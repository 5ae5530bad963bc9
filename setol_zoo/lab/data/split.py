"""A fixed split for data sets that were published without one: the same for everyone, whatever version of numpy."""

import numpy as np
from numpy.typing import NDArray


def fixed_order(n: int, seed: int) -> NDArray[np.int64]:
    """A permutation of `n` examples.

    By sorting the bits of a generator: numpy promises the same bits for ever, and not the same shuffle.
    """
    return np.argsort(np.random.PCG64(seed).random_raw(n), kind="stable")


def stratified(labels: NDArray[np.int64], n: int, seed: int) -> NDArray[np.bool_]:
    """Which of the examples are chosen: `n` of them, from each class its share, rounded by largest remainder.

    Args:
        labels: (examples,), classes.
        n: How many to choose.
        seed: Of the choice within classes.

    Returns:
        (examples,), true for `n` of them.
    """
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * n / len(labels)
    wanted = np.floor(shares).astype(np.int64)
    wanted[np.argsort(wanted - shares, kind="stable")[: n - wanted.sum()]] += 1
    order = fixed_order(len(labels), seed)
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label, count in zip(classes, wanted, strict=True):
        chosen[order[labels[order] == label][:count]] = True
    return chosen
