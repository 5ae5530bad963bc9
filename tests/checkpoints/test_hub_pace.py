"""The pace at which the hub is asked: spacing, windows, refusals, for all threads at once."""

import threading
import time
from itertools import pairwise
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.errors import CheckpointError
from checkpoints.hub_pace import RATE_VARIABLE, SHARE, WINDOW, Pace, bucket_of, keep_pace


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def paced(rate: float, **limits: int) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(rate, limits, clock, clock.sleep), clock


@given(
    st.floats(0.5, 100),
    st.integers(2, 60),
    st.lists(st.tuples(st.sampled_from(["api", "resolvers"]), st.floats(0, 5)), max_size=120),
)
def test_neither_rate_nor_window_is_ever_exceeded(rate, limit, requests):
    pace, clock = paced(rate, api=limit, resolvers=2 * limit)
    passed: list[tuple[str, float]] = []
    for bucket, idle in requests:
        clock.now += idle
        pace.wait(bucket)
        passed.append((bucket, clock.now))
    times = [at for _, at in passed]
    assert all(later - earlier >= (1 - 1e-6) / rate for earlier, later in pairwise(times))
    for bucket, allowed in (("api", limit), ("resolvers", 2 * limit)):
        mine = [at for name, at in passed if name == bucket]
        budget = max(1, int(allowed * SHARE))
        spans = [later - earlier for earlier, later in zip(mine, mine[budget:], strict=False)]
        assert all(span >= WINDOW * (1 - 1e-9) for span in spans)


def test_a_refusal_holds_all_requests_of_its_kind_and_no_others():
    pace, clock = paced(1000, api=500, resolvers=3000)
    pace.told("resolvers", 429, {"Retry-After": "7"})
    pace.wait("api")
    assert clock.now < 1001
    pace.wait("resolvers")
    assert clock.now == 1007


@pytest.mark.parametrize("refused", [False, True])
def test_who_waits_for_a_window_or_a_refusal_keeps_no_request_of_another_kind(refused):
    clock, waiting, go_on = Clock(), threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            waiting.set()
            assert go_on.wait(30)
        clock.sleep(seconds)

    pace = Pace(40, {"api": 4, "resolvers": 3000}, clock, sleep)
    for _ in range(3):
        pace.wait("api")
    if refused:
        clock.now += WINDOW
        pace.told("api", 429, {"Retry-After": "60"})
    begun = clock.now
    thread = threading.Thread(target=pace.wait, args=["api"])
    thread.start()
    assert waiting.wait(30)
    for _ in range(10):
        pace.wait("resolvers")
    assert clock.now <= begun + 10 / 40 + 1e-6
    go_on.set()
    thread.join(30)
    assert clock.now >= begun + (60 if refused else WINDOW - 1)


def test_a_refusal_while_others_sleep_holds_them_too():
    clock = Clock()
    pace = Pace(1.0, {"api": 100}, clock, lambda seconds: (clock.sleep(seconds), refuse(pace))[0])
    refused: list[bool] = []

    def refuse(pace: Pace) -> None:
        if not refused:
            refused.append(True)
            pace.told("api", 429, {"Retry-After": "30"})

    pace.wait("api")
    pace.wait("api")  # sleeps a second, and meanwhile another thread is refused
    assert clock.now >= 1031


def test_no_requests_left_is_heeded_before_any_is_refused():
    pace, clock = paced(1000, api=500)
    pace.told("api", 200, {"RateLimit": '"api";r=1;t=60'})
    pace.wait("api")
    assert clock.now < 1001
    pace.told("api", 200, {"RateLimit": '"api";r=0;t=60'})
    pace.wait("api")
    assert clock.now >= 1060


def test_the_limit_that_the_hub_states_replaces_the_documented_one():
    pace, clock = paced(1000, api=4)
    pace.told("api", 200, {"RateLimit-Policy": '"fixed window";"api";q=40;w=300'})
    for _ in range(30):
        pace.wait("api")
    assert clock.now < 1001
    pace.wait("api")
    assert clock.now >= 1000 + WINDOW


def test_threads_share_it():
    pace = Pace(200, {"api": 1000})
    times: list[float] = []

    def ask() -> None:
        for _ in range(10):
            pace.wait("api")
            times.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(times) - min(times) >= 79 / 200 - 0.05


@pytest.mark.parametrize(
    ("path", "bucket"),
    [
        ("/api/models/a/b", "api"),
        ("/a/b/resolve/main/model.safetensors", "resolvers"),
        ("/api/resolve-cache/models/a/b/0123/config.json", None),
    ],
)
def test_what_a_request_counts_as(path, bucket):
    assert bucket_of(f"https://hub.example{path}", "https://hub.example") == bucket
    assert bucket_of(f"https://storage.example{path}", "https://hub.example") is None


@pytest.mark.parametrize("given", ["quick", "0", "-3", "nan", "inf"])
def test_a_rate_that_is_none(given, monkeypatch):
    monkeypatch.setenv(RATE_VARIABLE, given)
    hub = ModuleType("hub")
    hub.get_token = lambda: None  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match=rf"{RATE_VARIABLE}={given}: need requests a second, a number above 0"):
        keep_pace(hub)
