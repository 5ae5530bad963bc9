"""Columns about the tail of a spectrum: the power law, how sure it is, and the laws it competes with."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.options import MetricOptions
from setol import PowerLawFit, Reason, SmallSample
from setol.tails.bias import unbiased_alpha
from setol.tails.bootstrap import alpha_interval, goodness_of_fit
from setol.tails.bounded_power_law import fit_bounded_power_law
from setol.tails.exponential import fit_exponential
from setol.tails.fingers import ClippedFit, FingerOptions, clip_fingers, fit_above_peak
from setol.tails.hill import fit_hill
from setol.tails.law import TailLaw
from setol.tails.likelihood_ratio import likelihood_ratio
from setol.tails.log_normal import fit_log_normal
from setol.tails.minima import near_minima
from setol.tails.power_law import fit_power_law_above, fit_power_law_of_each
from setol.tails.stretched_exponential import fit_stretched_exponential
from setol.tails.truncated_power_law import fit_truncated_power_law


def fit_tails(
    spectra: Sequence[NDArray[np.float64]], options: MetricOptions
) -> list[PowerLawFit | ClippedFit | Reason]:
    """The power-law fits that the options ask for.

    Args:
        spectra: Positive eigenvalues above the threshold, shape (n,) each.
        options: Fewest eigenvalues, rule for short spectra, what to do about fingers.
    """
    enough = [evals for evals in spectra if len(evals) >= options.min_evals]
    fits = iter(_fits(enough, options))
    return [next(fits) if len(evals) >= options.min_evals else Reason.TOO_FEW_EIGENVALUES for evals in spectra]


def _fits(
    spectra: Sequence[NDArray[np.float64]], options: MetricOptions
) -> Sequence[PowerLawFit | ClippedFit | Reason]:
    small_sample = SmallSample() if options.small_sample else None
    if options.fingers == "clip":
        return [clip_fingers(evals, small_sample=small_sample) for evals in spectra]
    if options.fingers == "clip_weightwatcher":
        compatible = FingerOptions(compatible=True)
        return [clip_fingers(evals, compatible, small_sample=small_sample) for evals in spectra]
    if options.fingers == "peak":
        return [fit_above_peak(evals) for evals in spectra]
    return fit_power_law_of_each(spectra, small_sample=small_sample)


def law_of(fit: PowerLawFit | ClippedFit) -> PowerLawFit:
    """The power law, whether or not fingers were looked for."""
    return fit.fit if isinstance(fit, ClippedFit) else fit


def fit_columns(fit: PowerLawFit | ClippedFit) -> dict[str, Any]:
    """What the fit itself says."""
    law, clipped = law_of(fit), {}
    if isinstance(fit, ClippedFit):
        clipped = {"raw_alpha": fit.raw_alpha, "n_fingers": fit.num_fingers, "alpha_hat_clipped": fit.alpha_hat}
    return {
        "alpha": law.alpha,
        "alpha_sigma": law.alpha_sigma,
        "lambda_min": law.lambda_min,
        "d_ks": law.d_ks,
        "d_ww": law.d_ww,
        "n_tail": law.n_tail,
        "alpha_unbiased": number(unbiased_alpha(law.alpha, law.n_tail)),
        **clipped,
    }


def other_exponents(evals: NDArray[np.float64], law: PowerLawFit) -> dict[str, Any]:
    """Other estimates of the exponent: Hill's at the median, and that of a tail that ends at lambda_max."""
    hill, bounded = fit_hill(evals), fit_bounded_power_law(evals, law.lambda_min)
    return {
        "hill_alpha": None if isinstance(hill, Reason) else hill.alpha,
        "bounded_alpha": None if isinstance(bounded, Reason) else bounded.alpha,
    }


def near_columns(evals: NDArray[np.float64], law: PowerLawFit, options: MetricOptions) -> dict[str, Any]:
    """The range of alpha over the tails that fit nearly as well as the best, and how many minima D has among them."""
    plain = options.fingers == "keep" and not options.small_sample
    near = near_minima(evals, best=law if plain else None)
    if isinstance(near, Reason):
        return {}
    return {"alpha_low": near.alpha_low, "alpha_high": near.alpha_high, "n_minima": len(near.minima)}


def exponential_columns(evals: NDArray[np.float64], law: PowerLawFit) -> dict[str, Any]:
    """The power law against an exponential on the same tail: the comparison that the phases rest on."""
    power_law, exponential = fit_power_law_above(evals, law.lambda_min), fit_exponential(evals, law.lambda_min)
    return _ratio_columns("exponential", evals, power_law, exponential)


def alternative_columns(evals: NDArray[np.float64], law: PowerLawFit) -> dict[str, Any]:
    """The power law against the other laws on the same tail, and the exponent and cutoff of the truncated one."""
    lambda_min = law.lambda_min
    power_law, truncated = fit_power_law_above(evals, lambda_min), fit_truncated_power_law(evals, lambda_min)
    columns = _ratio_columns("truncated", evals, power_law, truncated, nested=True)
    columns |= _ratio_columns("log_normal", evals, power_law, fit_log_normal(evals, lambda_min))
    columns |= _ratio_columns("stretched", evals, power_law, fit_stretched_exponential(evals, lambda_min))
    if isinstance(truncated, Reason):
        return columns
    return columns | {"truncated_alpha": truncated.alpha, "truncated_cutoff": number(truncated.cutoff)}


def _ratio_columns(
    name: str, evals: NDArray[np.float64], power_law: TailLaw | Reason, other: TailLaw | Reason, *, nested: bool = False
) -> dict[str, Any]:
    """Log-likelihood ratio to the other law, above 0 where the power law is likelier, and its p-value."""
    if isinstance(power_law, Reason) or isinstance(other, Reason):
        return {}
    ratio = likelihood_ratio(evals, power_law, other, nested=nested)
    return {} if isinstance(ratio, Reason) else {f"ratio_{name}": ratio.log_ratio, f"p_{name}": ratio.p_value}


def bootstrap_columns(evals: NDArray[np.float64], replicas: int, seed: tuple[int, ...]) -> dict[str, Any]:
    """Goodness of fit, and an interval for alpha that includes the choice of lambda_min."""
    rng = np.random.default_rng(seed)
    fit, interval = goodness_of_fit(evals, rng, n_replicas=replicas), alpha_interval(evals, rng, n_replicas=replicas)
    return {
        "bootstrap_p": None if isinstance(fit, Reason) else fit.p_value,
        "alpha_interval_low": None if isinstance(interval, Reason) else interval.alpha_low,
        "alpha_interval_high": None if isinstance(interval, Reason) else interval.alpha_high,
    }


def number(value: float | Reason) -> float | None:
    """A finite number, or NULL."""
    return None if isinstance(value, Reason) or not math.isfinite(value) else float(value)
