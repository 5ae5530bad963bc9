import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.left_out import family_errors, left_out_error
from tests.analysis.statistics.test_partial import zoo


def refitted(columns: list[np.ndarray], score: np.ndarray, codes: np.ndarray, own_level: bool) -> np.ndarray:
    """Every family predicted by a fit to the others, made anew for each."""
    values = [score, *columns]
    if own_level:
        values = [column - np.array([column[codes == code].mean() for code in codes]) for column in values]
    design = np.column_stack([*([] if own_level else [np.ones_like(score)]), *values[1:]])
    sizes = np.bincount(codes)[codes] - (1 if own_level else 0)
    errors = []
    for family in range(codes.max() + 1):
        out = codes == family
        root = 1 / np.sqrt(sizes[~out])
        line = np.linalg.lstsq(design[~out] * root[:, None], values[0][~out] * root, rcond=None)[0]
        errors.append(((values[0][out] - design[out] @ line) ** 2 / sizes[out]).sum())
    return np.array(errors)


@pytest.mark.parametrize("own_level", [True, False])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), width=st.integers(0, 3))
def test_taking_cross_products_away_is_fitting_anew(own_level: bool, seed: int, width: int) -> None:
    codes, size, a, b = zoo(seed, count=7, least=2)
    columns = [size, 100 * a + 5_000, size + 0.1 * b][:width]
    score = size + a + np.random.default_rng(seed).normal(size=len(codes))
    if own_level and not columns:
        expected = np.array([score[codes == family].var(ddof=1) for family in range(7)])
    else:
        expected = refitted(columns, score, codes, own_level)
    np.testing.assert_allclose(family_errors(columns, score, codes, own_level=own_level), expected, rtol=1e-7)


def test_a_level_that_is_known_costs_nothing_and_one_that_is_not_is_paid_for() -> None:
    codes, size, metric, noise = zoo(0, count=10)
    score = size + 0.01 * noise + 50.0 * codes
    known, unknown = (
        left_out_error(metric, score, codes, [size], own_level=own, generator=np.random.default_rng(0), draws=199)
        for own in (True, False)
    )
    assert known.without == pytest.approx(0.01, rel=0.3)
    assert unknown.without is not None and unknown.without > 50


def test_what_a_metric_takes_away_is_its_share_of_the_noise() -> None:
    codes, size, a, b = zoo(1, count=400, least=5)
    score = 3 * size + 2 * a + b
    found = left_out_error(a, score, codes, [size], own_level=True, generator=np.random.default_rng(0), draws=499)
    assert found.removed == pytest.approx(0.8, abs=0.03)
    assert (found.without, found.with_metric) == (pytest.approx(5**0.5, rel=0.05), pytest.approx(1, rel=0.05))
    assert found.interval is not None and found.interval.low < 0.8 < found.interval.high
    assert found.interval.low > 0.75


def test_noise_makes_predictions_a_little_worse() -> None:
    shares = []
    for seed in range(30):
        codes, size, a, b = zoo(seed, count=10)
        found = left_out_error(a, size + b, codes, [size], own_level=True, generator=np.random.default_rng(0), draws=1)
        shares.append(found.removed)
    assert -0.1 < np.mean(shares) < 0


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10**6), st.tuples(*[st.floats(0.01, 100)] * 3), st.tuples(*[st.floats(-100, 100)] * 3), st.booleans()
)
def test_units_and_names_change_nothing(seed: int, scale: tuple, shift: tuple, own_level: bool) -> None:
    codes, size, metric, noise = zoo(seed, count=9, least=3)
    columns = metric, metric + size + noise, size

    def share(metric: np.ndarray, score: np.ndarray, size: np.ndarray, codes: np.ndarray) -> tuple:
        found = left_out_error(
            metric, score, codes, [size], own_level=own_level, generator=np.random.default_rng(0), draws=9
        )
        return found.removed, found.without

    plain = share(*columns, codes)
    moved = share(*(a * column + b for a, b, column in zip(scale, shift, columns, strict=True)), codes)
    assert moved == (pytest.approx(plain[0], abs=1e-6), pytest.approx(plain[1] * scale[1], rel=1e-6))
    assert share(*columns, 8 - codes) == (pytest.approx(plain[0]), pytest.approx(plain[1]))


def test_a_metric_that_varies_in_one_family_alone_changes_nothing_there() -> None:
    """The others say nothing of it: its coefficient is zero, not the quotient of two rounding errors."""
    codes, size, _, noise = zoo(2, count=8)
    metric = np.where(codes == 3, noise, 5.0)
    for own_level in (True, False):
        before, after = (
            family_errors(columns, noise, codes, own_level=own_level) for columns in ([size], [size, metric])
        )
        if own_level:
            assert after[3] == pytest.approx(before[3])
        assert (after < 10 * before.max()).all()


def test_families_of_one_take_no_part_and_four_are_too_few() -> None:
    codes, size, metric, score = zoo(0, count=4)
    more = np.concatenate([codes, [4, 5, 6, -1, -1]])
    longer = [np.concatenate([column, np.ones(5)]) for column in (metric, score, size)]
    found = left_out_error(longer[0], longer[1], more, [longer[2]], own_level=False, generator=np.random.default_rng(0))
    assert (found.families, found.models, found.removed) == (4, len(codes), None)
    assert found.reason == "4 of at least 5 families of two or more models"


def test_no_family_and_scores_all_equal() -> None:
    codes, size, metric, _ = zoo(0, count=6)
    generator = np.random.default_rng(0)
    nobody = left_out_error(metric, size, np.full(len(codes), -1), [size], own_level=True, generator=generator)
    assert (nobody.families, nobody.models, nobody.removed) == (0, 0, None)
    flat = left_out_error(metric, np.full(len(codes), 76.13), codes, [size], own_level=False, generator=generator)
    assert flat.removed is None and flat.reason and "do not vary" in flat.reason
    constant = left_out_error(np.ones(len(codes)), metric, codes, [size], own_level=True, generator=generator, draws=9)
    assert constant.removed == pytest.approx(0)


def test_ten_thousand_families_take_seconds() -> None:
    codes, size, a, b = zoo(0, count=10_000, least=1, most=20)
    begin = time.perf_counter()
    found = left_out_error(
        a + b, size + a, codes, [size], own_level=False, generator=np.random.default_rng(0), draws=199
    )
    assert time.perf_counter() - begin < 10
    assert found.removed == pytest.approx(0.5, abs=0.02)
