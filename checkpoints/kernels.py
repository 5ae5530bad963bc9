"""Convolution kernels: a matrix (output channels x input channels) for every tap, and for every group.

A grouped kernel does not say how many groups it has: its second axis holds the input channels of one
group. How many there are in all is known from the convolution before it.
"""

from collections.abc import Collection, Sequence
from math import prod

from checkpoints.names import is_conv_transpose, natural_order
from checkpoints.parts import Cut, Kind, Part
from checkpoints.tensors import TensorHeader
from setol.reasons import Reason

_KINDS = {3: Kind.CONV1D, 4: Kind.CONV2D, 5: Kind.CONV3D}

PICTURE = 3
"""Input channels of a kernel that looks at pictures: no group of channels is so wide in published models."""


def kernel_kind(header: TensorHeader) -> Kind | None:
    """Kind of a convolution kernel by its axes and name, None where it is none."""
    if len(header.shape) not in _KINDS or not header.name.endswith("weight"):
        return None
    return Kind.CONV_TRANSPOSE if is_conv_transpose(header.name) else _KINDS[len(header.shape)]


def kernel_parts(header: TensorHeader, kind: Kind, groups: int) -> tuple[Part, ...] | Reason:
    """The stacks of taps of a kernel, one for each group.

    Returns:
        The parts, or `Reason.DEPTHWISE` where one input or one output channel leaves a vector for a tap.
    """
    if 1 in (*header.shape[:2], header.shape[0] // groups):
        return Reason.DEPTHWISE
    if groups == 1:
        return (Part(None, kind),)
    step = header.shape[0] // groups
    return tuple(Part(f"group_{i}", kind, (Cut(0, i * step, (i + 1) * step),)) for i in range(groups))


def infer_groups(headers: Sequence[TensorHeader]) -> dict[str, int]:
    """Number of groups of every kernel, from the kernels before it in its module or, if none, the module around.

    A kernel of several taps is grouped where no kernel before it has as many channels as it takes in, on either
    side, but the one right before it puts out a multiple that is as wide as the kernel's own output, or half as wide:
    so many groups there are. Where nothing in the whole file puts out what the kernel takes in, its own output may be
    that multiple. Single taps (shortcuts, squeezes, laterals) often take their input from elsewhere, and are taken as
    ungrouped, like a kernel that none comes before, and the one that takes what is put into the model.

    Args:
        headers: All tensors of a file. Their order does not matter: they are gone through by name, so that one model
            saved in two formats has the same groups in both.

    Returns:
        Groups by tensor name, kernels only.
    """
    stored = [header for header in headers if 0 not in header.shape]
    kernels = [(header, kind) for header in stored if (kind := kernel_kind(header))]
    kernels.sort(key=lambda each: natural_order(each[0].name))
    made = {
        header.shape[int(len(header.shape) > 1 and is_conv_transpose(header.name))] for header in stored if header.shape
    }
    stem = _late_stem(kernels, made)
    groups: dict[str, int] = {}
    channels: dict[str, list[int]] = {}
    for header, kind in kernels:
        module, around = _modules(header.name)
        before = channels.get(module) or channels.get(around) or []
        if kind is Kind.CONV_TRANSPOSE:
            groups[header.name] = 1
            inputs, outputs = header.shape[:2]
        else:
            groups[header.name] = 1 if header.name == stem else _count_groups(header.shape, before, made)
            inputs, outputs = header.shape[1] * groups[header.name], header.shape[0]
        for scope in {module, around}:
            channels.setdefault(scope, []).extend((inputs, outputs))
    return groups


def _count_groups(shape: tuple[int, ...], before: Sequence[int], made: Collection[int]) -> int:
    """Groups of a kernel, given the inputs and outputs of those before it, the last one's output last."""
    out_channels, group_channels = shape[:2]
    if not before or group_channels in before or group_channels == PICTURE or prod(shape[2:]) == 1:
        return 1
    for in_channels in (before[-1], out_channels) if group_channels not in made else before[-1:]:
        count, rest = divmod(in_channels, group_channels)
        if count and not rest and out_channels in (in_channels, 2 * in_channels):
            return count
    return 1


def _late_stem(kernels: Sequence[tuple[TensorHeader, Kind]], made: Collection[int]) -> str | None:
    """The kernel that takes what is put into the model, where others come before it by name.

    Something must take it. If no kernel looks at pictures, and none that is the first of its module takes in what
    nothing puts out, it is the first that takes in what nothing puts out.
    """
    scopes: set[str] = set()
    late: list[str] = []
    for header, kind in kernels:
        module, around = _modules(header.name)
        inputs = header.shape[0 if kind is Kind.CONV_TRANSPOSE else 1]
        first = module not in scopes and around not in scopes
        if inputs == PICTURE or (first and inputs not in made):
            return None
        if inputs not in made:
            late.append(header.name)
        scopes |= {module, around}
    return late[0] if late else None


def _modules(name: str) -> tuple[str, str]:
    """The module that holds a layer, and the one around it: `layer1.0` and `layer1` of `layer1.0.conv2.weight`."""
    path = name.split(".")[:-1]
    return ".".join(path[:-1]), ".".join(path[:-2])
