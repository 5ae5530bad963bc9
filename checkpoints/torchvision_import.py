"""torchvision and timm, imported also where torchvision's compiled operators do not fit the torch beside them."""

import os
from functools import cache
from importlib import import_module
from threading import RLock
from types import ModuleType

import torch

from checkpoints.errors import CheckpointError

_OPERATORS = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_MISSING = "operator torchvision::"
_ONE_AT_A_TIME = RLock()


def import_torchvision() -> ModuleType:
    """The package torchvision, with `torchvision.models`.

    Raises:
        CheckpointError: It is not installed.
    """
    _import("torchvision.models", "torchvision")
    return import_module("torchvision")


def import_timm() -> ModuleType:
    """The package timm; importing it imports torchvision.

    Raises:
        CheckpointError: It, or torchvision, is not installed.
    """
    # timm imports the hub's client, which reads this once.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    return _import("timm", "timm")


def _import(module: str, extra: str) -> ModuleType:
    try:
        with _ONE_AT_A_TIME:  # operators can be declared once
            return _import_with_operators(module)
    except ModuleNotFoundError as error:
        raise CheckpointError(
            f"this needs the package {error.name}, which is not installed: pip install 'setol-zoo[{extra}]'"
        ) from error


def _import_with_operators(module: str) -> ModuleType:
    try:
        return import_module(module)
    except RuntimeError as error:
        # A build of torchvision for CUDA beside torch for the CPU: its library of operators does not load, and
        # torchvision then trips over the two that it describes to torch. Weights need none of them.
        if _MISSING not in str(error):
            raise
        _declare_operators()
        return import_module(module)


@cache
def _declare_operators() -> None:
    for name in _OPERATORS:
        torch.library.define(f"torchvision::{name}", _SIGNATURE)
