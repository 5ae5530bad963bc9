"""A function called on each of many items: what becomes of one, and the calls one after the other in this process.

For work that is not a weight file: `pipeline.execution.cluster.map_on_ray` does the same in parallel. The function
keeps its own results, so an item is done or can be called again; what comes back is small.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.execution.failures import describe

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Mapped(Generic[Item, Value]):
    """What became of an item.

    Attributes:
        item: What the function was called on.
        value: What it returned; None where it failed.
        error: Why it failed; None where it did not.
        seconds: How long it took, where it was worked on.
    """

    item: Item
    value: Value | None = None
    error: str | None = None
    seconds: float = 0.0


def map_serially(function: Callable[[Item], Value], items: Iterable[Item]) -> Iterator[Mapped[Item, Value]]:
    """Call a function on each item in order; one that raises costs the others nothing.

    Args:
        function: Of one item.
        items: What it is called on.
    """
    for item in items:
        yield called(function, item)


def called(function: Callable[[Item], Value], item: Item) -> Mapped[Item, Value]:
    """Call a function on an item, here.

    Args:
        function: Of one item.
        item: What it is called on.
    """
    start = time.monotonic()
    try:
        value = function(item)
    except Exception as error:  # noqa: BLE001 - it belongs to this item and is told with it
        return Mapped(item, error=describe(error), seconds=time.monotonic() - start)
    return Mapped(item, value, seconds=time.monotonic() - start)
