"""In which order models stand, and the layers of a model, which is not always that from input to output."""

import re
from collections.abc import Iterable

BY_NAME = "in the order of the names"
BY_STATE_DICT = "in the order of the state dict"


def natural(name: str) -> tuple[str | float, ...]:
    """Sorting key by which `epoch2` comes before `epoch10`, and `lr0.16` before `lr0.5`."""
    pieces = re.split(r"([0-9]+(?:\.[0-9]+)?)", name)  # a text, a number, a text, and so on, so that keys compare
    return tuple(float(piece) if place % 2 else piece for place, piece in enumerate(pieces))


def layer_order(files: Iterable[str]) -> str:
    """How the layers of weight files are ordered.

    A safetensors file keeps its tensors by name, so theirs is all that is known. Any other file, and a model in memory,
    has the order of its state dict, in which modules stand as they were defined: as a rule from input to output.

    Args:
        files: Files of one model.
    """
    return BY_NAME if any(file.lower().endswith(".safetensors") for file in files) else BY_STATE_DICT


def told(orders: Iterable[str]) -> str:
    """A sentence or two about the orders of several models.

    Args:
        orders: `layer_order` of each.
    """
    several = list(orders)
    by_name = several.count(BY_NAME)
    names = f"{BY_NAME}, as safetensors files keep no other, and that need not be from input to output"
    modules = f"{BY_STATE_DICT}, as a rule from input to output"
    if by_name in (0, len(several)):
        return f"Layers stand {names if by_name else modules}."
    return f"Layers of {by_name} of {len(several)} models stand {names}; those of the others {modules}."
