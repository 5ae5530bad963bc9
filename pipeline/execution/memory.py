"""How much memory of its own a process came to hold."""

import threading
from pathlib import Path
from types import TracebackType

_STATUS = Path("/proc/self/status")
_EVERY = 0.05


class PeakMemory:
    """Samples the anonymous resident memory (RssAnon) of this process while a block runs.

    Mapped weight files are not in it: the system can take those pages back at any time.

    Attributes:
        peak: The largest sample in bytes, None where the system does not tell (only Linux does).
    """

    def __init__(self) -> None:
        self.peak: int | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._done.wait(_EVERY):
            self._sample()

    def _sample(self) -> None:
        if not _STATUS.exists():
            return
        for line in _STATUS.read_text().splitlines():
            if line.startswith("RssAnon:"):
                self.peak = max(self.peak or 0, int(line.split()[1]) * 1024)
