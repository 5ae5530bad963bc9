"""From how many examples on a degree is learned: entropy favours the simple functions.

An eigenvalue cannot exceed the kernel's diagonal over the degeneracy, whatever the network, so a degree l needs about
d^l examples (Cohen, Malka and Ringel 2021).
"""

import numpy as np

from setol.errors import SetolError
from setol.field_theory.spectrum import Spectrum, Vector


def examples_to_learn(spectrum: Spectrum, ridge: float = 0.0) -> Vector:
    """Numbers of examples at which half of each degree is learned: those for which kappa is its eigenvalue.

    Args:
        spectrum: Of the kernel.
        ridge: 0 or more.

    Returns:
        sum_k degeneracy lambda_k/(lambda_k + lambda_l) + (ridge + tail)/lambda_l, shape (L+1,); infinite where the
        eigenvalue is 0.

    Raises:
        SetolError: The ridge is below 0.
    """
    if not ridge >= 0:
        raise SetolError(f"need a ridge of 0 or more, got {ridge}.")
    own = spectrum.eigenvalues[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        learned = (spectrum.degeneracies * spectrum.eigenvalues / (spectrum.eigenvalues + own)).sum(axis=1)
        found: Vector = learned + (ridge + spectrum.tail) / spectrum.eigenvalues
    return np.where(spectrum.eigenvalues > 0, found, np.inf)
