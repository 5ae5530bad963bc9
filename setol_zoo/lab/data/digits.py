"""scikit-learn's digits: 1,797 handwritten digits of 8 x 8, part of that package, so nothing is fetched."""

import numpy as np

from setol_zoo.lab.data.examples import DataSet, Examples
from setol_zoo.lab.data.split import stratified
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
    pixels, classes = load_digits(return_X_y=True)
    images = (pixels.astype(np.int64) * 255 // _BRIGHTEST).astype(np.uint8).reshape(-1, 1, 8, 8)
    labels = classes.astype(np.int64)
    tested = stratified(labels, N_TEST, _SEED)
    return DataSet(
        "digits", Examples(images[~tested], labels[~tested]), Examples(images[tested], labels[tested]), n_classes=10
    )
