"""Convolution kernels: a matrix (output channels x input channels) for every tap, and for every group.

A grouped kernel does not say how many groups it has: its second axis holds the input channels of one
group. How many there are in all is known from the convolution before it.
"""

from collections.abc import Sequence

from checkpoints.names import is_conv_transpose
from checkpoints.parts import Cut, Kind, Part
from checkpoints.tensors import TensorHeader
from setol.reasons import Reason

_KINDS = {3: Kind.CONV1D, 4: Kind.CONV2D, 5: Kind.CONV3D}


def kernel_kind(header: TensorHeader) -> Kind | None:
    """Kind of a convolution kernel by its axes and name, None where it is none."""
    if len(header.shape) not in _KINDS or not header.name.endswith(("weight", "kernel")):
        return None
    return Kind.CONV_TRANSPOSE if is_conv_transpose(header.name) else _KINDS[len(header.shape)]


def kernel_parts(header: TensorHeader, kind: Kind, groups: int) -> tuple[Part, ...] | Reason:
    """The stacks of taps of a kernel, one for each group.

    Returns:
        The parts, or `Reason.DEPTHWISE` where one input or one output channel leaves a vector for a tap.
    """
    if 1 in header.shape[:2] or header.shape[0] == groups:
        return Reason.DEPTHWISE
    if groups == 1:
        return (Part(None, kind),)
    step = header.shape[0] // groups
    return tuple(Part(f"group_{i}", kind, (Cut(0, i * step, (i + 1) * step),)) for i in range(groups))


def infer_groups(headers: Sequence[TensorHeader]) -> dict[str, int]:
    """Number of groups of every kernel, from the kernels before it in the same block.

    A kernel is grouped where no kernel before it in its block puts out as many channels as it takes in, but
    the one right before it puts out a multiple, and groups of that number divide its own output. Without a
    kernel before it, it is taken as ungrouped.

    Args:
        headers: All tensors of a file, in the file's order (torch's order is that of the modules).

    Returns:
        Groups by tensor name, kernels only.
    """
    groups: dict[str, int] = {}
    outputs: dict[str, list[int]] = {}
    for header in headers:
        if kernel_kind(header) is None:
            continue
        out_channels, group_channels = header.shape[:2]
        before = outputs.setdefault(_block(header.name), [])
        groups[header.name] = 1
        if before and group_channels not in before and before[-1] % group_channels == 0:
            count = before[-1] // group_channels
            if out_channels % count == 0:
                groups[header.name] = count
        before.append(out_channels)
    return groups


def _block(name: str) -> str:
    """The block of a kernel: its module's parent, one more up where the module is a `conv` in a wrapper."""
    path = name.split(".")[:-1]
    if path and path[-1] == "conv":
        path = path[:-1]
    return ".".join(path[:-1])
