"""What is shown while networks are trained: a line for each, below a bar where there is a terminal to draw one on."""

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console

from catalogs import counted
from catalogs.amounts import time_in_words
from catalogs.plain import plain_text
from pipeline.display.bar import Bar, times_of
from pipeline.display.pace import Pace
from pipeline.execution.mapped import Mapped

if TYPE_CHECKING:
    from setol_zoo.lab.trained import Trained

_DONE = {"train": "trained", "truncate": "truncated"}


class LabProgress:
    """Tells of trainings and truncations as they end. What is truncated takes no lines, unless it failed."""

    def __init__(self, console: Console) -> None:
        """Make one.

        Args:
            console: Where it writes.
        """
        self._console = console
        self._bar: Bar | None = None
        self._pace = Pace(0.0, 0, 0.0)
        self._what = ""

    def __enter__(self) -> "LabProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def begin(self, what: str, there: int, missing: int) -> None:
        """Say how many networks there are to train or to truncate, and draw a bar for them."""
        self._stop()
        self._what, self._pace = what, Pace(time.monotonic(), missing, missing)
        to_do = f"{missing} to {what}" if missing else "nothing to do"
        self._print(f"{counted(there + missing, 'network')}: {there} {_DONE[what]} already, {to_do}")
        if missing:
            self._bar = Bar(self, self._console)
            self._task = self._bar.add_task("", total=missing, place=f"0/{missing}")
            self._bar.start()

    def finished(self, name: str, done: "Mapped[Any, Trained]") -> None:
        """A line for a training, and the bar one on."""
        pace = self._pace
        pace.add(time.monotonic(), 1.0, failed=done.error is not None)
        place = f"[{pace.done:>{len(str(pace.total))}}/{pace.total}]"
        if done.error is not None:
            self._print(f"{place} {name} FAILED: {done.error}", "red")
        elif self._what == "train" and done.value is not None:
            self._print(f"{place} {name:<40} {_ended(done.value)}  {time_in_words(done.seconds)}")
        if self._bar is not None:
            self._bar.update(self._task, advance=1, place=f"{pace.done}/{pace.total}")
            if pace.done == pace.total:
                self._stop()

    def times(self) -> str:
        """Time gone by, and time left."""
        return times_of(self._pace, time.monotonic())

    def details(self) -> str:
        """What is being done, and how much of it failed."""
        failed = f" · {self._pace.failed} failed" if self._pace.failed else ""
        return f"{self._what[:-1] if self._what.endswith('e') else self._what}ing{failed}"

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, line: str, style: str | None = None) -> None:
        self._console.print(plain_text(line), style=style, markup=False, highlight=False)


def _ended(training: "Trained") -> str:
    """How a training ended."""
    last = training.epochs[-1]
    end = "limit" if last.end == "max_epochs" else last.end
    told = f"{last.epoch:>4} epochs ({end}){'':<{9 - len(end or '')}}"
    return told if last.test_error is None else f"{told} test error {100 * last.test_error:5.2f} %"
