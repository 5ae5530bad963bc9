"""The pieces of a tensor that are matrices, described without touching the tensor."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from checkpoints.quantized import Scaled
from checkpoints.tensors import TensorHeader
from setol.reasons import Reason


class Kind(StrEnum):
    """What a layer does with its matrix."""

    LINEAR = "linear"
    CONV1D = "conv1d"
    CONV2D = "conv2d"
    CONV3D = "conv3d"
    CONV_TRANSPOSE = "conv_transpose"
    EMBEDDING = "embedding"
    RECURRENT = "recurrent"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Cut:
    """A range along one axis of a tensor whose axes of length 1 have been dropped.

    Attributes:
        axis: Which axis.
        start: Where the range begins.
        stop: Where it ends, itself not in it.
        period: None for one range; else the axis is made of blocks of this length, and the range is in each of
            them, as where rows are ordered by head first and by query, key and value within a head.
    """

    axis: int
    start: int
    stop: int
    period: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A stack of equally shaped matrices within one tensor.

    Attributes:
        part: None for the whole tensor, else the name of the piece: `q`, `gate`, `i`, `expert_3`, `group_0`.
        kind: What the layer does with it.
        cuts: Ranges that make the piece; none for the whole tensor.
        matrix_axes: The two axes (axes of length 1 not counted) that span the matrix; the others are taps.
    """

    part: str | None
    kind: Kind
    cuts: tuple[Cut, ...] = ()
    matrix_axes: tuple[int, int] = (0, 1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A named range of a fused tensor: `q` and how many rows it has."""

    name: str
    length: int


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """What a library's own module says about one of its tensors.

    Attributes:
        kind: What the module does with it; None for a buffer, which is not learned.
        groups: Groups of a convolution.
        pieces: Ranges of a fused tensor in their order; where they are shorter than the axis together, they
            repeat along it, as heads do. None for a tensor that is one.
        axis: The axis that the pieces are ranges of (axes of length 1 not counted).
        stacked: Whether the first axis counts experts, each with a matrix of its own.
    """

    kind: Kind | None
    groups: int = 1
    pieces: tuple[Piece, ...] = ()
    axis: int = 0
    stacked: bool = False


Facts = Mapping[str, ModuleFacts]
"""What is known of the tensors of a file, by their names in the file."""

NO_FACTS: Facts = MappingProxyType({})
"""Nothing is known but names and shapes."""


class LaidOutBy(StrEnum):
    """What a tensor's kind and parts were decided by."""

    ARCHITECTURE = "architecture"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class TensorLayout:
    """What is to be done with one tensor.

    Attributes:
        header: The tensor.
        layer: Its layer's name: without wrapper prefixes and without `.weight`.
        parts: Pieces to decompose; empty where there is a reason not to.
        reason: Why nothing is decomposed, else None.
        by: What decided that.
        gain: Where the weight is stored as direction and length (weight normalization), the name of the tensor
            with the lengths; this one holds the directions.
        right: Where the weight is a low-rank update B A (LoRA), the name of the tensor with A; this one holds B.
        scaled: Where the weight is quantized, how this tensor, which holds the codes, is read.
    """

    header: TensorHeader
    layer: str
    parts: tuple[Part, ...] = ()
    reason: Reason | None = None
    by: LaidOutBy = LaidOutBy.NAME
    gain: str | None = None
    right: str | None = None
    scaled: Scaled | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight, of which parts are pieces: that of the tensor, unless that holds packed codes."""
        return self.header.shape if self.scaled is None else self.scaled.shape


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its axes of length 1."""
    return tuple(length for length in shape if length != 1) if 1 in shape else shape


def parts_of_pieces(pieces: tuple[Piece, ...], kind: Kind, length: int, axis: int) -> tuple[Part, ...]:
    """Cut an axis into named ranges, which repeat along it where it is longer than they are together.

    Args:
        pieces: The ranges, in their order.
        kind: Kind of every part.
        length: Length of the axis, a multiple of that of the pieces.
        axis: Which axis (axes of length 1 not counted).
    """
    together = sum(piece.length for piece in pieces)
    period = None if together == length else together
    parts, start = [], 0
    for piece in pieces:
        parts.append(Part(piece.name, kind, (Cut(axis, start, start + piece.length, period),)))
        start += piece.length
    return tuple(parts)


def equal_parts(names: tuple[str, ...], kind: Kind, length: int, axis: int = 0) -> tuple[Part, ...]:
    """Cut an axis into as many equal ranges as there are names."""
    step = length // len(names)
    return tuple(Part(name, kind, (Cut(axis, i * step, (i + 1) * step),)) for i, name in enumerate(names))
