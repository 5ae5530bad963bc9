"""Columns of the singular vectors and of windows: metrics whose makings only some runs store."""

from typing import Any

import numpy as np

from pipeline.measurement.layer import Layer
from setol import Reason
from setol.tails.hill import fit_hill

SPREADS = tuple(
    f"{side}_{spread}" for side in ("long", "short") for spread in ("localization", "participation", "entropy")
)
"""Columns of `spectra` with a value a singular vector: left ones of a tall matrix are the long ones."""


def vector_columns(layer: Layer, lambda_min: float) -> dict[str, Any]:
    """Mean spread of the singular vectors of the tail and of the bulk; those of zero eigenvalues count in neither.

    Args:
        layer: The matrix.
        lambda_min: Where its tail begins, in the scale of the layer.
    """
    if layer.vectors is None:
        return {}
    in_tail = layer.tap_evals >= lambda_min
    columns: dict[str, Any] = {}
    for name, spreads in layer.vectors.items():
        for part, chosen in (("tail", in_tail), ("bulk", ~in_tail)):
            known = spreads[chosen & np.isfinite(spreads)]
            columns[f"{part}_{name}"] = float(known.mean()) if len(known) else None
    return columns


def window_columns(layer: Layer) -> dict[str, Any]:
    """Hill's exponent at the median of the eigenvalues of all windows of one aspect ratio (FARMS)."""
    if layer.windows is None or np.count_nonzero(layer.windows) < 2:
        return {}
    hill = fit_hill(layer.windows[layer.windows > 0])
    return {} if isinstance(hill, Reason) else {"farms_alpha": hill.alpha}
