"""Means over seeds at each value of a sweep, ours beside the published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from setol_zoo.lab.claims.evidence import Evidence, Sweep
from setol_zoo.lab.claims.spread import Spread, spread


@dataclass(frozen=True, slots=True)
class Beside:
    """One quantity at one setting.

    Attributes:
        sweep: Which sweep.
        value: Of the sweep.
        ours: Over seeds.
        published: None where nothing was.
    """

    sweep: Sweep
    value: float
    ours: Spread
    published: float | None

    @property
    def off(self) -> float | None:
        """Ours minus the published."""
        return None if self.published is None else self.ours.mean - self.published

    @property
    def setting(self) -> str:
        """`learning rate 0.16`."""
        return f"{self.sweep.title} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Deviation:
    """Ours from the published, over settings.

    Attributes:
        n: Settings.
        mean: Of the absolute differences.
        worst: Where it is largest.
        held: Settings at which the interval of our mean holds the published value.
        intervals: Settings that have an interval: two seeds or more.
    """

    n: int
    mean: float
    worst: Beside
    held: int
    intervals: int


def spreads(found: Evidence, sweep: Sweep, rows: pd.DataFrame, column: str) -> Mapping[float, Spread]:
    """A column at each value of a sweep that has it."""
    by_value = {value: spread(found.at(sweep, value, rows)[column]) for value in sweep.values}
    return {value: each for value, each in by_value.items() if each}


def beside(found: Evidence, sweep: Sweep, rows: pd.DataFrame, column: str, name: str) -> tuple[Beside, ...]:
    """The same with what was published under a name."""
    ours = spreads(found, sweep, rows, column)
    return tuple(Beside(sweep, value, each, found.told(sweep, value, name)) for value, each in ours.items())


def deviation(compared: Sequence[Beside]) -> Deviation | None:
    """How far ours lies from the published, over settings that have both; None without any."""
    known = [each for each in compared if each.off is not None]
    if not known:
        return None
    spans = [(each.ours.interval, each.published) for each in known if each.ours.interval]
    held = sum(ends.low <= published <= ends.high for ends, published in spans if published is not None)
    mean = sum(abs(each.off or 0) for each in known) / len(known)
    return Deviation(len(known), mean, max(known, key=lambda each: abs(each.off or 0)), held, len(spans))
