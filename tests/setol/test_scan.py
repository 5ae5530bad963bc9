"""The pruned scan against a plain loop over all candidates: equal to the last bit, ties included."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from setol.tails import scan
from setol.tails.scan import TailChoice, lower_step_distance, scan_tails, scan_tails_of_each, tail_exponents

KINDS = (
    "pareto",
    "lognormal",
    "marchenko_pastur",
    "uniform",
    "mixture",
    "two_point",
    "one_decimal",
    "powers_of_two",
)
PER_KIND = 125  # 8 kinds x 125 = 1,000 spectra


def brute_force(log_evals: NDArray[np.float64], smallest_tail: int = 2, lost_degrees: int = 0) -> TailChoice | None:
    """Look at every candidate in order; keep the first with the smallest D."""
    alphas = tail_exponents(log_evals, lost_degrees)
    best = None
    for start in range(len(log_evals) - smallest_tail + 1):
        if not np.isfinite(alphas[start]):
            continue
        distance = lower_step_distance(log_evals[start:], alphas[start])
        if best is None or distance < best.distance:
            best = TailChoice(start, float(alphas[start]), distance)
    return best


def textbook_scan(evals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exponent and D of every tail straight from their definitions, on the eigenvalues themselves."""
    alphas, distances = np.full(len(evals), np.inf), np.full(len(evals), np.inf)
    for start in range(len(evals) - 1):
        ratios = evals[start:] / evals[start]
        if ratios[-1] > 1.0:
            alphas[start] = 1.0 + len(ratios) / np.log(ratios).sum()
            cdf = 1.0 - ratios ** (1.0 - alphas[start])
            distances[start] = np.abs(cdf - np.arange(len(ratios)) / len(ratios)).max()
    return alphas, distances


def random_spectra(draw_spectrum: Callable[..., NDArray[np.float64]], kind: str) -> list[NDArray[np.float64]]:
    """Ascending spectra of a kind, sizes from 2 to 1,200: below, at and far above where pruning sets in (64)."""
    rng = np.random.default_rng([KINDS.index(kind), 1])
    sizes = np.exp(rng.uniform(np.log(2), np.log(1200), PER_KIND)).astype(int)
    return [np.sort(draw_spectrum(kind, rng, int(n))) for n in sizes]


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_scan_of_all_candidates(draw_spectrum, kind):
    for evals in random_spectra(draw_spectrum, kind):
        log_evals = np.log(evals)
        assert scan_tails(log_evals) == brute_force(log_evals), f"{len(evals)} eigenvalues"


@pytest.mark.parametrize("kind", KINDS)
def test_many_at_once_are_scanned_as_each_alone(draw_spectrum, kind):
    spectra = [np.log(evals) for evals in random_spectra(draw_spectrum, kind)] + [np.zeros(5), np.zeros(1)]
    assert scan_tails_of_each(spectra) == [scan_tails(each) for each in spectra]


@pytest.mark.parametrize("kind", KINDS)
def test_no_tail_is_closer_by_the_definition_of_d(draw_spectrum, kind):
    for evals in random_spectra(draw_spectrum, kind):
        choice = scan_tails(np.log(evals))
        alphas, distances = textbook_scan(evals)
        if choice is None:
            assert not np.isfinite(distances).any()
            continue
        # x^(1-alpha) carries alpha times the relative error of ln x: a few 2^-52, by alpha, beyond 1e-12.
        tolerance = 1e-12 + 16 * 2.0**-52 * choice.alpha
        assert alphas[choice.start] == pytest.approx(choice.alpha, rel=1e-11)
        assert abs(distances[choice.start] - choice.distance) <= tolerance
        assert choice.distance <= distances.min() + tolerance


@pytest.mark.parametrize(("kind", "n"), [("pareto", 4608), ("lognormal", 3000), ("marchenko_pastur", 1000)])
def test_equals_the_scan_of_all_candidates_at_the_size_of_layers(draw_spectrum, kind, n):
    log_evals = np.log(np.sort(draw_spectrum(kind, np.random.default_rng(2), n)))
    assert scan_tails(log_evals) == brute_force(log_evals)


@pytest.mark.parametrize("kind", KINDS)
def test_small_sample_options_equal_the_scan_of_all_candidates(draw_spectrum, kind):
    rng = np.random.default_rng([KINDS.index(kind), 3])
    for n in range(8, 120, 4):
        log_evals = np.log(np.sort(draw_spectrum(kind, rng, n)))
        assert scan_tails(log_evals, smallest_tail=8, lost_degrees=1) == brute_force(log_evals, 8, 1)


def test_smallest_index_wins_a_tie_even_when_it_is_looked_at_last(monkeypatch):
    monkeypatch.setattr(scan, "lower_step_distance", lambda log_tail, alpha: 0.5)
    monkeypatch.setattr(scan, "_lower_bounds", lambda logs, alphas, candidates, probes: 0.4 - candidates / 1000)
    log_evals = np.log(np.arange(1.0, 200.0))
    assert scan_tails(log_evals) == TailChoice(0, float(tail_exponents(log_evals)[0]), 0.5)


@pytest.mark.parametrize("probes", [1, 3, 16])
def test_bound_is_never_above_d(draw_spectrum, probes):
    rng = np.random.default_rng(4)
    for kind in KINDS:
        log_evals = np.log(np.sort(draw_spectrum(kind, rng, 150)))
        alphas = tail_exponents(log_evals)
        candidates = np.flatnonzero(np.isfinite(alphas))
        bounds = scan._lower_bounds(log_evals, alphas, candidates, probes)
        distances = [lower_step_distance(log_evals[start:], alphas[start]) for start in candidates]
        assert np.all(bounds <= np.array(distances) + scan.ROUNDING)


def test_exponents_of_a_geometric_spectrum():
    # ln lambda = 0, 1, ..., n-1: the tail of m points has S = m(m-1)/2, so alpha = 1 + 2/(m-1).
    sizes = np.arange(10, 0, -1)
    exponents = tail_exponents(np.arange(10.0))
    np.testing.assert_allclose(exponents[:-1], 1.0 + 2.0 / (sizes[:-1] - 1), rtol=1e-15)
    assert exponents[-1] == np.inf  # one point has no spread
    np.testing.assert_allclose(tail_exponents(np.arange(10.0), lost_degrees=1)[:-1], 1.0 + 2.0 / sizes[:-1], rtol=1e-15)


def test_no_tail_where_there_is_no_spread_or_no_room():
    assert scan_tails(np.zeros(5)) is None
    assert scan_tails(np.arange(5.0), smallest_tail=6) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_restricted_range_equals_the_loop_over_it(draw_spectrum, kind):
    rng = np.random.default_rng([KINDS.index(kind), 5])
    for n in (3, 40, 500):
        log_evals = np.log(np.sort(draw_spectrum(kind, rng, n)))
        alphas = tail_exponents(log_evals)
        for _ in range(10):
            first, stop = sorted(int(i) for i in rng.integers(0, n + 1, 2))
            inside = [
                (lower_step_distance(log_evals[i:], alphas[i]), i) for i in range(first, stop) if np.isfinite(alphas[i])
            ]
            choice = scan_tails(log_evals, starts=(first, stop))
            if inside:
                distance, start = min(inside)
                assert choice == TailChoice(start, float(alphas[start]), distance)
            else:
                assert choice is None
        assert scan_tails(log_evals, starts=(0, n)) == scan_tails(log_evals)
