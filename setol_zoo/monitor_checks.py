"""What a monitor is handed over, looked at before anything is trained: each check says what was needed."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from catalogs import nearest
from catalogs.places import Where
from pipeline.errors import OptionError
from pipeline.options import MetricOptions, SpectrumOptions


def require_matrices(model: Any) -> None:
    """Refuse what is no model, and one of which no epoch would ever have a row.

    Matrices that are too small for a tail are rows.

    Raises:
        CheckpointError: The weights have no values, or are quantized, sparse or spread over processes.
        TypeError: It is neither a module nor a state dict.
        ValueError: None of its tensors is a matrix that can be decomposed.
    """
    from torch import nn

    from checkpoints.layout import lay_out
    from checkpoints.open import state_dict_in
    from setol_zoo.opened_model import open_live
    from setol_zoo.refusals import no_model

    if not isinstance(model, nn.Module) and not (isinstance(model, Mapping) and state_dict_in(model)):
        got = repr(str(model)) if isinstance(model, str | Path) else no_model(model).partition("; got ")[2]
        raise TypeError(f"need the torch module that is trained, or its state dict; got {got.removesuffix('.')}.")
    checkpoint = open_live(model)
    layouts = lay_out(checkpoint.headers, checkpoint.facts)
    if not any(layout.parts for layout in layouts):
        left_out = [each for each in layouts if len(each.header.shape) > 1 and each.reason]
        told = "".join(f" {each.header.name}: {each.reason.sentence}" for each in left_out[:1] if each.reason)
        raise ValueError(
            f"{checkpoint.name} has no weight matrix: nothing to log.{told} Was the right module handed over?"
        )


def require_known(options: Iterable[str], own: Iterable[str]) -> None:
    """Refuse names that are no options, with all that are; a base is none, because nothing is subtracted here.

    Args:
        options: Names besides those of the monitor itself.
        own: Those of the monitor itself, which may have been meant.

    Raises:
        OptionError: A name is not known.
    """
    own = list(own)
    theirs = {each.name for record in (SpectrumOptions, MetricOptions) for each in fields(record)} - {"base", *own}
    known = [*own, *sorted(theirs)]
    for name in options:
        if name not in known:
            near = nearest(name, known)
            told = f"; nearest: {', '.join(near)}" if near else ""
            raise OptionError(f"unknown option {name!r}{told}; known: {', '.join(known)}")


def require_tensorboard(where: Where) -> None:
    """Refuse where TensorBoard is not installed, or writes nothing.

    Raises:
        OptionError: It is not, or the place is no folder of this machine.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise OptionError(
            "tensorboard=True needs the package tensorboard, which is not installed: pip install tensorboard"
        ) from error
    if not isinstance(where, Path):
        raise OptionError(f"tensorboard=True needs a folder of this machine, got {where}: hand over a SummaryWriter.")


def whole(name: str, value: Any, least: int = 0) -> int:
    """A whole number, of Python, NumPy or torch.

    Raises:
        OptionError: It is none, or less than `least`.
    """
    try:
        found = -1 if isinstance(value, bool) else value.__index__()
    except (AttributeError, TypeError, RuntimeError):
        found = -1
    if found < least:
        raise OptionError(f"{name} must be a whole number of {least} or more, got {value!r}.")
    return int(found)


def number(name: str, value: Any) -> float | None:
    """A number as a float: also arrays and tensors of one entry, with or without a graph.

    Raises:
        OptionError: It is none.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str):
            raise TypeError
        return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise OptionError(f"{name} must be one number, got {type(value).__name__} {value!r:.60}.") from error
