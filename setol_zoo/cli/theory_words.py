"""What `setol theory` reads from the command line: ranges, lists, power by degree."""

import math
from collections.abc import Callable
from typing import Any

import click

MOST = 1000
"""Values that an option may name: more were a slip of the hand."""


class TargetPower(click.ParamType):
    """`1:0.5,2:0.5`: the target's mean square by degree, as a tuple from degree 0."""

    name = "degree:power,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """The powers, from what was typed."""
        if isinstance(value, tuple):
            return value
        powers: dict[int, float] = {}
        for part in value.split(","):
            degree, colon, power = part.partition(":")
            try:
                powers[int(degree)] = float(power)
            except ValueError:
                colon = ""
            if not colon or not 0 <= int(degree) <= MOST:
                self.fail(f"need degree:power, such as 1:0.5,2:0.5; got {part!r}.", param, ctx)
        return tuple(powers.get(degree, 0.0) for degree in range(max(powers) + 1))


class CountsRange(click.ParamType):
    """`100:3500:12`, evenly spaced in the logarithm, or `100,250,500`."""

    name = "from:to:count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The counts, each once, from what was typed."""
        if isinstance(value, tuple):
            return value
        import numpy as np

        try:
            if ":" in value:
                low, high, count = value.split(":")
                if not 0 < int(low) < int(high) or not 2 <= int(count) <= MOST:
                    raise ValueError
                return tuple(dict.fromkeys(np.geomspace(int(low), int(high), int(count)).round().astype(int).tolist()))
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"need from:to:count, such as 100:3500:12, or 100,250,500; got {value!r}.", param, ctx)


class InputScale(click.ParamType):
    """A number above 0, or `1/d`."""

    name = "number|1/d"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """The number, or `1/d` as it is."""
        if value == "1/d":
            return "1/d"
        try:
            found = float(value)
        except ValueError:
            found = math.nan
        if not found > 0:
            self.fail(f"need a number above 0, or 1/d; got {value!r}.", param, ctx)
        return found


class Values(click.ParamType):
    """A list with commas."""

    name = "value,..."

    def __init__(self, kind: Callable[[str], Any]) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """The values, from what was typed."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(self.kind(part.strip()) for part in value.split(","))
        except ValueError:
            self.fail(f"need values with commas between them; got {value!r}.", param, ctx)
