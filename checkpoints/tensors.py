"""What is known of a tensor before it is read, and what every kind of checkpoint can do."""

from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """A tensor's name, number format and shape, as the file has them.

    Attributes:
        name: Name in the file, prefixes included.
        dtype: torch's name of the format without `torch.`: `float32`, `bfloat16`, `int64`, ...
        shape: Length of each axis.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def n_params(self) -> int:
        """Number of entries."""
        return prod(self.shape)


class Checkpoint(Protocol):
    """An open weight file: headers at once, tensors one at a time."""

    headers: tuple[TensorHeader, ...]

    def read(self, name: str) -> torch.Tensor:
        """The tensor of that name, on the CPU, in the file's own number format."""
        ...
