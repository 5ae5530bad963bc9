"""The rule for the 5+1 phases on ensembles whose phase is known by how they were made."""

import dataclasses
import math

import numpy as np
import pytest

from setol import Reason, SetolError, fit_power_law
from setol.random_matrix.layer_spectrum import LayerSpectrum
from setol.random_matrix.phases import Phase, PhaseThresholds, classify_phase
from setol.random_matrix.universality import UniversalityClass
from setol.random_matrix.variance import bulk_by_iteration, bulk_by_quantile

BULKS = pytest.mark.parametrize("find_bulk", [bulk_by_quantile, bulk_by_iteration])
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def spectrum_of(W):
    n_rows, n_cols = max(W.shape), min(W.shape)
    gram = W.T @ W if len(W) == n_rows else W @ W.T
    evals = np.linalg.eigvalsh(gram)
    return LayerSpectrum(np.where(evals > n_rows * 2.0**-52 * evals[-1], evals, 0), n_rows, n_cols)


def exponential_test(evals, fit):
    """Vuong's ratio of the power law to the exponential on the tail, both by maximum likelihood, and its p-value."""
    tail = evals[evals >= fit.lambda_min]
    excess = tail - fit.lambda_min
    power_law = np.log((fit.alpha - 1) / fit.lambda_min) - fit.alpha * np.log(tail / fit.lambda_min)
    exponential = -np.log(excess.mean()) - excess / excess.mean()
    d = power_law - exponential
    return float(d.sum()), math.erfc(abs(d.sum()) / (d.std() * math.sqrt(2 * len(d))))


def verdict_of(W, find_bulk=bulk_by_iteration, **options):
    spectrum = spectrum_of(W)
    positive = spectrum.evals[spectrum.evals > 0]
    fit = fit_power_law(positive)
    ratio, p = (None, None) if isinstance(fit, Reason) else exponential_test(positive, fit)
    return classify_phase(spectrum, find_bulk(spectrum), fit, exponential_ratio=ratio, exponential_p=p, **options)


def gaussian(rng, n_rows=800, n_cols=400):
    return rng.standard_normal((n_rows, n_cols))


def signals(rng, thetas, n_rows=800, n_cols=400):
    left = np.linalg.qr(rng.standard_normal((n_rows, len(thetas))))[0]
    right = np.linalg.qr(rng.standard_normal((n_cols, len(thetas))))[0]
    return np.sqrt(n_rows) * (left * np.array(thetas)) @ right.T


def pareto_entries(rng, mu, n_rows=800, n_cols=400):
    return rng.choice([-1, 1], (n_rows, n_cols)) * (1 - rng.random((n_rows, n_cols))) ** (-1 / mu)


@BULKS
@pytest.mark.parametrize("shape", [(300, 300), (600, 300), (300, 600), (1200, 300)])
def test_noise_is_random_like(find_bulk, shape):
    verdicts = [verdict_of(0.05 * gaussian(np.random.default_rng(seed), *shape), find_bulk) for seed in range(10)]
    random_like = [verdict for verdict in verdicts if verdict.phase is Phase.RANDOM_LIKE]
    assert len(random_like) >= 9  # the level of a spike is 0.99, and the fit of the variance blurs it to 0.97
    for verdict in random_like:
        assert verdict.evidence.spikes.n_spikes == 0
        assert verdict.evidence.ks < 0.03
        assert verdict.evidence.edge_excess < 0.03
        assert verdict.evidence.spikes.mp_soft_rank == pytest.approx(1, abs=0.06)
        assert verdict.universality is None
        assert verdict.decided_by.startswith("no spike, ks 0.0")


@BULKS
@SEEDS
@pytest.mark.parametrize("thetas", [[3.0, 2.5, 2.0], [10.0, 8.0, 6.0], list(np.linspace(2, 4, 10))])
def test_strong_signals_are_spikes(find_bulk, seed, thetas):
    rng = np.random.default_rng(seed)
    verdict = verdict_of(gaussian(rng) + signals(rng, thetas), find_bulk)
    assert verdict.phase is Phase.BULK_SPIKES
    assert verdict.evidence.spikes.n_spikes == len(thetas)
    assert verdict.evidence.spikes.smallest_distance > 10
    assert verdict.evidence.spikes.mp_soft_rank < 0.5
    assert "scales off the edge" in verdict.decided_by


@BULKS
@SEEDS
def test_signals_just_above_the_transition_bleed_out(find_bulk, seed):
    """The transition of 800 x 400 is at 0.841; these outliers lie a few Tracy-Widom scales off the edge."""
    rng = np.random.default_rng(seed)
    verdict = verdict_of(gaussian(rng) + signals(rng, [1.1, 1.08, 1.05]), find_bulk)
    assert verdict.phase is Phase.BLEEDING_OUT
    assert 1 <= verdict.evidence.spikes.n_spikes <= 3
    assert 2 < verdict.evidence.spikes.smallest_distance < 10


@BULKS
@SEEDS
def test_a_spread_of_column_norms_is_bulk_decay(find_bulk, seed):
    rng = np.random.default_rng(seed)
    verdict = verdict_of(gaussian(rng) * np.exp(0.35 * rng.standard_normal(400)), find_bulk)
    assert verdict.phase is Phase.BULK_DECAY
    assert verdict.evidence.edge_excess > 0.05
    assert verdict.decided_by.startswith("edge excess")


@BULKS
@SEEDS
@pytest.mark.parametrize("mu", [1.0, 1.3])
def test_entries_without_variance_are_very_heavy_tailed(find_bulk, seed, mu):
    verdict = verdict_of(pareto_entries(np.random.default_rng(seed), mu), find_bulk)
    assert verdict.phase is Phase.HEAVY_TAILED
    assert verdict.universality is UniversalityClass.VERY_HEAVY_TAILED
    assert verdict.evidence.tail_accepted
    # Theory: 1 + mu/2; fits on finite matrices come out above.
    assert 1 + mu / 2 - 0.15 < verdict.evidence.tail.alpha < 2


@SEEDS
def test_heavy_tailed_correlations(seed):
    """Columns with Pareto variances of exponent 2.4 give the spectrum that tail, and the power law beats the rest."""
    rng = np.random.default_rng(seed)
    variances = (1 - rng.random(1000)) ** (-1 / 1.4)
    verdict = verdict_of(rng.standard_normal((3000, 1000)) * np.sqrt(variances))
    assert verdict.phase is Phase.HEAVY_TAILED
    assert verdict.universality is UniversalityClass.HEAVY_TAILED
    assert verdict.evidence.tail.alpha == pytest.approx(2.4, abs=0.35)
    assert verdict.evidence.exponential_ratio > 10


@BULKS
@SEEDS
def test_entries_of_finite_variance_are_noise_with_outliers(find_bulk, seed):
    """mu = 3: the limit is Marchenko-Pastur, and so it looks at this size, a few outliers aside."""
    verdict = verdict_of(pareto_entries(np.random.default_rng(seed), 3.0), find_bulk)
    assert verdict.phase in (Phase.RANDOM_LIKE, Phase.BLEEDING_OUT, Phase.BULK_SPIKES)
    assert not verdict.evidence.tail_accepted
    assert verdict.evidence.ks < 0.03


@SEEDS
def test_low_rank_has_collapsed(seed):
    rng = np.random.default_rng(seed)
    for rank in (100, 300, 375):
        verdict = verdict_of(gaussian(rng, 800, rank) @ gaussian(rng, rank, 400))
        assert verdict.phase is Phase.RANK_COLLAPSE
        assert verdict.evidence.collapsed == pytest.approx(1 - rank / 400, abs=0.02)
    assert verdict_of(gaussian(rng, 800, 395) @ np.eye(395, 400)).phase is not Phase.RANK_COLLAPSE


def test_eigenvalues_near_zero_have_collapsed_too():
    rng = np.random.default_rng(4)
    weak = np.where(np.arange(400) < 40, 5e-3, 1.0)  # squared, 0.3 of a thousandth of lambda_minus
    verdict = verdict_of(gaussian(rng) * weak)
    assert np.count_nonzero(spectrum_of(gaussian(rng) * weak).evals) == 400
    assert verdict.phase is Phase.RANK_COLLAPSE
    assert verdict.evidence.collapsed == pytest.approx(0.1)


def test_a_square_matrix_cannot_collapse():
    """Its smallest eigenvalues reach 0 by themselves."""
    rng = np.random.default_rng(5)
    verdict = verdict_of(gaussian(rng, 400, 360) @ np.eye(360, 400))
    assert verdict.evidence.collapsed == pytest.approx(0.1)
    assert verdict.phase is not Phase.RANK_COLLAPSE


def test_an_orthogonal_matrix_is_in_no_phase():
    rng = np.random.default_rng(6)
    verdict = verdict_of(np.linalg.qr(gaussian(rng))[0])
    assert verdict.phase is Reason.NO_PHASE
    assert verdict.evidence.edge_excess == 0
    assert verdict.evidence.ks > 0.3


def test_without_a_bulk_its_reason_is_the_phase():
    rng = np.random.default_rng(7)
    verdict = verdict_of(gaussian(rng, 400, 100) @ gaussian(rng, 100, 400), bulk_by_quantile)
    assert verdict.phase is Reason.ZERO_BULK
    assert (verdict.evidence.spikes, verdict.evidence.ks, verdict.evidence.edge_excess) == (None, None, None)


def test_without_a_bulk_a_heavy_tail_is_still_told():
    W = pareto_entries(np.random.default_rng(8), 1.0)
    spectrum = spectrum_of(W)
    fit = fit_power_law(spectrum.evals)
    ratio, p = exponential_test(spectrum.evals, fit)
    verdict = classify_phase(spectrum, Reason.NO_BULK, fit, exponential_ratio=ratio, exponential_p=p)
    assert verdict.phase is Phase.HEAVY_TAILED


def test_every_condition_on_the_power_law_counts():
    rng = np.random.default_rng(9)
    spectrum = spectrum_of(gaussian(rng) + signals(rng, [3.0, 2.0]))
    bulk = bulk_by_quantile(spectrum)
    good = dataclasses.replace(fit_power_law(spectrum.evals), alpha=3.0, d_ww=0.05, n_tail=40)

    def phase(fit=good, ratio=5.0, p=0.01):
        return classify_phase(spectrum, bulk, fit, exponential_ratio=ratio, exponential_p=p).phase

    assert phase() is Phase.HEAVY_TAILED
    assert phase(ratio=10.0, p=0.5) is Phase.HEAVY_TAILED
    assert phase(dataclasses.replace(good, alpha=6.5)) is Phase.BULK_DECAY
    for rejected in (
        phase(dataclasses.replace(good, d_ww=0.1)),
        phase(dataclasses.replace(good, n_tail=9)),
        phase(ratio=-5.0),
        phase(p=0.05),
        phase(ratio=9.9, p=0.05),
        phase(ratio=None, p=None),
        phase(Reason.TOO_FEW_EIGENVALUES),
    ):
        assert rejected is Phase.BULK_SPIKES


def test_thresholds_are_what_decides():
    rng = np.random.default_rng(10)
    W = gaussian(rng) + signals(rng, [3.0, 2.0])
    distance = verdict_of(W).evidence.spikes.smallest_distance
    assert verdict_of(W, thresholds=PhaseThresholds(separated=distance * 1.01)).phase is Phase.BLEEDING_OUT
    assert verdict_of(W, thresholds=PhaseThresholds(separated=distance * 0.99)).phase is Phase.BULK_SPIKES
    assert verdict_of(W, thresholds=PhaseThresholds(tracy_widom_level=0.5)).evidence.spikes.threshold < (
        verdict_of(W).evidence.spikes.threshold
    )
    heavy = pareto_entries(rng, 1.0)
    n_tail = verdict_of(heavy).evidence.tail.n_tail
    assert verdict_of(heavy, thresholds=PhaseThresholds(tail_share=(n_tail + 1) / 400)).phase is Phase.BULK_DECAY
    noise = gaussian(rng)
    assert verdict_of(noise, thresholds=PhaseThresholds(random_ks=1e-6, random_ks_noise=0.0)).phase is Reason.NO_PHASE
    assert verdict_of(noise, thresholds=PhaseThresholds(collapsed_share=-1.0)).phase is Phase.RANK_COLLAPSE


@pytest.mark.parametrize("factor", [1e-100, 1e-3, 7.0, 1e100])
@pytest.mark.parametrize("make", [gaussian, lambda rng: pareto_entries(rng, 1.0), lambda rng: gaussian(rng) ** 3])
def test_units_rotations_and_the_transpose_do_not_matter(make, factor):
    rng = np.random.default_rng(11)
    W = make(rng)
    rotation = np.linalg.qr(rng.standard_normal((400, 400)))[0]
    one = verdict_of(W)
    for other in (verdict_of(W * factor), verdict_of(W.T), verdict_of(W @ rotation)):
        assert (other.phase, other.universality) == (one.phase, one.universality)
        assert other.evidence.ks == pytest.approx(one.evidence.ks, abs=1e-9)
        assert other.evidence.edge_excess == pytest.approx(one.evidence.edge_excess, abs=1e-9)
        assert other.evidence.spikes.n_spikes == one.evidence.spikes.n_spikes
        assert other.evidence.spikes.mp_soft_rank == pytest.approx(one.evidence.spikes.mp_soft_rank, rel=1e-9)


def test_small_and_extreme_spectra():
    for evals in ([5.0], [1.0, 1.0], [1e300, 1e-300, 0.0], [1e-279, 5e-324]):
        spectrum = LayerSpectrum(np.array(evals), 2 * len(evals), len(evals))
        verdict = classify_phase(
            spectrum,
            bulk_by_iteration(spectrum),
            Reason.TOO_FEW_EIGENVALUES,
            exponential_ratio=None,
            exponential_p=None,
        )
        assert isinstance(verdict.phase, Phase | Reason)
        assert 0 <= verdict.evidence.collapsed <= 1


def test_a_zero_matrix_has_no_phase():
    spectrum = LayerSpectrum(np.zeros(3), 5, 3)
    verdict = classify_phase(
        spectrum, Reason.ZERO_MATRIX, Reason.TOO_FEW_EIGENVALUES, exponential_ratio=None, exponential_p=None
    )
    assert verdict is Reason.ZERO_MATRIX


@pytest.mark.parametrize(
    ("ratio", "p", "message"),
    [
        (1.0, None, "together with its p-value"),
        (None, 0.5, "together with its p-value"),
        (np.nan, 0.5, "a likelihood ratio that is a number"),
        (1.0, np.nan, "a p-value inside"),
        (1.0, -0.1, "a p-value inside"),
        (1.0, 1.1, "a p-value inside"),
    ],
)
def test_refuses_half_a_likelihood_ratio(ratio, p, message):
    spectrum = LayerSpectrum(np.ones(3), 5, 3)
    with pytest.raises(SetolError, match=message):
        classify_phase(
            spectrum,
            bulk_by_quantile(spectrum),
            Reason.EQUAL_EIGENVALUES,
            exponential_ratio=ratio,
            exponential_p=p,
        )


@pytest.mark.parametrize(("n_cols", "n_slices"), [(24, 1), (64, 1), (16, 9)])
def test_small_noise_is_random_like(n_cols, n_slices):
    """Noise of few columns lies further from its law, and still is noise."""
    rng = np.random.default_rng(0)
    phases = []
    for _ in range(50):
        W = rng.standard_normal((n_slices, 2 * n_cols, n_cols))
        evals = np.linalg.svd(W, compute_uv=False).ravel() ** 2
        spectrum = LayerSpectrum(evals, 2 * n_cols, n_cols)
        verdict = classify_phase(
            spectrum, bulk_by_iteration(spectrum), fit_power_law(evals), exponential_ratio=None, exponential_p=None
        )
        phases.append(verdict.phase)
    assert phases.count(Phase.RANDOM_LIKE) >= 46


@pytest.mark.parametrize(("n_rows", "n_cols"), [(20, 2), (30, 3), (50, 5), (64, 16)])
def test_an_orthogonal_matrix_is_not_noise_however_small(n_rows, n_cols):
    rng = np.random.default_rng(1)
    W, _ = np.linalg.qr(rng.standard_normal((n_rows, n_cols)))
    spectrum = LayerSpectrum(np.linalg.svd(W, compute_uv=False) ** 2, n_rows, n_cols)
    verdict = classify_phase(
        spectrum, bulk_by_iteration(spectrum), Reason.EQUAL_EIGENVALUES, exponential_ratio=None, exponential_p=None
    )
    assert verdict.phase is Reason.NO_PHASE
