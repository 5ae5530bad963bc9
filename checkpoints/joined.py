"""Several open weight files as one, as the shards of a model are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from checkpoints.tensors import Checkpoint, TensorHeader


@dataclass(slots=True)  # not frozen, because the protocol Checkpoint has plain attributes
class _Joined:
    headers: tuple[TensorHeader, ...]
    _holder: Mapping[str, Checkpoint] = field(repr=False)

    def read(self, name: str) -> torch.Tensor:
        """The tensor of that name, from the file that holds it."""
        return self._holder[name].read(name)


def joined(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """All tensors of some weight files together.

    Args:
        checkpoints: One or more, open; none has a tensor of another one's.
    """
    if len(checkpoints) == 1:
        return checkpoints[0]
    holder = {header.name: checkpoint for checkpoint in checkpoints for header in checkpoint.headers}
    return _Joined(tuple(header for checkpoint in checkpoints for header in checkpoint.headers), holder)
