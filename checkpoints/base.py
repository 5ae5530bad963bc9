"""The weights that others are compared with, tensor by tensor under the same name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from checkpoints.layout import FLOATS
from checkpoints.matrices import read_weight
from checkpoints.names import without_wrappers
from checkpoints.parts import TensorLayout
from checkpoints.quantized import Found, find_quantized
from checkpoints.tensors import Checkpoint, TensorHeader
from setol.reasons import Reason


@dataclass(frozen=True, slots=True)
class Base:
    """A checkpoint whose tensors are found by the names of another one.

    Attributes:
        checkpoint: The tensors.
        headers: By name, without the prefixes of wrappers: `module.fc.weight` and `fc.weight` are the same.
        quantized: Which of them are quantized, by their names in the file.
    """

    checkpoint: Checkpoint
    headers: Mapping[str, TensorHeader]
    quantized: Found

    def holds_as_one(self, tensor: str, other: str) -> bool:
        """Whether two tensors are equal here too, as tied ones are."""
        one, another = self._find(tensor), self._find(other)
        if one is None or another is None:
            return False
        return torch.equal(self.checkpoint.read(one.name), self.checkpoint.read(another.name))

    def read(self, layout: TensorLayout) -> torch.Tensor | Reason:
        """The weight that the base has in the place of another one, as its layer uses it.

        Args:
            layout: The tensor it is compared with.

        Returns:
            A tensor of the same shape, of any real floating format, or why it cannot be compared.
        """
        if layout.right is not None:
            return Reason.ADAPTER
        own = self._find(layout.header.name)
        gain = None if layout.gain is None else self._find(layout.gain)
        if own is None or (gain is None and layout.gain is not None):
            return Reason.NOT_IN_BASE
        scaled = self.quantized.get(own.name)
        if isinstance(scaled, Reason):
            return scaled
        if (own.shape if scaled is None else scaled.shape) != layout.shape:
            return Reason.OTHER_SHAPE
        if own.dtype not in FLOATS and scaled is None:
            return Reason.DTYPE
        there = replace(layout, header=own, gain=None if gain is None else gain.name, scaled=scaled)
        return read_weight(self.checkpoint, there)

    def _find(self, tensor: str) -> TensorHeader | None:
        return self.headers.get(without_wrappers(tensor))


def base_of(checkpoint: Checkpoint) -> Base:
    """An open checkpoint as the base of a comparison."""
    headers = {without_wrappers(header.name): header for header in checkpoint.headers}
    return Base(checkpoint, headers, find_quantized(checkpoint.headers))
