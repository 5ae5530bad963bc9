from itertools import permutations, product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics import permutation
from analysis.statistics.permutation import max_t_sign_flip, max_t_within, permuted_scores, sign_flip

GENERATOR = np.random.default_rng(20)
FEW = settings(max_examples=25, deadline=None)
VALUES = st.lists(st.integers(-20, 20), min_size=5, max_size=8).map(lambda each: np.array(each, dtype=float))


def seeded(seed=0):
    return np.random.default_rng(seed)


@FEW
@given(VALUES)
def test_sign_flip_is_the_share_of_all_patterns(values):
    sums = [abs(np.dot(signs, values)) for signs in product([-1, 1], repeat=len(values))]
    found = sign_flip(values, generator=seeded())
    assert found.exact and found.n == len(values)
    assert found.p == pytest.approx(np.mean(np.array(sums) >= abs(values.sum())))
    for other in (-values, values[::-1], values * 1e-30):
        assert sign_flip(other, generator=seeded()).p == found.p


def test_sign_flip_agrees_with_scipy():
    values = seeded(1).normal(0.6, size=9)
    scipys = scipy.stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(values, generator=seeded()).p == pytest.approx(scipys.pvalue)


def test_drawn_signs_come_near_all_signs():
    values = seeded(2).normal(0.5, size=15)
    patterns = 1 - 2 * ((np.arange(2**15)[:, None] >> np.arange(15)) & 1)
    exact = np.mean(np.abs(patterns @ values) >= abs(values.sum()) - 1e-12)
    drawn = sign_flip(values, generator=seeded(3))
    assert not drawn.exact
    assert drawn.p == pytest.approx(exact, abs=0.01)
    assert sign_flip(np.ones(40), generator=seeded()).p == 1 / 10_000


def test_few_families_are_not_tested():
    found = sign_flip(np.ones(4), generator=seeded())
    assert found.p is None
    assert found.reason == "4 of at least 5 families"
    assert sign_flip(np.ones(5), generator=seeded()).p == 2 / 32
    assert sign_flip(np.zeros(6), generator=seeded()).p == 1


def test_max_t_over_flips_is_the_share_of_all_patterns():
    values = seeded(4).normal(0.4, 1, size=(7, 3)) * [1, 10, 1e-3]
    values[[0, 3], 1] = np.nan
    filled = np.nan_to_num(values)
    statistics = np.array(
        [np.abs(np.array(signs) @ filled) / np.sqrt((filled**2).sum(0)) for signs in product([-1, 1], repeat=7)]
    )
    expected = [(statistics.max(axis=1) >= own - 1e-9).mean() for own in statistics[-1]]
    assert max_t_sign_flip(values, generator=seeded()) == pytest.approx(expected)


def test_one_metric_or_copies_of_it_need_no_adjustment():
    values = seeded(5).normal(0.5, size=10)
    alone = sign_flip(values, generator=seeded()).p
    copies = np.column_stack([values, values * 3, -values])
    assert max_t_sign_flip(copies, generator=seeded()) == pytest.approx([alone] * 3)


def test_metrics_of_few_families_take_no_part():
    values = seeded(6).normal(0.5, size=(9, 2))
    alone = max_t_sign_flip(values[:, :1], generator=seeded())
    values[:5, 1] = np.nan
    found = max_t_sign_flip(values, generator=seeded())
    assert found[0] == alone[0]
    assert np.isnan(found[1])
    assert np.isnan(max_t_sign_flip(np.full((3, 2), np.nan), generator=seeded())).all()


def brute_within(metrics, score, blocks):
    members = [np.flatnonzero(blocks == code) for code in np.unique(blocks)]
    rows = []
    for orders in product(*(list(permutations(places)) for places in members)):
        moved = score.copy()
        for places, order in zip(members, orders, strict=True):
            moved[places] = score[list(order)]
        rows.append(
            [
                sum(
                    np.sign((column[i] - column[j]) * (moved[i] - moved[j]))
                    for i in range(len(score))
                    for j in range(i)
                    if blocks[i] == blocks[j] and np.isfinite(column[i] + column[j])
                )
                for column in metrics.T
            ]
        )
    s = np.array(rows)
    return s, np.abs(s) / np.sqrt((s**2).mean(axis=0))


@pytest.mark.parametrize("blocks", [np.zeros(6, dtype=int), np.array([0, 1, 0, 1, 1, 0])])
def test_max_t_within_is_the_share_of_all_orders(blocks):
    generator = seeded(7)
    metrics = np.round(generator.normal(size=(6, 3)), 1)
    score = np.array([1.0, 2, 2, 3, 5, 4])
    metrics[2, 1] = np.nan
    s, standard = brute_within(metrics, score, blocks)
    assert sorted(permuted_scores(metrics, score, blocks, generator=generator, draws=9)[:, 1]) == sorted(s[:, 1])
    expected = [(standard.max(axis=1) >= own - 1e-9).mean() for own in standard[0]]
    assert max_t_within(metrics, score, blocks, generator=generator) == pytest.approx(expected)


def test_only_orders_within_blocks_count():
    generator = seeded(8)
    blocks = np.repeat(np.arange(5), 6)
    metrics, score = generator.normal(size=(30, 2)), generator.normal(size=30)
    found = max_t_within(metrics, score, blocks, generator=seeded())
    far = max_t_within(metrics + 100 * blocks[:, None], np.exp(score) - 50 * blocks, blocks, generator=seeded())
    assert far == pytest.approx(found)
    named = max_t_within(metrics, score, (7 - blocks) * 10, generator=seeded())
    assert named == pytest.approx(found, abs=0.05)
    with_strangers = max_t_within(
        np.vstack([metrics, [[9, 9]] * 4]),
        np.append(score, [99] * 4),
        np.append(blocks, [-1, -1, 12, 13]),
        generator=seeded(),
    )
    assert with_strangers == pytest.approx(found, abs=0.05)


def test_what_cannot_vary_is_not_tested():
    score = np.arange(8.0)
    metrics = np.column_stack([score, np.ones(8), np.where(score < 4, score, np.nan)])
    found = max_t_within(metrics, score, np.zeros(8, dtype=int), generator=seeded())
    assert found[0] == pytest.approx(2 / 40_320)
    assert np.isnan(found[1:]).all()
    assert np.isnan(max_t_within(metrics, score, np.arange(8), generator=seeded())).all()
    assert np.isnan(max_t_within(metrics, score, np.full(8, -1), generator=seeded())).all()


def test_s_of_many_models_is_linear_in_ranks():
    generator = seeded(9)
    metrics = generator.normal(size=(240, 3))
    metrics[:40, 1] = np.nan
    metrics[:, 2] = np.round(metrics[:, 2])
    score = np.round(generator.normal(size=240), 1)
    orders = next(permutation._orders(240, 200, generator))
    pairs, ranks = permutation._kendall(metrics, score, orders), permutation._linear(metrics, score, orders)
    for of_pairs, of_ranks in zip(pairs.T, ranks.T, strict=True):
        assert np.corrcoef(of_pairs, of_ranks)[0, 1] > 0.997
        assert of_pairs.std() == pytest.approx(of_ranks.std(), rel=0.01)
    tau = scipy.stats.kendalltau(metrics[:, 0], score, variant="c")
    assert pairs[0, 0] * 2 / 240**2 == pytest.approx(
        tau.statistic * (len(np.unique(score)) - 1) / len(np.unique(score))
    )


def test_few_false_findings_in_tables_of_metrics():
    generator = seeded(10)
    blocks = np.repeat(np.arange(4), 6)
    within, flipped = 0, 0
    for _ in range(300):
        metrics = generator.normal(size=(24, 1)) + generator.normal(size=(24, 8)) + blocks[:, None]
        metrics[generator.random(metrics.shape) < 0.15] = np.nan
        found = max_t_within(metrics, generator.normal(size=24) + blocks, blocks, generator=generator, draws=199)
        within += (found <= 0.05).any()
        effects = generator.exponential(size=(9, 1)) * (generator.normal(size=(9, 1)) + generator.normal(size=(9, 8)))
        flipped += (max_t_sign_flip(effects, generator=generator) <= 0.05).any()
    assert 3 <= within <= 28  # of 300 at 5 %: 15, with a standard deviation of 3.8
    assert 3 <= flipped <= 28


def test_an_effect_is_found_in_the_right_metric():
    generator = seeded(11)
    blocks = np.repeat(np.arange(8), 7)
    metrics = generator.normal(size=(56, 10))
    score = metrics[:, 3] + 0.5 * generator.normal(size=56) + 10 * generator.normal(size=8)[blocks]
    found = max_t_within(metrics, score, blocks, generator=generator, draws=999)
    assert found[3] == 1 / 1_000
    assert (np.delete(found, 3) > 0.05).all()


def test_very_many_models_of_one_family_fit_into_memory(monkeypatch):
    generator = seeded(12)
    metrics = generator.normal(size=(300, 2))
    score = metrics[:, 0] + generator.normal(size=300)
    whole = max_t_within(metrics, score, np.zeros(300, dtype=int), generator=seeded(), draws=199)
    monkeypatch.setattr(permutation, "_CELLS", 7_000)
    parts = max_t_within(metrics, score, np.zeros(300, dtype=int), generator=seeded(), draws=199)
    assert whole[0] == parts[0] == 1 / 200
    assert parts[1] == pytest.approx(whole[1], abs=0.1)
