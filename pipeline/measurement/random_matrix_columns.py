"""Columns that compare a spectrum with noise: the bulk, its edge, spikes, traps, the phase."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.measurement.layer import Layer
from pipeline.options import MetricOptions
from setol import PowerLawFit, Reason
from setol.marchenko_pastur_ecs import marchenko_pastur_ecs
from setol.random_matrix.divergence import jensen_shannon
from setol.random_matrix.layer_spectrum import LARGEST_LAMBDA_MAX, SMALLEST_LAMBDA_MAX, LayerSpectrum
from setol.random_matrix.phases import PhaseThresholds, classify_phase
from setol.random_matrix.traps import count_traps, mean_trap_strengths
from setol.random_matrix.variance import Bulk, bulk_by_iteration, bulk_by_quantile


def bulk_columns(
    layer: Layer, tail: PowerLawFit | Reason, exponential: Mapping[str, float], options: MetricOptions
) -> dict[str, Any]:
    """The Marchenko-Pastur bulk, the spikes above it, and the phase.

    Args:
        layer: The matrix.
        tail: Its power-law fit, or why there is none.
        exponential: Its columns of the comparison with an exponential, as far as there are any.
        options: How the bulk's variance is had, and the Tracy-Widom level of a spike.
    """
    if not _within_float64(layer.evals):
        return {}
    spectrum = LayerSpectrum(layer.evals, layer.n_rows, layer.n_cols)
    level = options.tracy_widom_level
    bulk = bulk_by_iteration(spectrum, level=level) if options.bulk == "iteration" else Reason.NO_BULK
    if isinstance(bulk, Reason):
        bulk = bulk_by_quantile(spectrum)
    verdict = classify_phase(
        spectrum,
        bulk,
        tail,
        exponential_ratio=exponential.get("ratio_exponential"),
        exponential_p=exponential.get("p_exponential"),
        thresholds=PhaseThresholds(tracy_widom_level=level),
    )
    assert not isinstance(verdict, Reason), "there are eigenvalues above 0"
    columns: dict[str, Any] = {
        "erg_null_share": _null_share(spectrum.aspect_ratio),
        "phase": None if isinstance(verdict.phase, Reason) else verdict.phase.value,
        "phase_decided_by": verdict.decided_by,
        "universality": verdict.universality.value if verdict.universality else None,
    }
    spikes = verdict.evidence.spikes  # those that the phase was told by
    if spikes is not None:
        columns |= {
            "mp_lambda_plus": spikes.lambda_plus,
            "mp_soft_rank": spikes.mp_soft_rank,
            "n_spikes": spikes.n_spikes,
        }
    if isinstance(bulk, Bulk):
        columns |= {"mp_sigma": float(np.sqrt(bulk.share)), "mp_ks": bulk.ks}
    return columns


def _within_float64(evals: NDArray[np.float64]) -> bool:
    """Whether variances, sums and ratios of the eigenvalues are float64s; taps pooled may lie far from each other."""
    least = float(evals[np.searchsorted(evals, 0.0, side="right")])
    largest = float(evals[-1])
    return SMALLEST_LAMBDA_MAX <= largest <= LARGEST_LAMBDA_MAX and least / largest >= SMALLEST_LAMBDA_MAX


@lru_cache(maxsize=256)
def _null_share(aspect_ratio: float) -> float:
    """Share of a random matrix in its ECS: few shapes recur in a model, and the quadrature is dear beside the rest."""
    return marchenko_pastur_ecs(aspect_ratio).fraction


def mean_trap_columns(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """The strongest trap that the mean of the entries of a slice makes, from its first two moments alone.

    Args:
        layers: Any, at least one: thousands of slices take as long as a few.
    """
    shapes = [(len(layer.entry_mean), layer.n_rows, layer.n_cols) for layer in layers]
    means = np.concatenate([layer.entry_mean for layer in layers])
    deviations = np.sqrt(np.concatenate([layer.entry_variance for layer in layers]))
    strengths = mean_trap_strengths(means, deviations, shapes)
    known = np.where(np.isfinite(strengths), strengths, -1.0)  # equal entries tell no strength
    strongest = np.maximum.reduceat(known, np.cumsum([0, *(n_slices for n_slices, _, _ in shapes[:-1])]))
    return [{"trap_theta": strength} if strength >= 0 else {} for strength in strongest.tolist()]


def permuted_columns(layer: Layer, options: MetricOptions) -> dict[str, Any]:
    """What the permuted spectra say: traps, and how far the spectrum is from its own noise; means over replicas."""
    if layer.permuted is None or layer.permuted.max() > LARGEST_LAMBDA_MAX:
        return {}
    variances = layer.entry_variance * layer.factor
    traps = [
        count_traps(replica, variances, layer.n_rows, level=options.tracy_widom_level).n_traps
        for replica in layer.permuted
    ]
    distances = [jensen_shannon(layer.evals, replica.ravel()) for replica in layer.permuted]
    known = [each.distance for each in distances if not isinstance(each, Reason)]
    rand_lambda_max = float(np.mean([replica.max() for replica in layer.permuted]))
    return {
        "n_traps": float(np.mean(traps)),
        "rand_lambda_max": rand_lambda_max,
        "rand_soft_rank": rand_lambda_max / float(layer.evals[-1]),
        "rand_distance": float(np.mean(known)) if known else None,
    }
