"""Trying again what the network spoiled."""

import re
import time
from collections.abc import Callable, Mapping
from email.message import Message
from typing import TypeVar

from checkpoints.errors import CheckpointError

T = TypeVar("T")

TRIES = 5
FIRST_WAIT = 0.5
"""Seconds before the second try; doubled before each further one, unless the server names a time."""
LONGEST_WAIT = 300.0
"""Seconds; a server that asks for more is not waited for. The hub counts requests by five minutes."""


class Interrupted(CheckpointError):
    """A transient failure, worth another try at once.

    Attributes:
        wait: Seconds that the server asked for, if it did.
    """

    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message, transient=True)
        self.wait = wait


def with_retries(call: Callable[[], T]) -> T:
    """Call something up to `TRIES` times, as long as it raises `Interrupted`.

    Raises:
        CheckpointError: What the last call raised.
    """
    pause = FIRST_WAIT
    for _ in range(TRIES - 1):
        try:
            return call()
        except Interrupted as error:
            wait = pause if error.wait is None else error.wait
            if wait > LONGEST_WAIT:
                raise
        time.sleep(wait)
        pause *= 2
    return call()


def requested_wait(headers: Mapping[str, str] | Message) -> float | None:
    """Seconds that a server asks to wait in `Retry-After`, or in `RateLimit` (`t=`); None where it does not say."""
    if re.fullmatch(r"\s*\d+\s*", found := headers.get("Retry-After") or ""):
        return float(found)
    reset = re.search(r"\bt=(\d+)", headers.get("RateLimit") or "")
    return float(reset[1]) if reset else None
