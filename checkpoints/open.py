"""Weight files opened as data: safetensors, or pickles that may build nothing but tensors."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from checkpoints.errors import CheckpointError
from checkpoints.names import natural_order
from checkpoints.safetensors_header import torch_dtype
from checkpoints.tensors import Checkpoint, TensorHeader

PICKLES = (".pt", ".pth", ".bin", ".th", ".tar")
SUFFIXES = (".safetensors", *PICKLES)

WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "weights", "params")
"""Keys under which training scripts put the state dict, in the order in which they are tried."""

_KERNELS = "kernels and matrices turned to torch's order, output channels first."
_HOW = {
    **dict.fromkeys((".h5", ".hdf5", ".keras"), f"load it with Keras and take model.weights, {_KERNELS}"),
    **dict.fromkeys((".pb", ".tflite"), f"load it with TensorFlow and take its variables, {_KERNELS}"),
    **dict.fromkeys((".msgpack", ".orbax"), f"load it with Flax and flatten the parameters, {_KERNELS}"),
    **dict.fromkeys((".npz", ".npy"), "load the arrays with NumPy, and safetensors.numpy.save_file writes them."),
    ".onnx": "take the ONNX model's initializers (onnx.numpy_helper.to_array).",
    ".ckpt": "or, where torch or Lightning wrote this file, rename it to .pt.",
    ".gguf": "GGUF is quantized as a rule, so take the checkpoint that it was made from.",
}
"""How to come to a state dict from the files of other frameworks."""


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a weight file without running anything that is in it.

    Args:
        path: A file with one of `SUFFIXES`.

    Returns:
        Its headers, and tensors one at a time.

    Raises:
        CheckpointError: The file is missing, damaged, of another format, or a pickle that would run code.
    """
    if not path.is_file():
        raise CheckpointError(f"no such file: {path}. Check the path; relative ones start at {Path.cwd()}.")
    if path.stat().st_size == 0:
        kind = "safetensors file" if path.suffix == ".safetensors" else "checkpoint"
        raise CheckpointError(f"damaged {kind} {path.name}: it is empty (0 bytes); fetch it again.")
    if path.suffix == ".safetensors":
        return SafetensorsFile(path)
    if path.suffix in PICKLES:
        return StateDict(_unpickle(path))
    raise CheckpointError(f"cannot read {path.name}: need one of {', '.join(SUFFIXES)}. {advice_on(path)}")


def advice_on(path: Path) -> str:
    """What to do with a file whose suffix is none of `SUFFIXES`."""
    how = _HOW.get(path.suffix.lower())
    return "Save the model's state_dict as safetensors" + (f": {how}" if how else ".")


class SafetensorsFile:
    """A safetensors file; its tensors are mapped, not copied, when they are read."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = safe_open(path, framework="pt", device="cpu")
            # The file keeps its tensors by name; with numbers as numbers that comes near the order of the modules.
            slices = [(name, self._file.get_slice(name)) for name in sorted(self._file.keys(), key=natural_order)]
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"damaged safetensors file {path.name}: {error}. It is cut short or not of this format; fetch it again."
            ) from error
        self.headers = tuple(
            TensorHeader(name, torch_dtype(part.get_dtype()), tuple(part.get_shape())) for name, part in slices
        )

    def read(self, name: str) -> torch.Tensor:
        """The tensor of that name."""
        tensor: torch.Tensor = self._file.get_tensor(name)
        return tensor


class StateDict:
    """Tensors by name, already in memory (or mapped)."""

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self._tensors = tensors
        self.headers = tuple(
            TensorHeader(name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
            for name, tensor in tensors.items()
        )

    def read(self, name: str) -> torch.Tensor:
        """The tensor of that name."""
        return self._tensors[name].detach()


def _unpickle(path: Path) -> dict[str, torch.Tensor]:
    try:
        # Only the zip format of torch >= 1.6 can be mapped; older files are read whole.
        with warnings.catch_warnings(action="ignore"):  # torch's remarks on pickle protocols help nobody here
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        wanted = re.search(r"(?:GLOBAL|global) ([\w.]+)", str(error))
        if wanted is None:
            raise CheckpointError(
                f"damaged checkpoint {path.name}: not a torch file that weights alone can be read from. Fetch it again."
            ) from error
        raise CheckpointError(
            f"refused {path.name}: unpickling it would run {wanted[1]}, and weights are data. "
            "Where you trust it, load it yourself and save its state_dict as safetensors."
        ) from error
    except MemoryError:
        raise
    except Exception as error:
        # A damaged pickle can fail anywhere in torch.load, with any kind of error.
        sentence = re.split(r"\.\s|\n", str(error))[0] or type(error).__name__
        raise CheckpointError(
            f"damaged checkpoint {path.name}: {sentence}. It is cut short or no torch file; fetch it again."
        ) from error
    if tensors := state_dict_in(content):
        return tensors
    came = f"keys {sorted(map(str, content))[:5]}" if isinstance(content, Mapping) else type(content).__name__
    raise CheckpointError(
        f"no tensors in {path.name}: need a state dict, at the top or under one of {', '.join(WRAPPERS)}; got {came}."
    )


def state_dict_in(content: Any, depth: int = 3) -> dict[str, torch.Tensor]:
    """The mapping of names to tensors, wherever the training script put it; empty where there is none.

    Under a wrapper first: a tensor at the top may be an accuracy or a step count that was saved beside it.

    Args:
        content: What a training script saved.
        depth: How many mappings inside each other are looked through.
    """
    if depth == 0 or not isinstance(content, Mapping):
        return {}
    for wrapper in WRAPPERS:
        if tensors := state_dict_in(content.get(wrapper), depth - 1):
            return tensors
    return {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
