"""The pieces of a tensor that are matrices, described without touching the tensor."""

from dataclasses import dataclass
from enum import StrEnum

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
    """A range along one axis of a tensor whose axes of length 1 have been dropped."""

    axis: int
    start: int
    stop: int


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
class TensorLayout:
    """What is to be done with one tensor.

    Attributes:
        header: The tensor.
        layer: Its layer's name: without wrapper prefixes and without `.weight`.
        parts: Pieces to decompose; empty where there is a reason not to.
        reason: Why nothing is decomposed, else None.
    """

    header: TensorHeader
    layer: str
    parts: tuple[Part, ...] = ()
    reason: Reason | None = None


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its axes of length 1."""
    return tuple(length for length in shape if length != 1)


def equal_parts(names: tuple[str, ...], kind: Kind, length: int, axis: int = 0) -> tuple[Part, ...]:
    """Cut an axis into as many equal ranges as there are names."""
    step = length // len(names)
    return tuple(Part(name, kind, (Cut(axis, i * step, (i + 1) * step),)) for i, name in enumerate(names))
