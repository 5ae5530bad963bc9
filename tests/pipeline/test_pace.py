"""Pace and time left, by a clock that the test sets."""

import pytest

from pipeline.display.pace import FEWEST, LATELY_SECONDS, Pace


def test_nothing_is_known_before_a_file_is_done():
    pace = Pace(5.0, 10, 100.0)
    assert (pace.seconds_left(50.0), pace.files_per_minute, pace.bytes_per_second) == (None, None, None)


def test_the_time_left_goes_by_weights_and_not_by_files():
    pace = Pace(0.0, 100, 100.0)
    pace.add(50.0, 25.0, fetched=1000)
    assert pace.seconds_left(50.0) == 150.0  # a quarter of the weight in 50 s, though one file of a hundred
    assert pace.seconds_left(110.0) == 90.0  # no news for a minute
    assert pace.seconds_left(1000.0) == 0.0
    assert pace.files_per_minute is None  # one file is no pace
    pace.add(100.0, 25.0, fetched=3000, failed=True)
    assert pace.files_per_minute == pytest.approx(1.2)
    assert pace.bytes_per_second == pytest.approx(40.0)
    assert (pace.done, pace.failed) == (2, 1)


def test_what_is_long_ago_is_forgotten():
    """A file a second from one machine, later ten a second from ten."""
    pace = Pace(0.0, 100_000, 100_000.0)
    now = 0.0
    for _ in range(1000):
        now += 1.0
        pace.add(now, 1.0, fetched=10)
    assert pace.files_per_minute == pytest.approx(60.0)
    for _ in range(10 * int(LATELY_SECONDS) + 10):
        now += 0.1
        pace.add(now, 1.0, fetched=10)
    assert pace.files_per_minute == pytest.approx(600.0)
    assert pace.bytes_per_second == pytest.approx(100.0)
    assert pace.seconds_left(now) == pytest.approx((100_000 - pace.done) / 10.0)


def test_files_that_take_longer_than_it_looks_back_still_have_a_pace():
    pace = Pace(0.0, 100, 100.0)
    for hour in range(1, 2 * FEWEST):
        pace.add(3600.0 * hour, 1.0)
    assert pace.files_per_minute == pytest.approx(1 / 60)
    assert pace.seconds_left(3600.0 * hour) == pytest.approx(3600.0 * (100 - hour))
