"""What a layer's spectrum accepts, and in which scale it hands it on."""

import numpy as np
import pytest

from setol import SetolError
from setol.random_matrix.layer_spectrum import LayerSpectrum


def test_sorts_and_counts():
    spectrum = LayerSpectrum(np.array([3, 0, 2, 8, 1, 4], dtype=np.float32), 10, 3)
    assert list(spectrum.evals) == [0, 1, 2, 3, 4, 8]
    assert spectrum.evals.dtype == np.float64
    assert (spectrum.n_slices, spectrum.aspect_ratio, spectrum.lambda_max) == (2, 10 / 3, 8.0)
    assert list(spectrum.over_n) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.8])


def test_leaves_the_given_array_alone():
    evals = np.array([2.0, 1.0])
    LayerSpectrum(evals, 2, 2)
    assert list(evals) == [2.0, 1.0]


@pytest.mark.parametrize(
    ("evals", "n_rows", "n_cols", "message"),
    [
        ([], 2, 2, "need at least one eigenvalue"),
        ([[1.0, 2.0]], 2, 2, "need at least one eigenvalue"),
        ([1.0, -1.0], 2, 2, "need finite eigenvalues of at least 0"),
        ([1.0, np.nan], 2, 2, "need finite eigenvalues of at least 0"),
        ([1.0, np.inf], 2, 2, "need finite eigenvalues of at least 0"),
        ([1.0, 2.0], 1, 2, "Transpose a wider one"),
        ([1.0, 2.0], 2, 0, "need 1 <= M <= N"),
        ([1.0, 2.0, 3.0], 4, 2, "need M = 2 eigenvalues for each slice"),
        ([1.0, 5e-324], 2, 2, None),
        ([0.0, 5e-324], 2, 2, "Rescale the weights"),
        ([1.0, 1e305], 2, 2, "Rescale the weights"),
        ([1.0, 1e300], 2, 2, None),
        ([0.0, 0.0], 2, 2, None),
        ([1.0], 1, 1, None),
    ],
)
def test_accepts_spectra_alone(evals, n_rows, n_cols, message):
    if message is None:
        assert LayerSpectrum(np.array(evals), n_rows, n_cols).lambda_max == max(evals)
    else:
        with pytest.raises(SetolError, match=message):
            LayerSpectrum(np.array(evals), n_rows, n_cols)
