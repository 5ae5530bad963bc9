"""How fast a run goes, and how long it will take: from what was done lately. Pure: the clock is the caller's."""

from collections import deque
from dataclasses import dataclass, field

LATELY_SECONDS = 600.0
"""How far back a pace looks: machines join and leave, and files differ in size."""

FEWEST = 20
"""Files that it looks at in any case, if so many are done."""


@dataclass(frozen=True, slots=True)
class _Done:
    at: float
    weight: float
    fetched: int


@dataclass(slots=True)
class Pace:
    """What is done of a run, and at what pace.

    Attributes:
        began: When it began, in seconds of the caller's clock.
        total: Weight files to do.
        weight: What they weigh: the time left goes by weights, as files differ in size.
        done: Files that have come to their end, those that failed among them.
        failed: Those that failed.
    """

    began: float
    total: int
    weight: float
    done: int = 0
    failed: int = 0
    _weight_done: float = 0.0
    _since: float = field(init=False)
    _lately: deque[_Done] = field(default_factory=deque)
    _lately_weight: float = 0.0
    _lately_fetched: int = 0

    def __post_init__(self) -> None:
        self._since = self.began

    def add(self, now: float, weight: float, *, fetched: int = 0, failed: bool = False) -> None:
        """A file has come to its end.

        Args:
            now: When.
            weight: What it weighs.
            fetched: Bytes that came over the network for it.
            failed: Whether it failed.
        """
        self.done += 1
        self.failed += failed
        self._weight_done += weight
        self._lately.append(_Done(now, weight, fetched))
        self._lately_weight += weight
        self._lately_fetched += fetched
        while len(self._lately) > FEWEST and now - self._lately[0].at > LATELY_SECONDS:
            forgotten = self._lately.popleft()
            self._since = forgotten.at
            self._lately_weight -= forgotten.weight
            self._lately_fetched -= forgotten.fetched

    @property
    def files_per_minute(self) -> float | None:
        """None until two files are done: one says how long it took, and no pace."""
        return self._per_second(len(self._lately), 60.0) if self.done > 1 else None

    @property
    def bytes_per_second(self) -> float | None:
        """Over the network; None until two files are done."""
        return self._per_second(self._lately_fetched) if self.done > 1 else None

    def seconds_left(self, now: float) -> float | None:
        """Until all is done, at this pace; None until a file is done."""
        pace = self._per_second(self._lately_weight)
        if not pace:
            return None
        return max((self.weight - self._weight_done) / pace - (now - self._lately[-1].at), 0.0)

    def _per_second(self, amount: float, seconds: float = 1.0) -> float | None:
        if not self._lately:
            return None
        gone = self._lately[-1].at - self._since
        return seconds * amount / gone if gone > 0 else None
