"""The torch device that was asked for: which it is, and whether it is here. Torch is loaded for GPUs alone."""

import re

from pipeline.errors import OptionError

_FORMS = re.compile(r"auto|cpu|cuda(?::(\d+))?")
_NEEDED = "need a device of auto, cpu, cuda, or cuda:N for one GPU of several"
_ELSE = "Take auto, which is the GPU where there is one and else the CPU"


def require_device(device: str) -> None:
    """Refuse a device that this machine does not have. Torch is not loaded for `auto` and `cpu`.

    Args:
        device: As in `--device`: `auto`, `cpu`, `cuda`, `cuda:1`.

    Raises:
        OptionError: Its form is unknown, or torch sees no such GPU.
    """
    found = _FORMS.fullmatch(device)
    if found is None:
        why = " (Apple's GPUs have no float64, which spectra are computed in)" if device == "mps" else ""
        raise OptionError(f"{_NEEDED}; got {device!r}{why}. {_ELSE}.")
    if not device.startswith("cuda"):
        return
    import torch

    if not torch.cuda.is_available():
        reason = "this torch is built without CUDA" if torch.version.cuda is None else "torch finds no GPU or no driver"
        raise OptionError(
            f"need a GPU on this machine for the device {device}; got none: {reason} (torch {torch.__version__}). "
            f"{_ELSE}."
        )
    count = torch.cuda.device_count()
    if found[1] is not None and int(found[1]) >= count:
        raise OptionError(f"need the GPU {device} on this machine; got {count}, the last is cuda:{count - 1}. {_ELSE}.")


def resolve_device(device: str) -> str:
    """`auto` becomes the GPU where torch sees one, else the CPU; any other name stays. Nothing is timed."""
    if device == "auto":
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
