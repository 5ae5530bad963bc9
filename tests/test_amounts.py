"""Amounts in words: the unit that fits, also where rounding takes a number into the next one."""

import pytest

from catalogs.amounts import operations_in_words, size_in_words, time_in_words


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_960, "10 kB"),
        (999_400, "999 kB"),
        (999_999, "1.0 MB"),
        (3_400_000_000, "3.4 GB"),
        (9.96e9, "10 GB"),
        (812e6, "812 MB"),
        (999.9e9, "1.0 TB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes(count: float, told: str) -> None:
    assert size_in_words(count) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (2e-5, "20 µs"),
        (0.000_999_9, "1.0 ms"),
        (0.002, "2.0 ms"),
        (0.0421, "42 ms"),
        (0.0999, "0.1 s"),
        (0.4, "0.4 s"),
        (9.96, "10 s"),
        (119.4, "119 s"),
        (119.7, "2.0 min"),
        (210, "3.5 min"),
        (7_199, "2.0 h"),
        (18_720, "5.2 h"),
        (181_440, "2.1 days"),
    ],
)
def test_times(seconds: float, told: str) -> None:
    assert time_in_words(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 FLOP"),
        (999, "999 FLOP"),
        (4_321, "4.32 kFLOP"),
        (1_234_567, "1.23 MFLOP"),
        (999_960_000, "1.00 GFLOP"),
        (3.2e9, "3.20 GFLOP"),
        (1.234e13, "12.3 TFLOP"),
        (5e18, "5.00 EFLOP"),
    ],
)
def test_operations(count: float, told: str) -> None:
    assert operations_in_words(count) == told
