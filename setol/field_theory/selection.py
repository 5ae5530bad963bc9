"""Which network to take, and which ridge, without training any: the one whose predicted error is least."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from setol.errors import SetolError
from setol.field_theory.architecture import Architecture
from setol.field_theory.learning_curve import Method, learning_curve
from setol.field_theory.spectrum import Spectrum, sphere_spectrum

_RIDGES = 120
_DECADES = (-8.0, 4.0)
_REFINEMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A network with a ridge.

    Attributes:
        architecture: The network.
        ridge: In squared units of the output.
        error: Predicted, in squared units of the target.
    """

    architecture: Architecture
    ridge: float
    error: float


def rank(
    architectures: Iterable[Architecture],
    ridges: Sequence[float],
    *,
    dimension: int,
    n_examples: float,
    target_power: Sequence[float],
    label_noise: float = 0.0,
    power_beyond: float = 0.0,
    method: str = Method.SELF_CONSISTENT,
    highest: int = 40,
) -> tuple[Candidate, ...]:
    """Networks and ridges by predicted error, the best first.

    Args:
        architectures: The networks.
        ridges: As shares of each network's variance at an input (the kernel's diagonal), so that they mean the same
            for all.
        dimension: Of the inputs.
        n_examples: Training examples.
        target_power: Mean square of the target by degree.
        label_noise: Variance of noise on the labels.
        power_beyond: Mean square of the target beyond those degrees.
        method: A `Method`.
        highest: The last degree of the spectra.

    Raises:
        SetolError: There is nothing to rank, or a number is outside its range.
    """
    found = []
    for architecture in architectures:
        spectrum = sphere_spectrum(architecture, dimension, highest)
        for share in ridges:
            ridge = share * spectrum.total
            curve = learning_curve(
                spectrum,
                target_power,
                [n_examples],
                ridge=ridge,
                label_noise=label_noise,
                method=method,
                power_beyond=power_beyond,
            )
            found.append(Candidate(architecture=architecture, ridge=ridge, error=float(curve.error[0])))
    if not found:
        raise SetolError("need at least one architecture and one ridge to rank.")
    return tuple(sorted(found, key=lambda candidate: candidate.error))


def best_ridge(
    spectrum: Spectrum, target_power: Sequence[float], n_examples: float, *, label_noise: float = 0.0
) -> float:
    """The ridge of least predicted error.

    The error has up to three minima in the ridge, so a grid over 12 decades and 0 come first, then finer grids around
    the best.

    Args:
        spectrum: Of the kernel.
        target_power: Mean square of the target by degree.
        n_examples: Training examples.
        label_noise: Variance of noise on the labels.

    Raises:
        SetolError: A number is outside its range.
    """

    def error(ridge: float) -> float:
        curve = learning_curve(spectrum, target_power, [n_examples], ridge=ridge, label_noise=label_noise)
        return float(curve.error[0])

    ridges = spectrum.total * np.logspace(*_DECADES, _RIDGES)
    for _ in range(_REFINEMENTS):
        errors = [error(ridge) for ridge in ridges]
        least = int(np.argmin(errors))
        low, high = ridges[max(least - 1, 0)], ridges[min(least + 1, len(ridges) - 1)]
        best, smallest = float(ridges[least]), errors[least]
        ridges = np.geomspace(low, high, 11)
    if (spectrum.tail > 0 or n_examples < spectrum.n_modes) and error(0.0) <= smallest:
        return 0.0
    return best
