"""The bar of a terminal: how much is done, the times, and a line below it for what else there is to say."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from pipeline.display.pace import Pace


class Told(Protocol):
    """What a bar shows beside itself, asked for each time that it is drawn."""

    def times(self) -> str:
        """Time gone by, and time left."""

    def details(self) -> str:
        """The line below; empty for none."""


class Bar(Progress):
    """A bar with the times, and a line below it; nothing where there is no terminal. Tasks need the field `place`."""

    def __init__(self, told: Told, console: Console) -> None:
        """Make a bar.

        Args:
            told: Says what is shown beside it.
            console: Where it is drawn.
        """
        self._told = told
        super().__init__(
            TextColumn("{task.fields[place]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, and below it what there is to say."""
        for task in self.tasks:
            task.description = self._told.times()
        yield from super().get_renderables()
        if self.tasks and (details := self._told.details()):
            yield Text(details, style="dim", no_wrap=True, overflow="ellipsis")


def times_of(pace: Pace, now: float) -> str:
    """Time gone by, and time left, at a pace.

    Args:
        pace: What is done, and since when.
        now: By the same clock.
    """
    left = pace.seconds_left(now)
    told = "-:--:--" if left is None else str(timedelta(seconds=round(left)))
    return f"{timedelta(seconds=int(now - pace.began))} elapsed, {told} left"
