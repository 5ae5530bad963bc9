"""Models of timm and torchvision, built by name without numbers, and their names as published."""

import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from checkpoints.architecture import facts_of
from checkpoints.names import without_wrappers
from checkpoints.parts import Facts
from checkpoints.tensors import TensorHeader
from checkpoints.torchvision_import import import_timm, import_torchvision
from checkpoints.without_numbers import without_numbers

_DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")


def build_timm(name: str, settings: Mapping[str, Any] = {}) -> nn.Module:
    """A model of timm on torch's meta device.

    Args:
        name: Name of the architecture, with or without the tag of its weights.
        settings: Arguments of the model, such as `num_classes`.
    """
    with without_numbers():
        model = import_timm().create_model(name, pretrained=False, **settings)
    assert isinstance(model, nn.Module)
    return model


def timm_facts(model: nn.Module, headers: Sequence[TensorHeader]) -> Facts:
    """Lead published tensors to the modules of a model of timm, by the filter that the model's file has for that.

    The filter is called with tensors without numbers. What it only renames comes out as the same tensor; what it
    changes in any other way is not led anywhere, and where it needs numbers nothing is renamed.

    Args:
        model: What `build_timm` gave.
        headers: The tensors of the file.

    Returns:
        Facts by the names of the file.
    """
    renamed = _filtered(model, headers)
    return facts_of(model, headers, lambda name: renamed.get(name, without_wrappers(name)))


def build_torchvision(name: str) -> nn.Module:
    """A model of torchvision on torch's meta device; nothing is downloaded, its backbone included."""
    builder = import_torchvision().models.get_model_builder(name)
    known = inspect.signature(builder).parameters
    settings: dict[str, Any] = {"weights": None}
    if "weights_backbone" in known:
        settings["weights_backbone"] = None
    if "init_weights" in known or name in ("googlenet", "inception_v3"):
        settings["init_weights"] = False
    with without_numbers():
        model = builder(**settings)
    assert isinstance(model, nn.Module)
    return model


def torchvision_facts(model: nn.Module, headers: Sequence[TensorHeader]) -> Facts:
    """Lead published tensors to the modules of a model of torchvision.

    DenseNets were published before their layers got the names that they have: `norm.1` is `norm1`.

    Args:
        model: What `build_torchvision` gave.
        headers: The tensors of the file.

    Returns:
        Facts by the names of the file.
    """
    return facts_of(model, headers, lambda name: _DENSE_LAYER.sub(r"\1", without_wrappers(name)))


def _filtered(model: nn.Module, headers: Sequence[TensorHeader]) -> dict[str, str]:
    """Names of the model by names of the file, as far as the filter of the model's file renames."""
    rename = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if rename is None:
        return {}
    stored = {header.name: torch.empty(header.shape, device="meta") for header in headers}
    try:
        loaded = rename(dict(stored), model)
    except Exception:  # noqa: BLE001 - another library's code on tensors that have no numbers
        return {}
    names = {id(tensor): name for name, tensor in stored.items()}
    renamed = {}
    for name, tensor in loaded.items():
        whole = tensor._base is not None and tensor.numel() == tensor._base.numel()  # a view in another shape
        origin = names.get(id(tensor._base if whole else tensor))
        if origin is not None:
            renamed[origin] = name
    return renamed
