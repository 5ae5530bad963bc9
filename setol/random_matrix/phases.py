"""The 5+1 phases of training as an executable rule.

Martin and Mahoney (JMLR 22, 2021) tell the phases of a layer by eye and give no procedure. This is a convention, made
of what they describe: tests in a fixed order, every threshold named, and with the label everything it was decided by.
The thresholds are round numbers checked on synthetic ensembles, not fitted to trained networks: experimental.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from setol.errors import SetolError
from setol.random_matrix.edge import TRACY_WIDOM_LEVEL
from setol.random_matrix.layer_spectrum import LayerSpectrum
from setol.random_matrix.marchenko_pastur import MarchenkoPastur
from setol.random_matrix.spikes import Spikes, count_spikes
from setol.random_matrix.universality import UniversalityClass, class_of_alpha
from setol.random_matrix.variance import Bulk
from setol.reasons import Reason
from setol.tails.power_law import PowerLawFit


class Phase(StrEnum):
    """The 5+1 phases, in the order of growing correlation; rank collapse is the one beside."""

    RANDOM_LIKE = "random_like"
    BLEEDING_OUT = "bleeding_out"
    BULK_SPIKES = "bulk_spikes"
    BULK_DECAY = "bulk_decay"
    HEAVY_TAILED = "heavy_tailed"
    RANK_COLLAPSE = "rank_collapse"


@dataclass(frozen=True, slots=True)
class PhaseThresholds:
    """What the rule compares with.

    Attributes:
        collapsed_share: Share of collapsed eigenvalues, where Q > 1, above which the rank has collapsed.
        collapsed_depth: Eigenvalues at or below this times lambda_minus are collapsed; zeros always are.
        tracy_widom_level: Level above which an eigenvalue is a spike.
        random_ks: Kolmogorov-Smirnov distance to the Marchenko-Pastur law below which a spectrum is that law. Absolute,
            not falling with n: eigenvalues of noise are rigid, and those of 100 columns and more come closer.
        random_ks_noise: Likewise for small matrices, times M sqrt(slices): 99 % of noise stays below 2.1, 2.5, 2.8,
            3.0 and 3.3 for M = 16, 24, 64, 100, 200, at Q = 1 to 8, and below 0.8 to 1.2 times sqrt(9) with 9 slices.
        random_ks_most: Above this a spectrum is never that law, however small.
        tail_d: Distance below which a power law is acceptable.
        tail_size: Fewest eigenvalues of an acceptable power-law tail.
        tail_share: Smallest share of the eigenvalues in such a tail.
        tail_p: p-value below which it beats an exponential tail.
        tail_ratio: Log-likelihood ratio from which it does so whatever the p-value. Under a power law with alpha below
            3 the ratio has no finite variance, and the p-value, which rests on one, is too large where tails are
            heaviest: of clear tails with alpha 2.2 one in six missed 0.05.
        heavy_alpha: Largest alpha of a heavy tail.
        edge_share: Share of the law, at its upper end, where the edge is looked at.
        edge_excess: Share of eigenvalues that may lie further out than the law has them before the edge has decayed.
        separated: Distance of the smallest spike from the edge, in Tracy-Widom scales, from which spikes are separate.
    """

    collapsed_share: float = 0.05
    collapsed_depth: float = 1e-3
    tracy_widom_level: float = TRACY_WIDOM_LEVEL
    random_ks: float = 0.03
    random_ks_noise: float = 3.0
    random_ks_most: float = 0.2
    tail_d: float = 0.1
    tail_size: int = 10
    tail_share: float = 0.02
    tail_p: float = 0.05
    tail_ratio: float = 10.0
    heavy_alpha: float = 6.0
    edge_share: float = 0.2
    edge_excess: float = 0.05
    separated: float = 10.0


@dataclass(frozen=True, slots=True)
class PhaseEvidence:
    """What a phase is decided by; None where a quantity could not be had. All are free of scale.

    Attributes:
        aspect_ratio: Q = N/M.
        collapsed: Share of eigenvalues that are 0 or far below lambda_minus.
        spikes: The eigenvalues above the Tracy-Widom level.
        ks: Distance of the spectrum to the Marchenko-Pastur law.
        noise_ks: What noise of this size stays below.
        edge_excess: Largest excess of the share of eigenvalues beyond a point over that of the law, in its upper end.
        tail_accepted: Whether the power law passes distance, size and likelihood ratio.
        tail: The power-law fit.
        exponential_ratio: Its log-likelihood ratio to an exponential tail, above 0 where the power law is likelier.
        exponential_p: Two-sided p-value of that ratio.
    """

    aspect_ratio: float
    collapsed: float
    spikes: Spikes | None
    ks: float | None
    noise_ks: float
    edge_excess: float | None
    tail_accepted: bool
    tail: PowerLawFit | None
    exponential_ratio: float | None
    exponential_p: float | None


@dataclass(frozen=True, slots=True)
class PhaseVerdict:
    """A phase and why.

    Attributes:
        phase: The phase, or why there is none: `Reason.NO_PHASE`, or the reason why there is no bulk.
        universality: For a heavy tail its class by alpha; None otherwise.
        decided_by: The comparison that settled it, with its numbers.
        evidence: All that was measured.
    """

    phase: Phase | Reason
    universality: UniversalityClass | None
    decided_by: str
    evidence: PhaseEvidence


def classify_phase(
    spectrum: LayerSpectrum,
    bulk: Bulk | Reason,
    tail: PowerLawFit | Reason,
    *,
    exponential_ratio: float | None,
    exponential_p: float | None,
    thresholds: PhaseThresholds = PhaseThresholds(),
) -> PhaseVerdict | Reason:
    """The phase of a layer.

    In this order: rank collapse; random-like, where no spike stands out and the Marchenko-Pastur law fits;
    heavy-tailed, where a power law is acceptable and alpha at most `heavy_alpha`; bulk-decay, where it is acceptable
    with a larger alpha, or too many eigenvalues lie beyond the edge; bulk+spikes, where the smallest spike is
    separated, else bleeding-out. A spectrum narrower than noise, as that of an orthogonal matrix, is in none of them.

    Independent entries with a tail exponent mu of 3 come out as noise with spikes, not as heavy-tailed: their variance
    is finite, and at the sizes of layers a power law through their few outliers does not beat an exponential. A graded
    row of spikes (20 of 400 eigenvalues, theta from 1.2 to 3) passes for a heavy tail.

    Args:
        spectrum: Eigenvalues in the raw scale, up to a factor, zeros included.
        bulk: Its Marchenko-Pastur bulk, or why there is none; then only collapse and a heavy tail can be told.
        tail: The power-law fit of its positive eigenvalues, or why there is none.
        exponential_ratio: Log-likelihood ratio of the power law to an exponential on the same tail, above 0 where the
            power law is likelier; None where it could not be had, and then no power law is acceptable.
        exponential_p: Two-sided p-value of that ratio.
        thresholds: What to compare with.

    Returns:
        The verdict, or `Reason.ZERO_MATRIX`.

    Raises:
        SetolError: The ratio is NaN, its p-value is outside [0, 1], or only one of the two is given.
    """
    _check_ratio(exponential_ratio, exponential_p)
    if spectrum.lambda_max == 0:
        return Reason.ZERO_MATRIX
    law = bulk.law if isinstance(bulk, Bulk) else None
    spikes = None if law is None else count_spikes(spectrum, law.variance, level=thresholds.tracy_widom_level)
    fit = tail if isinstance(tail, PowerLawFit) else None
    evidence = PhaseEvidence(
        aspect_ratio=spectrum.aspect_ratio,
        collapsed=float(np.mean(spectrum.over_n <= thresholds.collapsed_depth * (law.lambda_minus if law else 0.0))),
        spikes=spikes if isinstance(spikes, Spikes) else None,
        ks=bulk.ks if isinstance(bulk, Bulk) else None,
        noise_ks=_noise_ks(spectrum, thresholds),
        edge_excess=_edge_excess(spectrum, law, thresholds.edge_share) if law else None,
        tail_accepted=(
            fit is not None
            and fit.d_ww < thresholds.tail_d
            and fit.n_tail >= max(thresholds.tail_size, thresholds.tail_share * len(spectrum.evals))
            and _beats_exponential(exponential_ratio, exponential_p, thresholds)
        ),
        tail=fit,
        exponential_ratio=exponential_ratio,
        exponential_p=exponential_p,
    )
    phase, decided_by = _decide(evidence, bulk, thresholds)
    heavy = fit is not None and phase is Phase.HEAVY_TAILED
    return PhaseVerdict(phase, class_of_alpha(fit.alpha) if fit and heavy else None, decided_by, evidence)


def _noise_ks(spectrum: LayerSpectrum, thresholds: PhaseThresholds) -> float:
    by_size = thresholds.random_ks_noise / (spectrum.n_cols * math.sqrt(spectrum.n_slices))
    return max(thresholds.random_ks, min(by_size, thresholds.random_ks_most))


def _decide(evidence: PhaseEvidence, bulk: Bulk | Reason, thresholds: PhaseThresholds) -> tuple[Phase | Reason, str]:
    """The rule: the first comparison that holds."""
    if evidence.aspect_ratio > 1 and evidence.collapsed > thresholds.collapsed_share:
        return Phase.RANK_COLLAPSE, f"collapsed share {evidence.collapsed:.3g} > {thresholds.collapsed_share:g}"
    spikes, ks, noise_ks, excess = evidence.spikes, evidence.ks, evidence.noise_ks, evidence.edge_excess
    if spikes and ks is not None and spikes.n_spikes == 0 and ks < noise_ks:
        return Phase.RANDOM_LIKE, f"no spike, ks {ks:.3g} < {noise_ks:.3g}"
    if evidence.tail_accepted and evidence.tail:
        alpha, limit = evidence.tail.alpha, thresholds.heavy_alpha
        if alpha <= limit:
            return Phase.HEAVY_TAILED, f"power law accepted, alpha {alpha:.3g} <= {limit:g}"
        return Phase.BULK_DECAY, f"power law accepted, alpha {alpha:.3g} > {limit:g}"
    if isinstance(bulk, Reason):
        return bulk, f"no power law accepted, and no bulk: {bulk}"
    if excess is not None and excess > thresholds.edge_excess:
        return Phase.BULK_DECAY, f"edge excess {excess:.3g} > {thresholds.edge_excess:g}"
    distance = spikes.smallest_distance if spikes else None
    if distance is None:
        return Reason.NO_PHASE, f"no spike, yet ks {ks:.3g} >= {noise_ks:.3g}"
    if distance >= thresholds.separated:
        return Phase.BULK_SPIKES, f"smallest spike {distance:.3g} >= {thresholds.separated:g} scales off the edge"
    return Phase.BLEEDING_OUT, f"smallest spike {distance:.3g} < {thresholds.separated:g} scales off the edge"


def _edge_excess(spectrum: LayerSpectrum, law: MarchenkoPastur, share: float) -> float:
    """Largest F(lambda) - F_n(lambda-) over the eigenvalues in the upper end of the law, at least 0."""
    cdf = law.cdf(spectrum.over_n)
    excess = cdf - np.arange(len(cdf)) / len(cdf)
    return float(excess[cdf >= 1.0 - share].max(initial=0.0))


def _beats_exponential(ratio: float | None, p: float | None, thresholds: PhaseThresholds) -> bool:
    if ratio is None or p is None:
        return False
    return ratio > 0 and (p < thresholds.tail_p or ratio >= thresholds.tail_ratio)


def _check_ratio(ratio: float | None, p: float | None) -> None:
    if (ratio is None) != (p is None):
        raise SetolError(f"need the likelihood ratio together with its p-value, or neither; got {ratio} and {p}.")
    if ratio is not None and p is not None and (np.isnan(ratio) or not 0 <= p <= 1):
        raise SetolError(f"need a likelihood ratio that is a number and a p-value inside [0, 1]; got {ratio} and {p}.")
