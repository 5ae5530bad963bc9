"""Columns of the SETOL layer quality: formal, and experimental all of them."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setol import Reason, SetolError
from setol.r_transforms.layer_models import layer_qualities
from setol.r_transforms.quality import correlation_eigenvalues, cumulant_quality

QUALITIES = ("empirical", "discrete", "free_cauchy", "inverse_marchenko_pastur", "levy_wigner")


def quality_columns(evals: NDArray[np.float64], alpha: float) -> dict[str, Any]:
    """log10 of the layer quality squared under each model of the R-transform, and without a model.

    Args:
        evals: Eigenvalues, shape (n,), zeros included, any scale.
        alpha: Exponent of the power-law tail.
    """
    qualities, space = layer_qualities(evals, alpha), correlation_eigenvalues(evals)
    if isinstance(qualities, Reason) or isinstance(space, Reason):
        return {}
    columns: dict[str, Any] = {"log_tail_norm": math.log10(qualities.tail_norm)}
    for name in QUALITIES:
        quality = getattr(qualities, name)
        if not isinstance(quality, Reason):
            columns[f"log_q2_{name}"] = quality.q_squared_log10
    try:
        series = cumulant_quality(space)
    except SetolError:  # a cumulant outside float64
        return columns
    return columns if isinstance(series, Reason) else columns | {"log_q2_cumulant": series.q_squared_log10}
