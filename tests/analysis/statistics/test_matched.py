import time

import numpy as np
import pytest

from analysis.statistics.matched import MatchedPairs, matched_pairs


def compare(metric: list, score: list, networks: list, families: list | None = None, **given: object) -> MatchedPairs:
    codes = np.array(networks, dtype=np.int64)
    return matched_pairs(
        np.array(metric, dtype=float),
        np.array(score, dtype=float),
        codes,
        np.zeros_like(codes) if families is None else np.array(families, dtype=np.int64),
        **{"higher_is_better": True, "generator": np.random.default_rng(0), "draws": 499} | given,  # type: ignore[arg-type]
    )


def counted(metric: np.ndarray, score: np.ndarray, networks: np.ndarray) -> tuple[float, float, int]:
    """Pair by pair."""
    shares, wins, pairs = [], 0.0, 0
    for code in range(networks.max() + 1):
        own = np.flatnonzero(networks == code)
        won = [
            0.5 if metric[i] == metric[j] else float((metric[i] < metric[j]) == (score[i] > score[j]))
            for i in own
            for j in own
            if i < j and score[i] != score[j]
        ]
        if won:
            shares.append(np.mean(won))
            wins, pairs = wins + sum(won), pairs + len(won)
    return float(np.mean(shares)), wins / pairs, pairs


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_those_that_counting_finds(seed: int) -> None:
    generator = np.random.default_rng(seed)
    networks = np.repeat(np.arange(9), generator.integers(1, 8, 9))
    metric, score = generator.integers(0, 5, (2, len(networks))).astype(float)
    chance, pooled, pairs = counted(metric, score, networks)
    for better, sign in ((True, 1), (False, -1)):
        found = compare(list(metric), list(score), list(networks), higher_is_better=better)
        assert found.pairs == pairs
        assert found.chance == pytest.approx(0.5 + sign * (chance - 0.5))
        assert found.pooled == pytest.approx(0.5 + sign * (pooled - 0.5))


def test_each_architecture_counts_once_and_each_pair_once() -> None:
    """Three pairs of one say that small is good, one pair of another that it is not."""
    found = compare([1, 2, 3, 1, 2], [9, 8, 7, 5, 6], [0, 0, 0, 1, 1])
    assert (found.architectures, found.pairs, found.chance, found.pooled) == (2, 4, 0.5, 0.75)
    assert found.p is None and found.interval is None and found.reason


def test_equal_metrics_are_half_and_equal_scores_no_pair() -> None:
    found = compare([1, 1, 2], [5, 6, 6], [0, 0, 0])
    assert (found.pairs, found.chance) == (2, 0.25)
    assert compare([3, 3], [5, 6], [0, 0]).chance == 0.5


def test_ten_that_agree_are_no_accident_unless_they_are_of_one_family() -> None:
    """One recipe that is run on ten networks of a series is one finding, not ten."""
    generator = np.random.default_rng(0)
    networks = np.repeat(np.arange(10), 3)
    score = generator.normal(size=30)
    metric = -score + 0.4 * generator.normal(size=30)
    apart = compare(list(metric), list(score), list(networks), list(networks))
    assert apart.p == pytest.approx(2 / 2**10, abs=0.01)
    assert apart.interval is not None and apart.interval.low > 0.5 and apart.reason is None
    together = compare(list(metric), list(score), list(networks))
    assert (together.chance, together.families, together.p, together.interval) == (apart.chance, 1, None, None)
    assert together.reason == "1 of at least 5 families"


def test_the_interval_is_that_of_the_mean_over_architectures() -> None:
    """A family of many architectures weighs as many."""
    generator = np.random.default_rng(1)
    sizes = generator.integers(1, 9, 12)
    networks = np.repeat(np.arange(sizes.sum()), 3)
    families = np.repeat(np.repeat(np.arange(12), sizes), 3)
    metric, score = generator.normal(size=(2, len(networks)))
    found = compare(list(metric), list(score), list(networks), list(families))
    assert found.chance is not None and found.interval is not None
    assert found.chance == pytest.approx(counted(metric, score, networks)[0])
    assert found.interval.low < found.chance < found.interval.high
    assert found.interval.high - found.interval.low > 0.1


def test_a_sharp_reversal_is_below_half() -> None:
    networks = np.repeat(np.arange(8), 2)
    pairs = list(np.tile([1.0, 2.0], 8))
    found = compare(pairs, pairs, list(networks), list(networks))
    assert found.chance == 0.0
    assert found.p == pytest.approx(2 / 2**8)


def test_models_of_no_family_stand_alone_and_of_no_architecture_not_at_all() -> None:
    found = compare([1, 2, 1, 2, 1, 2], [2, 1, 2, 1, 1, 2], [0, 0, 1, 1, -1, -1], [-1] * 6)
    assert (found.architectures, found.families, found.chance) == (2, 2, 1.0)


@pytest.mark.parametrize(
    ("metric", "score", "networks"), [([], [], []), ([1, 2], [1, 2], [0, 1]), ([1, 2], [3, 3], [0, 0])]
)
def test_without_a_pair_there_is_a_reason(metric: list, score: list, networks: list) -> None:
    found = compare(metric, score, networks)
    assert (found.architectures, found.pairs, found.chance) == (0, 0, None)
    assert found.reason == "no two models of one architecture with different scores"


def test_one_architecture_of_thousands_of_models() -> None:
    generator = np.random.default_rng(0)
    score = generator.normal(size=20_000)
    begin = time.perf_counter()
    found = compare(list(-score), list(score), [0] * 20_000)
    assert time.perf_counter() - begin < 5
    assert (found.chance, found.pairs) == (1.0, 20_000 * 19_999 // 2)
