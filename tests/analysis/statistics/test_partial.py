import time

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.partial import family_partial_taus, mean_tau, tau_difference


def families(count: int, size: int) -> np.ndarray:
    return np.repeat(np.arange(count), size)


def zoo(seed: int, count: int = 12, least: int = 4, most: int = 12) -> tuple[np.ndarray, ...]:
    """Families of unequal size: codes, size, and two columns of noise."""
    generator = np.random.default_rng(seed)
    codes = np.repeat(np.arange(count), generator.integers(least, most + 1, count))
    return codes, *generator.normal(size=(3, len(codes)))


def by_hand(metric: np.ndarray, score: np.ndarray, controls: list[np.ndarray]) -> float:
    design = np.column_stack([np.ones(len(metric)), *controls])
    left = [column - design @ np.linalg.lstsq(design, column, rcond=None)[0] for column in (metric, score)]
    return float(scipy.stats.kendalltau(*left).statistic)


def test_each_family_is_that_of_its_least_squares_residuals() -> None:
    codes, size, metric, score = zoo(0)
    depth = np.random.default_rng(1).normal(size=len(codes))
    for controls in ([], [size], [size, depth]):
        found = family_partial_taus(metric, score, codes, controls)
        for family in range(12):
            own = codes == family
            if own.sum() - 1 - len(controls) < 3:
                assert np.isnan(found.values[family])
            else:
                held = [control[own] for control in controls]
                assert found.values[family] == pytest.approx(by_hand(metric[own], score[own], held), abs=1e-12)


def test_a_large_family_is_ranked_like_a_small_one() -> None:
    size, metric, score = np.random.default_rng(3).normal(size=(3, 1_600))
    found = family_partial_taus(metric + size, score + size, np.zeros(1_600, dtype=int), [size])
    assert found.values[0] == pytest.approx(by_hand(metric + size, score + size, [size]), abs=1e-12)


def test_four_models_are_too_few_to_hold_size_fixed_and_five_are_enough() -> None:
    size, metric, score = np.random.default_rng(0).normal(size=(3, 9))
    codes = np.array([0] * 4 + [1] * 5)
    found = family_partial_taus(metric, score, codes, [size])
    assert np.isnan(found.values[0]) and np.isfinite(found.values[1])
    assert [(one.family, one.models, one.reason) for one in found.without] == [(0, 4, "4 of at least 5 models")]
    assert np.isfinite(family_partial_taus(metric, score, codes).values).all()


def test_with_one_degree_of_freedom_left_every_tau_would_be_one() -> None:
    """Why families need three."""
    generator = np.random.default_rng(0)
    spread = {
        n: np.mean([by_hand(*generator.normal(size=(2, n)), [generator.normal(size=n)]) ** 2 for _ in range(200)])
        for n in (3, 5)
    }
    assert spread[3] > 0.99
    assert spread[5] < 0.4


def test_a_control_that_does_not_vary_in_a_family_costs_it_nothing() -> None:
    metric, score = np.random.default_rng(0).normal(size=(2, 4))
    size = np.full(4, 7.0)
    found = family_partial_taus(metric, score, np.zeros(4, dtype=int), [size, 2 * size])
    assert found.values[0] == pytest.approx(scipy.stats.kendalltau(metric, score).statistic)


@pytest.mark.parametrize("which", ["metric", "score"])
def test_what_follows_from_size_has_no_order_of_its_own(which: str) -> None:
    codes, size, noise, _ = zoo(2, least=5)
    line = 3 * size - 1
    metric, score = (line, noise) if which == "metric" else (noise, line)
    found = family_partial_taus(metric, score, codes, [size])
    assert np.isnan(found.values).all()
    assert {one.reason for one in found.without} == {f"the {which} does not vary beyond the controls"}


def test_models_with_all_columns_alike_are_tied() -> None:
    """Their residuals differ by rounding alone, whichever way that goes."""
    size, metric, score = np.repeat(np.random.default_rng(5).normal(size=(3, 6)) * 1.1, 2, axis=1)
    found = family_partial_taus(metric, score, np.zeros(12, dtype=int), [size]).values[0]
    once = by_hand(metric[::2], score[::2], [size[::2]])
    assert found == pytest.approx(once, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(*[st.floats(0.01, 100)] * 3),
    st.tuples(*[st.floats(-1_000, 1_000)] * 3),
    st.randoms(use_true_random=False),
)
def test_units_and_names_change_nothing(seed: int, scale: tuple, shift: tuple, random: object) -> None:
    codes, size, metric, score = zoo(seed, count=6, least=5)
    metric, score = metric + size, score + size
    plain = family_partial_taus(metric, score, codes, [size]).values
    columns = [a * column + b for a, b, column in zip(scale, shift, (metric, score, size), strict=True)]
    np.testing.assert_allclose(family_partial_taus(columns[0], columns[1], codes, [columns[2]]).values, plain)
    names = list(range(6))
    random.shuffle(names)  # type: ignore[attr-defined]
    renamed = family_partial_taus(metric, score, np.array(names)[codes], [size]).values
    np.testing.assert_allclose(renamed[names], plain)
    np.testing.assert_allclose(family_partial_taus(-metric, score, codes, [size]).values, -plain)


def test_a_metric_that_only_follows_size_has_none_where_kendalls_own_formula_has_a_fifth() -> None:
    generator = np.random.default_rng(0)
    size, *noise = generator.normal(size=(3, 4_000))
    metric, score = (0.9 * size + np.sqrt(1 - 0.81) * own for own in noise)
    tau = [scipy.stats.kendalltau(*pair).statistic for pair in ((metric, score), (metric, size), (score, size))]
    kendalls = (tau[0] - tau[1] * tau[2]) / np.sqrt((1 - tau[1] ** 2) * (1 - tau[2] ** 2))
    assert kendalls == pytest.approx(0.19, abs=0.02)
    assert tau[0] == pytest.approx(0.60, abs=0.02)
    residuals = family_partial_taus(metric, score, np.zeros(4_000, dtype=int), [size]).values[0]
    assert abs(residuals) < 3 * np.sqrt(2 * (2 * 4_000 + 5) / (9 * 4_000 * 3_999))


def test_the_mean_is_over_families_and_tested_by_their_signs() -> None:
    values = np.array([0.5, 0.3, 0.1, 0.4, 0.2, 0.6, np.nan])
    found = mean_tau(values, generator=np.random.default_rng(0))
    assert (found.families, found.tau, found.p) == (6, pytest.approx(0.35), pytest.approx(2 / 2**6))
    assert found.interval is None and found.reason


@pytest.mark.parametrize(("count", "tested", "interval"), [(1, False, False), (5, True, False), (8, True, True)])
def test_what_can_be_had_grows_with_families(count: int, tested: bool, interval: bool) -> None:
    values = np.random.default_rng(0).normal(size=count)
    found = mean_tau(values, generator=np.random.default_rng(0), draws=199)
    assert found.tau == pytest.approx(values.mean())
    assert (found.p is not None, found.interval is not None) == (tested, interval)
    assert (found.reason is None) == interval


def test_of_no_family_nothing_is_said() -> None:
    found = mean_tau(np.array([np.nan]), generator=np.random.default_rng(0))
    assert (found.families, found.tau, found.p, found.reason) == (0, None, None, "no family has one")
    nobody = family_partial_taus(*np.ones((2, 3)), np.full(3, -1), [np.ones(3)])
    assert len(nobody.values) == 0


def test_the_detectable_mean_is_found_four_times_in_five() -> None:
    generator = np.random.default_rng(0)
    told = np.mean(
        [mean_tau(generator.normal(size=12) / 5, generator=generator, draws=1).detectable or 0 for _ in range(50)]
    )
    seen = [scipy.stats.ttest_1samp(generator.normal(size=12) / 5 + told, 0).pvalue < 0.05 for _ in range(600)]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.06)


def test_two_metrics_are_compared_by_strength_not_by_sign() -> None:
    first, second = np.array([0.8, 0.6, 0.7, np.nan]), np.array([-0.5, -0.5, -0.2, -0.4])
    found, only_one = tau_difference(first, second, generator=np.random.default_rng(0))
    assert (found.families, only_one, found.tau) == (3, 1, pytest.approx(0.3))


def test_a_confounder_leaves_a_raw_tau_and_no_partial_one() -> None:
    codes, size, a, b = zoo(3, count=300, least=5)
    metric, score = size + 0.5 * a, size + 0.5 * b
    generator = np.random.default_rng(0)
    raw = mean_tau(family_partial_taus(metric, score, codes).values, generator=generator, draws=999)
    held = mean_tau(family_partial_taus(metric, score, codes, [size]).values, generator=generator, draws=999)
    assert raw.tau is not None and raw.tau > 0.5
    assert held.tau is not None and abs(held.tau) < 0.06 and held.p is not None and held.p > 0.05


def test_an_effect_is_found_and_a_reversal_has_its_own_sign() -> None:
    codes, size, a, b = zoo(4, count=30, least=6)
    effect, reversal = size + a + 0.5 * b, size - 0.4 * a
    score = 2 * size + a
    for metric, sign in ((effect, 1), (reversal, -1)):
        raw = family_partial_taus(metric, score, codes).values
        held = mean_tau(
            family_partial_taus(metric, score, codes, [size]).values, generator=np.random.default_rng(0), draws=999
        )
        assert np.nanmean(raw) > 0.2
        assert held.tau is not None and sign * held.tau > 0.3 and held.p == pytest.approx(0.001)


def test_ten_thousand_families_take_seconds() -> None:
    codes, size, metric, score = zoo(0, count=10_000, least=1, most=20)
    begin = time.perf_counter()
    found = family_partial_taus(metric + size, score + size, codes, [size])
    mean = mean_tau(found.values, generator=np.random.default_rng(0), draws=199)
    assert time.perf_counter() - begin < 10
    assert mean.tau is not None and abs(mean.tau) < 0.02
    assert mean.families + len(found.without) == 10_000
