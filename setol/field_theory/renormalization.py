"""Kernels without their unlearnable part, which acts as noise: its value on the diagonal joins the ridge.

Between different inputs a term of high degree averages out, and on the diagonal it does not: so a kernel cut short,
with what was cut as ridge, predicts the same as the whole (Cohen, Malka and Ringel 2021).
"""

from dataclasses import dataclass

import numpy as np

from setol.errors import SetolError
from setol.field_theory.architecture import Architecture
from setol.field_theory.kernels import kernel_at_one
from setol.field_theory.spectrum import Spectrum, from_taylor
from setol.field_theory.sphere import check_dimension, degeneracies
from setol.field_theory.taylor import taylor_coefficients


@dataclass(frozen=True, slots=True, eq=False)
class Renormalized:
    """A finite spectrum and the ridge that stands for what was cut.

    Attributes:
        spectrum: Without a tail.
        added_ridge: To be added to the ridge, in squared units of the output.
    """

    spectrum: Spectrum
    added_ridge: float


def trim_taylor(architecture: Architecture, dimension: int, order: int) -> Renormalized:
    """Keep the Taylor coefficients up to an order, as the paper does.

    That lowers the eigenvalues of the degrees that are kept as well. The order has to reach the target's degree, with
    sqrt(N) d^(-(order + 1)/2) well below 1.

    Args:
        architecture: The network.
        dimension: Of the inputs.
        order: The last power of the cosine that is kept, r.

    Raises:
        SetolError: The dimension is below 3, or the order below 0.
    """
    check_dimension(dimension)
    if order < 0:
        raise SetolError(f"need an order of 0 or more, got {order}.")
    kept = taylor_coefficients(architecture, order + 1)
    spectrum = Spectrum(
        eigenvalues=from_taylor(kept, dimension, order),
        degeneracies=degeneracies(dimension, order),
        dimension=dimension,
    )
    return Renormalized(spectrum, kernel_at_one(architecture) - float(kept.sum()))


def cut_spectrum(spectrum: Spectrum, highest: int) -> Renormalized:
    """Keep the eigenvalues up to a degree, unchanged; good where those beyond are well below kappa.

    Args:
        spectrum: The whole one.
        highest: The last degree that is kept.

    Raises:
        SetolError: There is no such degree.
    """
    last = len(spectrum.eigenvalues) - 1
    if not 0 <= highest <= last:
        raise SetolError(f"need a highest degree from 0 to {last}, got {highest}.")
    kept = Spectrum(
        eigenvalues=spectrum.eigenvalues[: highest + 1],
        degeneracies=spectrum.degeneracies[: highest + 1],
        dimension=spectrum.dimension,
    )
    beyond = np.float64(spectrum.degeneracies[highest + 1 :] @ spectrum.eigenvalues[highest + 1 :])
    return Renormalized(kept, float(beyond) + spectrum.tail)
