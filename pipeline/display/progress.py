"""What a run shows while it works: a bar on a terminal, plain lines elsewhere."""

import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from rich.console import Console

from catalogs import counted
from catalogs.amounts import size_in_words, time_in_words
from catalogs.plain import plain_text
from pipeline.display.bar import Bar, times_of
from pipeline.display.pace import Pace
from pipeline.execution.events import listening
from pipeline.execution.job import Outcome
from pipeline.planning.plan import Plan, Unit
from pipeline.store.damage import SUFFIX

if TYPE_CHECKING:
    from pipeline.planning.identify import Unidentified

MOST_LINES = 200
"""Weight files up to which each has a line; of more, only failures do, and a line now and then tells the rest."""

LINE_SECONDS = 15.0
"""Shortest time between two such lines."""

LONG_SECONDS = 30.0
"""From when on it is said how long the oldest unit has been running."""

_NAME_WIDTH = 28


class ProgressReporter:
    """A line for every weight file as long as they are few, below a bar where there is a terminal to draw one on.

    The bar tells how many files are done, the time gone by and the time left, how many failed, how fast it goes, on how
    many machines, and the file that has been running longest. Failures and second tries are told as they happen.
    """

    def __init__(self, console: Console, *, lines: bool = True) -> None:
        """Make a reporter.

        Args:
            console: Where it writes.
            lines: Whether what is done gets a line too; without, only failures do.
        """
        self._console = console
        self._lines = lines
        self._exit = ExitStack()
        # Ordered ones find their first entry at once; a plain dict looks through all places that were emptied before.
        self._waiting: OrderedDict[str, Unit] = OrderedDict()
        self._running: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._oldest: tuple[str, float | None] | None = None
        self._place = ""
        self._pace = Pace(0.0, 0, 0.0)
        self._told_at = 0.0
        self._bar = Bar(self, console)

    def __enter__(self) -> "ProgressReporter":
        self._exit.enter_context(listening(self._heard))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()
        self._bar.stop()

    def planned(self, plan: Plan, unidentified: "tuple[Unidentified, ...]") -> None:
        """Say what there is to do, and what cannot be done."""
        self._waiting = OrderedDict((unit.fit_id, unit) for unit in plan.units)
        self._pace = Pace(time.monotonic(), len(plan.units), sum(map(_weight, plan.units)))
        self._told_at = self._pace.began
        if self._lines:
            self._console.print(_planned(plan, len(unidentified)), highlight=False)
        for note in plan.notes:
            self._noted(note)
        for damage in plan.damaged:
            self._noted(f"{damage.path} cannot be read ({damage.error}): set aside as {damage.path.name}{SUFFIX}")
        for row in unidentified:
            self._failed(row.file.name, str(row.error))
        if plan.units:
            self._look()
            self._task = self._bar.add_task("", total=self._pace.weight, place=f"0/{self._pace.total}")
            self._bar.start()

    def finished(self, outcome: Outcome) -> None:
        """A line for the unit where units are few, and the bar one on."""
        unit, pace, now = outcome.unit, self._pace, time.monotonic()
        self._waiting.pop(unit.fit_id)
        self._running.pop(unit.fit_id, None)
        fetched = outcome.attempt.bytes_fetched if outcome.attempt else None
        weight = _weight(unit)
        pace.add(now, weight, fetched=fetched or 0, failed=not outcome.done)
        place = f"[{pace.done:>{len(str(pace.total))}}/{pace.total}]"
        for note in outcome.notes:
            self._noted(note)
        if not outcome.done:
            self._failed(f"{place} {unit.file.name}" if self._lines else unit.file.name, outcome.error or "failed")
        elif self._lines and pace.total <= MOST_LINES:
            matrices = "matrix" if outcome.n_layers == 1 else "matrices"
            self._print(f"{place} {unit.file.name:<24} {outcome.n_layers:>5} {matrices:<8} {outcome.seconds:>7.1f} s")
        if self._is_due(now):
            self._told_at = now
            left = time_in_words(pace.seconds_left(now) or 0.0)
            self._print(", ".join([f"{place} {pace.failed} failed", *self._facts(), f"{left} left"]))
        self._look()
        self._bar.update(self._task, advance=weight, place=f"{pace.done}/{pace.total}")

    def times(self) -> str:
        """Time gone by, and time left."""
        return times_of(self._pace, time.monotonic())

    def details(self) -> str:
        """What the bar does not show: failures, pace, machines, and what has been running longest."""
        facts = [f"{self._pace.failed} failed"] if self._pace.failed else []
        facts += self._facts()
        if (oldest := self._oldest) is not None:
            name, since = oldest
            running = time.monotonic() - since if since else 0.0
            facts.append(name + (f" for {time_in_words(running)}" if running > LONG_SECONDS else ""))
        return " · ".join(facts)

    def _is_due(self, now: float) -> bool:
        """Whether there are too many files for a line each, no bar tells of them, and the last line is a while ago."""
        told_otherwise = not self._lines or self._pace.total <= MOST_LINES or self._console.is_terminal
        return not told_otherwise and (now - self._told_at >= LINE_SECONDS or not self._waiting)

    def _facts(self) -> list[str]:
        """How fast, and where."""
        pace, facts = self._pace, []
        if (files := pace.files_per_minute) is not None:
            facts.append(f"{files:.{1 if files < 10 else 0}f} files/min")
        if fetched := pace.bytes_per_second:
            facts.append(f"{size_in_words(fetched)}/s")
        if self._place:
            facts.append(self._place)
        return facts

    def _heard(self, event: str, fields: dict[str, Any]) -> None:
        """What executors tell."""
        if event == "unit_submitted" and fields["unit"] in self._waiting:
            name = self._waiting[fields["unit"]].file.name
            self._running.setdefault(fields["unit"], (name, time.monotonic()))
            self._look()
        elif event == "capacity":
            nodes = fields["nodes"]
            self._place = counted(fields["slots"], "slot") + (f" on {counted(nodes, 'node')}" if nodes > 1 else "")
        elif event == "unit_retried":
            waiting = self._waiting.get(fields["unit"])
            name = waiting.file.name if waiting else fields["model"]
            self._noted(f"{name} is tried again: {fields['error']}")
        elif event == "node_lost":  # how many there are stands beside the bar; one that joins is no news
            self._noted(f"node lost: {fields.get('host') or fields['node']}; its files are tried again")

    def _look(self) -> None:
        """Find the unit that has been running longest; without news from the executor, units start as planned."""
        first: Iterable[tuple[str, float | None]] = self._running.values()
        planned = ((unit.file.name, None) for unit in self._waiting.values())
        name, since = next(iter(first), None) or next(planned, None) or ("", None)
        self._oldest = (plain_text(name)[:_NAME_WIDTH], since) if name else None

    def _noted(self, note: str) -> None:
        self._print(note, "yellow")

    def _failed(self, name: str, error: str) -> None:
        self._print(f"{name} FAILED: {error}" if self._lines else f"Error: {name}: {error}", "red")

    def _print(self, line: str, style: str | None = None) -> None:
        self._console.print(plain_text(line, keep="\n"), style=style, markup=False, highlight=False)


def _planned(plan: Plan, unidentified: int) -> str:
    """What there is to do, in a line; "nothing" only where nothing is wrong."""
    told = [f"{len(plan.finished)} there already"]
    if plan.held_back:
        told.append(f"{len(plan.held_back)} failed before")
    if unidentified:
        told.append(f"{unidentified} cannot be had")
    if plan.units:
        told.append(f"{len(plan.units)} to do ({size_in_words(sum(unit.cost for unit in plan.units))})")
    elif len(told) == 1:
        told.append("nothing to do")
    return f"{counted(len(plan.files) + unidentified, 'weight file')}: {', '.join(told)}"


def _weight(unit: Unit) -> float:
    """What the time left goes by: bytes, or something where they are not known."""
    return max(unit.cost, 1)
