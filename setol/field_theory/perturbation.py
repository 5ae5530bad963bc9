"""Expansions of the learning curve in the inverse number of examples, on the sphere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setol.field_theory.spectrum import Spectrum, Vector


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """Errors per unit of what causes them.

    Attributes:
        per_degree: Of a target of one degree and mean square 1, shape (n, L+1).
        noise: Of label noise of variance 1, shape (n,).
        learnability: eigenvalue/(eigenvalue + ridge/N), shape (n, L+1).
        expansion: What is small where the expansion holds: learned modes per example, shape (n,).
    """

    per_degree: NDArray[np.float64]
    noise: Vector
    learnability: NDArray[np.float64]
    expansion: Vector


def equivalent_kernel(spectrum: Spectrum, kappa: Vector) -> Response:
    """Order 0: every mode is learned by itself, as from infinitely many examples (Rasmussen and Williams, 7.1).

    Args:
        spectrum: Of the kernel.
        kappa: ridge/N, shape (n,).
    """
    learned = _learnability(spectrum, kappa)
    nothing = np.zeros(len(kappa))
    return Response((1 - learned) ** 2, nothing, learned, nothing)


def paper_order(spectrum: Spectrum, kappa: Vector, n_examples: Vector) -> Response:
    """The next order as printed (Cohen, Malka and Ringel 2021, Eq. 10): the bias alone, in the Poisson ensemble.

    The predictor's variance is of the same order and left out there.
    """
    learned = _learnability(spectrum, kappa)
    per_example = learned @ spectrum.degeneracies / n_examples
    residual = (1 - learned) * (1 + learned * per_example[:, None])
    return Response(residual**2, np.zeros(len(kappa)), learned, per_example)


def next_order(spectrum: Spectrum, kappa: Vector, n_examples: Vector, *, poisson: bool) -> Response:
    """The complete next order: bias and variance, for a fixed or a Poisson number of examples.

    From the direct expansion of (1 + Lambda S/kappa)^-1 in the fluctuation of the features' second moment S.
    """
    learned = _learnability(spectrum, kappa)
    first = (learned @ spectrum.degeneracies)[:, None]
    second = (learned**2 @ spectrum.degeneracies)[:, None]
    per_example = first[:, 0] / n_examples
    noise = second[:, 0] / n_examples
    if not poisson:
        first, second = first - learned, second - learned**2
    count = n_examples[:, None]
    bias = (1 - learned) * (1 + learned * first / count)
    variance = (1 - learned) ** 2 * second / count
    return Response(bias**2 + variance, noise, learned, per_example)


def _learnability(spectrum: Spectrum, kappa: Vector) -> NDArray[np.float64]:
    found: NDArray[np.float64] = spectrum.eigenvalues / (spectrum.eigenvalues + kappa[:, None])
    return found
