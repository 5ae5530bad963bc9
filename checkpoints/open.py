"""Weight files opened as data: safetensors, or pickles that may build nothing but tensors."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from checkpoints.errors import CheckpointError
from checkpoints.limits import MEMORY_TO_OPEN, bounded_memory, refuse_compressed, refuse_overgrown
from checkpoints.names import natural_order
from checkpoints.not_weights import kind_of, refuse_other_starts, refuse_programs, refuse_stand_ins
from checkpoints.safetensors_header import torch_dtype
from checkpoints.tensors import Checkpoint, TensorHeader

PICKLES = (".pt", ".pth", ".pyth", ".bin", ".th", ".tar")
SUFFIXES = (".safetensors", *PICKLES)

WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "weights", "params")
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
        raise CheckpointError(f"damaged {kind_of(path)} {path.name}: it is empty (0 bytes); fetch it again.")
    if path.suffix.lower() not in SUFFIXES:
        raise CheckpointError(f"cannot read {path.name}: need one of {', '.join(SUFFIXES)}. {advice_on(path)}")
    refuse_stand_ins(path)
    if path.suffix.lower() == ".safetensors":
        return SafetensorsFile(path)
    refuse_other_starts(path)
    found = _unpickle(path)
    return StateDict(found.tensors, found.remarks)


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
    """Tensors by name, already in memory (or mapped); `remarks` says what of the file they are."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], remarks: tuple[str, ...] = ()) -> None:
        self._tensors = tensors
        self.remarks = remarks
        self.headers = tuple(
            TensorHeader(name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
            for name, tensor in tensors.items()
        )

    def read(self, name: str) -> torch.Tensor:
        """The tensor of that name."""
        return self._tensors[name].detach()


@dataclass(frozen=True, slots=True)
class FoundTensors:
    """The state dict that was found in what a training script saved.

    Attributes:
        tensors: Its tensors by name; none where there is no state dict.
        key: The key that it stands under; None for the top.
        left_out: Keys under which there are other matrices.
    """

    tensors: Mapping[str, torch.Tensor]
    key: str | None = None
    left_out: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """A line on what was left out, if anything was."""
        taken = f"the tensors under {self.key!r}" if self.key else "the tensors at the top"
        return (f"{taken} are analyzed; left out: {', '.join(self.left_out)}",) if self.left_out else ()


def _unpickle(path: Path) -> FoundTensors:
    try:
        # Only the zip format of torch >= 1.6 can be mapped; older files are read whole.
        if zipped := zipfile.is_zipfile(path):
            refuse_programs(path)
            refuse_compressed(path)
        with warnings.catch_warnings(action="ignore"), bounded_memory(path.stat().st_size):  # remarks on protocols
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
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
    except CheckpointError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or "allocate memory" in str(error):  # which torch says in a RuntimeError
            raise CheckpointError(
                f"refused {path.name}: to open it takes more than {MEMORY_TO_OPEN / 2**30:.0f} GiB beyond its own "
                "bytes, or than this machine has. Where you trust it, load it yourself and save its state_dict as "
                "safetensors."
            ) from error
        # A damaged pickle can fail anywhere in torch.load, with any kind of error.
        sentence = re.split(r"\.\s|\n", str(error))[0] or type(error).__name__
        if isinstance(error, LookupError):  # of the unpickler, whose text is a bare number
            sentence = "its pickle names what is not in it"
        raise CheckpointError(
            f"damaged checkpoint {path.name}: {sentence}. It is cut short or no torch file; fetch it again."
        ) from error
    found = _only(find_state_dict(content), path.name)
    if found.tensors:
        refuse_overgrown(found.tensors, path)
        return found
    if (empty := _empty_state_dict(content)) is not None:
        raise CheckpointError(
            f"no tensors in {path.name}: {empty} is empty, as that of a module without parameters is, so there is "
            "nothing to analyze. Save the state_dict() of the whole model."
        )
    came = f"keys {sorted(map(_shown_key, content))[:5]}" if isinstance(content, Mapping) else type(content).__name__
    raise CheckpointError(
        f"no tensors in {path.name}: need a state dict, at the top or under one of {', '.join(WRAPPERS)}; got {came}."
    )


def _empty_state_dict(content: Any) -> str | None:
    """What the state dict is called that is there and holds nothing; None where there is none."""
    if not isinstance(content, Mapping):
        return None
    under = (key for key in WRAPPERS if isinstance(content.get(key), Mapping) and not content[key])
    key = next(under, None)
    if key is not None:
        return f"the state dict under {key!r}"
    return None if content else "its state dict"


def state_dict_in(content: Any, name: str = "this mapping") -> Mapping[str, torch.Tensor]:
    """The tensors that `find_state_dict` finds.

    Raises:
        CheckpointError: Matrices stand under several keys, and none says that it is the model; the message has them.
    """
    return _only(find_state_dict(content), name).tensors


def find_state_dict(content: Any, depth: int = 3) -> FoundTensors:
    """The mapping of names to tensors, wherever the training script put it.

    Under one of `WRAPPERS` first: a tensor at the top may be an accuracy or a step count that was saved beside it.
    Where there is none, and no matrix at the top, under the only key with matrices below it.

    Args:
        content: What a training script saved.
        depth: How many mappings inside each other are looked through.

    Returns:
        The state dict; without tensors, but with the keys in `left_out`, where it could be one of several.
    """
    return _find(content, depth, {})


def _find(content: Any, depth: int, seen: dict[tuple[int, int], FoundTensors]) -> FoundTensors:
    """The same; `seen` has what was looked through already: a small file can hold one mapping under a million keys."""
    if depth == 0 or not isinstance(content, Mapping):
        return FoundTensors({})
    place = (id(content), depth)
    if place not in seen:
        seen[place] = _found_in(content, depth, seen)
    return seen[place]


def _found_in(content: Mapping[Any, Any], depth: int, seen: dict[tuple[int, int], FoundTensors]) -> FoundTensors:
    below = {
        _shown_key(key): _find(value, depth - 1, seen) for key, value in content.items() if isinstance(value, Mapping)
    }
    own = {_shown_key(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    matrices = [key for key, tensor in own.items() if _is_matrix(tensor)]
    others = [key for key, found in below.items() if found.left_out or any(map(_is_matrix, found.tensors.values()))]
    known = [key for key in WRAPPERS if key in below and (below[key].tensors or below[key].left_out)]
    if not known and (matrices or not others):
        return FoundTensors(own, None, tuple(others))
    if not known and len(others) > 1:
        return FoundTensors({}, None, tuple(others))
    (key, *_) = known or others
    beside = [other for other in (*others, *matrices) if other != key]
    return FoundTensors(below[key].tensors, key, (*below[key].left_out, *beside))


def _only(found: FoundTensors, name: str) -> FoundTensors:
    """What was found, unless it is one of several."""
    if found.tensors or not found.left_out:
        return found
    raise CheckpointError(
        f"{name} holds several state dicts, and none of their keys says that it is the model: "
        f"{', '.join(found.left_out[:8])}{', ...' if found.left_out[8:] else ''}. "
        f"Save the one that is meant by itself, as {found.left_out[0]}.pt for example."
    )


def _shown_key(key: Any) -> str:
    """A key as text; of what is neither text nor number its type, as a tuple of tuples can be endlessly long."""
    return str(key) if isinstance(key, str | int) else type(key).__name__


def _is_matrix(tensor: torch.Tensor) -> bool:
    return sum(length > 1 for length in tensor.shape) > 1
