"""Kernels that were read as grouped though nothing but names and shapes said so, which a reader may object to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalogs import counted

MOST_NAMED = 5
"""Kernels that are named; the others are counted, and `spectra` has them."""


@dataclass(frozen=True, slots=True)
class GroupedKernel:
    """A convolution kernel that was cut into groups, and how many."""

    layer: str
    groups: int


def grouped_kernels(ledger: Iterable[Mapping[str, Any]]) -> tuple[GroupedKernel, ...]:
    """The kernels whose groups were inferred, in the order of the ledger.

    A kernel says by itself that it has one input channel a group. That it has several, or one output channel a group,
    is known from the model's modules (`layout` is `architecture`) or else inferred from the kernels before it (`name`).

    Args:
        ledger: Rows of `spectra` of one model: layer, part, shape, reason, layout.
    """
    groups: dict[str, int] = {}
    for row in ledger:
        if row["layout"] != "name":
            continue
        if (row["part"] or "").startswith("group_"):
            groups[row["layer"]] = groups.get(row["layer"], 0) + 1
        elif row["reason"] == "depthwise" and 1 not in row["shape"][:2]:
            groups[row["layer"]] = row["shape"][0]  # an output channel a group
    return tuple(GroupedKernel(layer, count) for layer, count in groups.items())


def told(kernels: tuple[GroupedKernel, ...]) -> str | None:
    """One line that says how many kernels were read so, which, and what to do if that is wrong; None for none."""
    if not kernels:
        return None
    named = ", ".join(f"{kernel.layer} ({kernel.groups} groups)" for kernel in kernels[:MOST_NAMED])
    more = f" and {len(kernels) - MOST_NAMED} more" if len(kernels) > MOST_NAMED else ""
    return (
        f"read as grouped by their shapes alone: {counted(len(kernels), 'kernel')}, {named}{more}. "
        "If that is wrong, analyze the module itself, or name the model by its library (timm:..., hub:...)"
    )
