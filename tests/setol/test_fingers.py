"""Fingers: clipping and the peak, as meant and as WeightWatcher does them."""

import math

import numpy as np
import pytest

from setol import Reason, SetolError, SmallSample, fit_power_law
from setol.tails.fingers import FingerOptions, clip_fingers, fit_above_peak


def quantiles(alpha, n):
    """Mid-quantiles of a power law from 1 up: a spectrum without scatter."""
    return ((np.arange(n) + 0.5) / n) ** (-1 / (alpha - 1))


def first_fall(evals, threshold, counts):
    """The rule, spelled out: how many to clip so that alpha falls by more than the threshold, 0 for never."""
    raw = fit_power_law(evals).alpha
    for count in counts:
        alpha = fit_power_law(np.sort(evals)[:-count]).alpha
        if alpha + threshold < raw:
            return count
        if alpha <= 2.0:
            break
    return 0


def random_spectra():
    """Log-normal spectra under a group of 0 to 8 far eigenvalues, itself steep enough to be taken for the tail."""
    for seed in range(150):
        rng = np.random.default_rng([1, seed])
        evals = np.exp(rng.uniform(0.5, 1.5) * rng.standard_normal(rng.integers(20, 120)))
        fingers = quantiles(rng.uniform(5.0, 60.0), int(rng.integers(0, 9)))
        yield np.concatenate([evals, evals.max() * rng.uniform(1.0, 2.0) * fingers])


def test_equals_the_rule_on_random_spectra():
    seen, seen_compatible = set(), set()
    for evals in random_spectra():
        expected = first_fall(evals, 0.3, range(1, 11))
        result = clip_fingers(evals, FingerOptions(threshold=0.3))
        assert result.num_fingers == expected
        assert result.fit == fit_power_law(np.sort(evals)[: len(evals) - expected])
        assert result.raw_alpha == fit_power_law(evals).alpha
        seen.add(expected)
        expected = first_fall(evals, 0.3, range(2, 10))
        compatible = clip_fingers(evals, FingerOptions(threshold=0.3, compatible=True))
        assert compatible.fit == fit_power_law(np.sort(evals)[: len(evals) - expected])
        assert compatible.num_fingers == max(0, expected - 1)
        seen_compatible.add(expected)
    assert {0, 1, 2, 3} <= seen
    assert {0, 2, 3} <= seen_compatible


def test_one_finger_is_found_and_counted():
    """Of one finger WeightWatcher clips two and counts one, so the counts agree and the fits do not."""
    evals = next(each for each in random_spectra() if first_fall(each, 0.1, [1]) and first_fall(each, 0.1, [2]))
    result = clip_fingers(evals, FingerOptions(threshold=0.1))
    compatible = clip_fingers(evals, FingerOptions(threshold=0.1, compatible=True))
    assert (result.num_fingers, compatible.num_fingers) == (1, 1)
    assert result.fit.lambda_max == np.sort(evals)[-2]
    assert compatible.fit.lambda_max == np.sort(evals)[-3]


def test_alpha_hat_is_that_of_the_largest_eigenvalue_left():
    for evals in random_spectra():
        result = clip_fingers(evals, FingerOptions(threshold=0.3))
        assert result.fit.lambda_max == np.sort(evals)[len(evals) - 1 - result.num_fingers]
        assert result.alpha_hat == pytest.approx(result.fit.alpha * np.log10(result.fit.lambda_max), rel=1e-14)


def test_power_law_has_no_fingers():
    evals = quantiles(2.5, 400)
    result = clip_fingers(evals)
    assert (result.num_fingers, result.fit) == (0, fit_power_law(evals))
    assert result.raw_alpha == result.fit.alpha


def test_most_fingers_and_least_alpha():
    """Ten are clipped at most, fewer on request; clipping ends where alpha is small already."""
    chosen = {}
    for evals in random_spectra():
        count = clip_fingers(evals, FingerOptions(threshold=0.3)).num_fingers
        if count >= 3:
            chosen[count] = evals
    count, evals = max(chosen.items())
    assert count <= 10
    assert clip_fingers(evals, FingerOptions(threshold=0.3, max_fingers=count)).num_fingers == count
    assert clip_fingers(evals, FingerOptions(threshold=0.3, max_fingers=count - 1)).num_fingers == 0
    assert clip_fingers(evals, FingerOptions(threshold=0.3, min_alpha=100.0)).num_fingers == 0


@pytest.mark.parametrize("factor", [1e-300, 1e-5, 1e7, 1e290])
@pytest.mark.parametrize("compatible", [False, True])
def test_scale_of_clipping(factor, compatible):
    options = FingerOptions(threshold=0.3, compatible=compatible)
    for evals, _ in zip(random_spectra(), range(30), strict=False):
        result, scaled = clip_fingers(evals, options), clip_fingers(evals * factor, options)
        assert scaled.num_fingers == result.num_fingers
        assert scaled.fit.alpha == pytest.approx(result.fit.alpha, rel=1e-10)
        # alpha_hat alone depends on the scale: alpha log10(factor) is added.
        expected = result.alpha_hat + result.fit.alpha * math.log10(factor)
        assert scaled.alpha_hat == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_short_remains_follow_their_own_rule():
    n_clipped = 0
    for evals in random_spectra():
        rule = SmallSample(below=len(evals))  # the whole is not short yet, the rest is
        result = clip_fingers(evals, FingerOptions(threshold=0.3), small_sample=rule)
        assert result.raw_alpha == fit_power_law(evals).alpha
        rest = np.sort(evals)[: len(evals) - result.num_fingers]
        assert result.fit == fit_power_law(rest, small_sample=rule)
        n_clipped += result.num_fingers > 0
    assert n_clipped > 10


def test_spectra_shorter_than_the_fingers():
    evals = np.array([1.0, 2.0, 5.0, 5.1])
    result = clip_fingers(evals, FingerOptions(threshold=50.0))
    assert (result.num_fingers, result.fit) == (0, fit_power_law(evals))


# ---- the peak


def peaked(rng, n, centre):
    return np.exp(math.log(centre) + 0.5 * rng.standard_normal(n))


def peak_by_hand(evals):
    counts, edges = np.histogram(np.log10(evals), bins=100)
    return 10 ** edges[np.argmax(counts)]


@pytest.mark.parametrize("centre", [1e-6, 0.02, 1.0, 300.0, 1e8])
def test_lambda_min_lies_near_the_peak(centre):
    """On both sides of 1: the range moves with the spectrum. As many candidates lie in it at every scale."""
    evals = peaked(np.random.default_rng(4), 3000, centre)
    peak = peak_by_hand(evals)
    fit = fit_above_peak(evals)
    assert 0.95 * peak <= fit.lambda_min <= 1.5 * peak
    assert fit == fit_power_law(evals, lambda_min_between=(0.95 * peak, 1.5 * peak))


def test_compatible_range_has_a_logarithm_for_its_lower_end():
    """Below 1 it is negative and no lower end at all; the other range is then the tighter one."""
    evals = peaked(np.random.default_rng(5), 3000, 0.05)
    peak = peak_by_hand(evals)
    compatible = fit_above_peak(evals, compatible=True)
    assert compatible == fit_power_law(evals, lambda_min_between=(-math.inf, 1.5 * peak))
    assert compatible == fit_power_law(evals, lambda_min_between=(math.log10(0.95 * peak), 1.5 * peak))
    assert compatible.d_ww <= fit_above_peak(evals).d_ww


def test_compatible_range_may_reach_far_below_the_peak():
    """A better tail below the peak is taken by the one and not by the other."""
    spectra = (np.random.default_rng([7, seed]).uniform(0.0, 10.0, 100) for seed in range(100))
    evals = next(each for each in spectra if fit_power_law(each).lambda_min < 0.5 * peak_by_hand(each))
    peak = peak_by_hand(evals)
    assert math.log10(0.95 * peak) <= fit_above_peak(evals, compatible=True).lambda_min < 0.5 * peak
    assert fit_above_peak(evals).lambda_min >= 0.95 * peak


@pytest.mark.parametrize("factor", [1e-300, 1e-7, 1e290])
def test_scale_of_the_peak(factor):
    evals = peaked(np.random.default_rng(6), 500, 1.0)
    fit, scaled = fit_above_peak(evals), fit_above_peak(evals * factor)
    assert scaled.alpha == pytest.approx(fit.alpha, rel=1e-10)
    assert scaled.n_tail == fit.n_tail


# ---- input without a tail


@pytest.mark.parametrize("function", [clip_fingers, fit_above_peak])
def test_no_tail(function):
    for evals in ([], [2.0]):
        assert function(np.array(evals)) is Reason.TOO_FEW_EIGENVALUES
    for n in (2, 30):
        assert function(np.full(n, 0.3)) is Reason.EQUAL_EIGENVALUES
    assert function(np.array([1.0, 1.0, 1.0, 50.0])) is not None


def test_nothing_between_the_peak_and_a_half_more():
    # The fullest bin, that of the largest, leaves a tail of one.
    assert fit_above_peak(np.array([1.0, 100.0, 100.0])) is Reason.NO_CANDIDATE


@pytest.mark.parametrize("function", [clip_fingers, fit_above_peak])
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_refuses_what_has_no_logarithm(function, bad):
    with pytest.raises(SetolError, match=r"need positive finite eigenvalues.*with 1 that are not.*Drop zeros"):
        function(np.array([1.0, bad, 2.0, 3.0]))


@pytest.mark.parametrize("compatible", [False, True])
@pytest.mark.parametrize(
    "evals", [[5e-324, 1e-323, 2e-323, 5e-323], [1e300, 2e300, 3e300, 1e308], [5e-324, 1.0, 2.0, 1e308]]
)
def test_the_ends_of_float64(evals, compatible):
    clipped = clip_fingers(np.array(evals), FingerOptions(compatible=compatible))
    assert math.isfinite(clipped.alpha_hat)
    peak = fit_above_peak(np.array(evals), compatible=compatible)
    assert isinstance(peak, Reason) or peak.alpha > 1


@pytest.mark.parametrize("options", [FingerOptions(max_fingers=0), FingerOptions(threshold=-1.0)])
def test_refuses_options_without_meaning(options):
    with pytest.raises(SetolError, match=r"max_fingers of at least 1 and a threshold of at least 0; got max_fingers ="):
        clip_fingers(np.array([1.0, 2.0]), options)
