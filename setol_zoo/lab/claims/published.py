"""The published numbers: `published.toml`, read once."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Number = float | None


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """What the paper has of its network of two hidden layers on MNIST.

    Attributes:
        paper: Which one.
        runs: How many runs its means are of.
        widths: Of the hidden layers.
        learning_rate: Of the batch-size sweep.
        batch_size: Of the learning-rate sweep.
        numbers: The tables of the file below these.
    """

    paper: str
    runs: int
    widths: str
    learning_rate: float
    batch_size: int
    numbers: Mapping[str, Any]

    def of(self, sweep: str, value: float, name: str) -> Number:
        """A number of a sweep: the middle where a range was published, None where nothing was.

        Args:
            sweep: `learning_rate` or `batch_size`.
            value: Of the sweep.
            name: Such as `alpha_fc1`.
        """
        for row in self.numbers["sweep"][sweep]:
            if row["value"] == value:
                return middle(row.get(name))
        return None

    def truncation(self, learning_rate: float, name: str) -> Number:
        """What a truncation adds to an error: `tail_train`, `tail_test`, `ecs_train` or `ecs_test`."""
        rows = self.numbers["truncation"]
        return next((float(row[name]) for row in rows if row["learning_rate"] == learning_rate), None)

    def quality(self, layer: str, batch_size: float) -> Number:
        """Layer quality squared, in percent of an unstated scale."""
        told = self.numbers["quality"]
        by_size = dict(zip(told["batch_size"], told.get(layer, ()), strict=False))
        return by_size.get(batch_size)


@cache
def published() -> Published:
    """The numbers of `published.toml`."""
    text = resources.files(__package__).joinpath("published.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)
    own = {name: told.pop(name) for name in ("paper", "runs", "widths", "learning_rate", "batch_size")}
    return Published(**own, numbers=told)


def middle(told: float | list[float] | None) -> Number:
    """A number, or the middle of a range of two."""
    if isinstance(told, list):
        return sum(told) / len(told)
    return None if told is None else float(told)
