"""Does the theory choose the right network? Every candidate measured by kernel regression."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from setol.field_theory import sphere_spectrum
from setol.field_theory.selection import Candidate
from setol_zoo.lab.kernel_regression import measure


def measure_all(
    candidates: Sequence[Candidate],
    dimension: int,
    n_examples: int,
    target_power: Sequence[float],
    label_noise: float,
    data_sets: int,
    seed: int,
) -> NDArray[np.float64]:
    """Errors of candidates, all on the same data sets, so that their order is not one of luck.

    Args:
        candidates: Networks with their ridges.
        dimension: Of the inputs.
        n_examples: Training examples.
        target_power: Mean square of the target by degree.
        label_noise: Variance of noise on the labels.
        data_sets: How many.
        seed: Of the data sets.

    Returns:
        One error a candidate, in squared units of the target.
    """
    found = []
    for each in candidates:
        measured = measure(
            sphere_spectrum(each.architecture, dimension),
            target_power,
            [n_examples],
            architecture=each.architecture,
            ridge=each.ridge,
            label_noise=label_noise,
            data_sets=data_sets,
            generator=torch.Generator().manual_seed(seed),
        )
        found.append(float(measured.error[0]))
    return np.array(found)


def agreement(predicted: Sequence[float], measured: NDArray[np.float64]) -> str:
    """One line: rank correlation, median and largest deviation, and the place of the predicted best.

    Args:
        predicted: In ascending order.
        measured: Of the same candidates.
    """
    off = np.abs(np.asarray(predicted) / measured - 1)
    place = int((measured < measured[0]).sum()) + 1
    told = f"predicted against measured over {len(measured)} candidates:"
    if len(measured) > 1:
        told += f" Spearman {float(spearmanr(predicted, measured).statistic):.3f},"
    return (
        f"{told} median deviation {np.median(off):.1%}, largest {off.max():.1%}; "
        f"the predicted best is number {place} as measured ({measured[0]:.4g}; least {measured.min():.4g})"
    )
