"""Metrics of analyzed matrices, those alike together: the calls for one small matrix take as long as for many."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.measurement.layer import Layer
from pipeline.measurement.quality_columns import quality_columns
from pipeline.measurement.random_matrix_columns import bulk_columns, mean_trap_columns, permuted_columns
from pipeline.measurement.tail_columns import (
    alternative_columns,
    bootstrap_columns,
    exponential_columns,
    fit_columns,
    fit_tails,
    law_of,
    near_columns,
    other_exponents,
)
from pipeline.measurement.vector_columns import vector_columns, window_columns
from pipeline.options import MetricOptions
from setol import PowerLawFit, Reason
from setol.erg import (
    EffectiveCorrelationSpace,
    TraceScaled,
    closest_correlation_space_of_each,
    effective_correlation_space_of_each,
    trace_scaled,
)
from setol.erg_distance import erg_distance_of_each
from setol.scale import ScaleMetrics, check_spectrum, log_alpha_norm_of_each, scale_metrics_of_each
from setol.tails.fingers import ClippedFit

TOGETHER = 2**16
"""Eigenvalues worked on at once: half a megabyte stays in a core's own cache."""


def layer_metrics(layers: Sequence[Layer], options: MetricOptions) -> list[dict[str, Any]]:
    """Status, reason and metrics of matrices, each as the columns of a `LayerRow`.

    Args:
        layers: The matrices.
        options: How metrics are computed.
    """
    if not layers:
        return []
    found: dict[int, dict[str, Any]] = {}
    for indices in _alike(layers):
        columns = _metrics_of_alike([layers[index] for index in indices], options)
        found.update(zip(indices, columns, strict=True))
    return [found[index] | trap for index, trap in enumerate(mean_trap_columns(layers))]


def _alike(layers: Sequence[Layer]) -> list[list[int]]:
    """Indices of the layers, together where their spectra have one length and one rank."""
    groups: list[list[int]] = []
    latest: dict[tuple[int, int], list[int]] = {}
    for index, layer in enumerate(layers):
        n_evals = len(layer.evals)
        key = (n_evals, int(np.count_nonzero(layer.evals)))
        if key not in latest or (len(latest[key]) + 1) * n_evals > TOGETHER:
            latest[key] = []
            groups.append(latest[key])
        latest[key].append(index)
    return groups


def _metrics_of_alike(layers: Sequence[Layer], options: MetricOptions) -> list[dict[str, Any]]:
    evals = np.stack([layer.evals for layer in layers])
    check_spectrum(evals.ravel())
    rank = int(np.count_nonzero(evals[0]))
    if not rank:
        return [{"status": "failed", "reason": Reason.ZERO_MATRIX.value} for _ in layers]
    positive = evals[:, evals.shape[1] - rank :]
    rescaled = trace_scaled(evals)
    scales, spaces = scale_metrics_of_each(positive), effective_correlation_space_of_each(rescaled)
    tails = [layer.evals[layer.evals > options.least_eigenvalue] for layer in layers]
    fits = fit_tails(tails, options)
    joint = _columns_of_fitted(rescaled, positive, spaces, fits)
    closest = [] if options.detail == "basic" else closest_correlation_space_of_each(rescaled, spaces)
    return [
        {
            **_spectrum_columns(layer, scale, space, options),
            **({"erg_n_closest": closest[index].n} if closest else {}),
            **(
                _columns_without_tail(layer, fit, options)
                if isinstance(fit, Reason)
                else _tail_columns(layer, tail, fit, scale, options) | joint[index]
            ),
        }
        for index, (layer, scale, space, tail, fit) in enumerate(zip(layers, scales, spaces, tails, fits, strict=True))
    ]


def _spectrum_columns(
    layer: Layer, scale: ScaleMetrics, space: EffectiveCorrelationSpace, options: MetricOptions
) -> dict[str, Any]:
    """What can be said without a tail."""
    return {
        "lambda_max": scale.lambda_max,
        "log_norm": scale.log_norm,
        "log_spectral_norm": scale.log_spectral_norm,
        "stable_rank": scale.stable_rank,
        "matrix_rank": scale.matrix_rank,
        "entropy": scale.entropy,
        "erg_n": space.n,
        "erg_lambda_min": space.lambda_min,
        "erg_trace_log": space.trace_log,
        "erg_share": space.n / len(layer.evals),
        **permuted_columns(layer, options),
        **window_columns(layer),
    }


def _columns_without_tail(layer: Layer, reason: Reason, options: MetricOptions) -> dict[str, Any]:
    bulk = {} if options.detail == "basic" else bulk_columns(layer, reason, {}, options)
    return {"status": "no_tail", "reason": reason.value, **bulk}


def _columns_of_fitted(
    rescaled: TraceScaled,
    positive: NDArray[np.float64],
    spaces: Sequence[EffectiveCorrelationSpace],
    fits: Sequence[PowerLawFit | ClippedFit | Reason],
) -> dict[int, dict[str, Any]]:
    """Where the tails end, seen from the ECS, and their alpha norms; by index, where there is a tail."""
    laws = {index: law_of(fit) for index, fit in enumerate(fits) if not isinstance(fit, Reason)}
    if not laws:
        return {}
    distances = erg_distance_of_each(rescaled, {index: law.lambda_min for index, law in laws.items()}, spaces)
    norms = log_alpha_norm_of_each(positive[list(laws)], [law.alpha for law in laws.values()])
    return {
        index: {
            "log_alpha_norm": norm,
            "tail_trace_log": distance.trace_log,
            "tail_trace_log_per_eval": distance.trace_log_per_eigenvalue,
            "erg_delta": distance.delta,
            "erg_delta_raw": distance.delta_raw,
            "erg_gap": distance.gap,
        }
        for index, distance, norm in zip(laws, distances, norms, strict=True)
    }


def _tail_columns(
    layer: Layer,
    tail: NDArray[np.float64],
    fit: PowerLawFit | ClippedFit,
    scale: ScaleMetrics,
    options: MetricOptions,
) -> dict[str, Any]:
    """The fit of a tail, and what else is computed from it alone."""
    law = law_of(fit)
    columns: dict[str, Any] = {
        "status": "ok",
        **fit_columns(fit),
        **vector_columns(layer, law.lambda_min),
        "alpha_hat": law.alpha * scale.log_spectral_norm,
    }
    if options.bootstrap:
        columns |= bootstrap_columns(tail, options.bootstrap, layer.seed)
    if options.detail != "basic":
        exponential = exponential_columns(tail, law)
        columns |= {**other_exponents(tail, law), **exponential, **bulk_columns(layer, law, exponential, options)}
    if options.detail == "full":
        columns |= {
            **near_columns(tail, law, options),
            **alternative_columns(tail, law),
            **quality_columns(layer.evals, law.alpha),
        }
    return columns
