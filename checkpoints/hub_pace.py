"""How fast this process asks the hub: one pace for all its threads, below the hub's limits, slower where it says so.

The hub counts requests in windows of five minutes, apart for its API and for files ("resolvers"). Documented in
September 2025: 500 and 3,000 without a token, 1,000 and 5,000 for a free account, more for paid ones; its answers
carry the limit of whoever asks (https://huggingface.co/docs/hub/rate-limits).
"""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType
from typing import Any

from checkpoints.errors import CheckpointError
from checkpoints.retry import LONGEST_WAIT, requested_wait

RATE_VARIABLE = "SETOL_HUB_RATE"
RATE = 40.0
"""Requests a second, at most, unless the variable says otherwise."""

WINDOW = 300.0
SHARE = 0.75
"""Part of a limit that is used: other programs ask from the same address, or with the same token."""

LIMITS = {"api": (500, 1000), "resolvers": (3000, 5000)}
"""Requests a window without and with a token."""

TOO_MANY = 429

_installing = threading.Lock()


class Pace:
    """Lets requests through, one by one, for all threads that share it.

    Args:
        rate: Requests a second.
        limits: Requests a window, by bucket, of which `SHARE` is used.
        clock: Seconds that pass.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        rate: float,
        limits: Mapping[str, int],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 1 / rate
        self._limits = dict(limits)
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = clock()
        self._held = dict.fromkeys(limits, 0.0)
        self._passed: dict[str, deque[float]] = {bucket: deque() for bucket in limits}

    def wait(self, bucket: str) -> None:
        """Return when a request may be made."""
        while True:
            with self._lock:
                now = self._clock()
                turn = max(now, self._next)
                free = self._free(bucket, turn)
                if free <= turn:
                    self._next = turn + self._gap
                    self._passed[bucket].append(turn)
            if free > turn:  # a turn is taken only then, so that requests of another kind go first
                self._sleep(free - now)
                continue
            if (ahead := turn - self._clock()) > 0:
                self._sleep(ahead)
            if self._held[bucket] <= turn:  # else somebody was refused in the meantime
                return

    def told(self, bucket: str, status: int, headers: Mapping[str, str]) -> None:
        """Heed what an answer says: a refusal, the limit, and requests that are left."""
        limit = re.search(r"\bq=(\d+)", headers.get("RateLimit-Policy") or "")
        left = re.search(r"\br=(\d+)", headers.get("RateLimit") or "")
        wait = requested_wait(headers) if status == TOO_MANY or (left and int(left[1]) == 0) else None
        with self._lock:
            if limit:
                self._limits[bucket] = max(1, int(limit[1]))
            if wait is not None and wait <= LONGEST_WAIT:
                self._held[bucket] = max(self._held[bucket], self._clock() + wait)

    def _free(self, bucket: str, turn: float) -> float:
        """The earliest time at which the hub takes another request of that kind, if not before that turn."""
        passed = self._passed[bucket]
        while passed and passed[0] <= turn - WINDOW:
            passed.popleft()
        budget = max(1, int(self._limits[bucket] * SHARE))
        over = passed[len(passed) - budget] + WINDOW if len(passed) >= budget else 0.0
        return max(over, self._held[bucket])


def keep_pace(hub: ModuleType) -> None:
    """Make the hub's client ask at the pace of this process, whichever of its functions is called.

    Args:
        hub: The package huggingface_hub.

    Raises:
        CheckpointError: The environment variable is no number above zero.
    """
    with _installing:
        pace = _pace(hub)
        client = hub.utils.get_session()
        if not any(getattr(hook, "pace", None) is pace for hook in client.event_hooks["request"]):
            _install(client, pace, hub.constants.ENDPOINT)


def _install(client: Any, pace: Pace, endpoint: str) -> None:
    def before(request: Any) -> None:
        if (bucket := bucket_of(str(request.url), endpoint)) is not None:
            pace.wait(bucket)

    def after(response: Any) -> None:
        if (bucket := bucket_of(str(response.request.url), endpoint)) is not None:
            pace.told(bucket, response.status_code, response.headers)

    before.pace = pace  # type: ignore[attr-defined]
    hooks = client.event_hooks
    client.event_hooks = {"request": [*hooks["request"], before], "response": [*hooks["response"], after]}


def bucket_of(url: str, endpoint: str) -> str | None:
    """What the hub counts a request as; None for one to somebody else, as to where files are stored.

    Small files are redirected to `/api/resolve-cache/` of the hub itself: the second half of a request that counts.
    """
    if not url.startswith(f"{endpoint}/") or url.startswith(f"{endpoint}/api/resolve-cache/"):
        return None
    return "api" if url.startswith(f"{endpoint}/api/") else "resolvers"


@cache
def _pace(hub: ModuleType) -> Pace:
    known = hub.get_token() is not None
    return Pace(_rate(), {bucket: limits[known] for bucket, limits in LIMITS.items()})


def _rate() -> float:
    given = os.environ.get(RATE_VARIABLE) or str(RATE)
    try:
        rate = float(given)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise CheckpointError(f"{RATE_VARIABLE}={given}: need requests a second, a number above 0, such as {RATE:g}.")
    return rate
