"""What the modules of a model say about the tensors of a file: kinds, groups, the order of fused rows.

Nothing is run and no weight is looked at, so a model built on torch's meta device, which holds no numbers, will do.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from checkpoints.experts import expert_facts
from checkpoints.names import directions_of, is_table, without_wrappers
from checkpoints.parts import Facts, Kind, ModuleFacts, Piece, squeezed
from checkpoints.projections import fused_pieces
from checkpoints.tensors import TensorHeader

_CONVOLUTIONS: dict[type[nn.Module], Kind] = {
    nn.Conv1d: Kind.CONV1D,
    nn.Conv2d: Kind.CONV2D,
    nn.Conv3d: Kind.CONV3D,
    nn.ConvTranspose1d: Kind.CONV_TRANSPOSE,
    nn.ConvTranspose2d: Kind.CONV_TRANSPOSE,
    nn.ConvTranspose3d: Kind.CONV_TRANSPOSE,
}
_GATES = {"LSTM": ("i", "f", "g", "o"), "GRU": ("r", "z", "n")}
_WITHIN = ("linear", "conv", "c")
"""Names of a projection within a module that has its name instead."""

_POSITIONS = re.compile(r"Position|Pos(?=E)")
_NORMALIZATION = re.compile(r"Norm(?:\d?d|Act\w*)?$|Norm[A-Z0-9]")


@dataclass(frozen=True, slots=True)
class ModelTensor:
    """A tensor of a model: what its module says about it, and its shape there."""

    facts: ModuleFacts
    shape: tuple[int, ...]


def facts_of(
    model: nn.Module, headers: Sequence[TensorHeader], rename: Callable[[str], str] = without_wrappers
) -> Facts:
    """Lead the tensors of a file to the modules of a model.

    A tensor is led to the one of its name after `rename`, of its own name, or of either with the model's
    `base_model_prefix` taken off or put before it. It has to have that one's shape; only the length of the first axis
    (classes, vocabulary) may differ where nothing is cut along it.

    Args:
        model: A model of any library, on any device, the meta device included.
        headers: The tensors of the file.
        rename: The library's own way from names as published to names as built.

    Returns:
        Facts by the names of the file. What finds no module, or one that nothing is known of, is not among them.
    """
    known = model_tensors(model)
    prefix = getattr(model, "base_model_prefix", "") or ""
    facts = {}
    for header in headers:
        name = directions_of(header.name) or header.name
        found = find_tensor((rename(name), name), header.shape, known, prefix)
        if found is not None:
            facts[header.name] = found.facts
    return facts


def find_tensor(
    names: Sequence[str], shape: tuple[int, ...], known: Mapping[str, ModelTensor], prefix: str
) -> ModelTensor | None:
    """The tensor of a model that one of some names means, with or without a prefix, if it can have that shape."""
    for name in names:
        for candidate in (name, name.removeprefix(f"{prefix}."), f"{prefix}.{name}"):
            if candidate in known and _fits(known[candidate], shape):
                return known[candidate]
    return None


def _fits(tensor: ModelTensor, shape: tuple[int, ...]) -> bool:
    """Whether a tensor of the file can be the one of the model, and be cut like it."""
    if tensor.shape == shape:
        return True
    facts = tensor.facts
    cut = bool(facts.pieces) or facts.groups > 1 or facts.stacked
    return not cut and len(shape) == len(tensor.shape) > 1 and shape[1:] == tensor.shape[1:] and shape[0] > 0


def model_tensors(model: nn.Module) -> dict[str, ModelTensor]:
    """Every parameter and buffer of a model whose module is known, by the model's own names.

    A weight that the module computes from others (weight normalization) is there under its plain name.
    """
    known: dict[str, ModelTensor] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        stem = f"{path}." if path else ""
        for name, tensor in module.named_buffers(recurse=False, remove_duplicate=False):
            known[stem + name] = ModelTensor(ModuleFacts(None), tuple(tensor.shape))
        for name, tensor in _weights(module):
            facts = _facts(module, stem + name, name, tuple(tensor.shape))
            if facts is None:
                facts = expert_facts(module, name, tuple(tensor.shape))
            if facts is not None:
                facts = _with_pieces(facts, model, path, tuple(tensor.shape))
                known[stem + name] = ModelTensor(facts, tuple(tensor.shape))
    return known


def _weights(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters that a module holds itself, and weights that it computes from some, which have their shape."""
    for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
        yield name, parameter
        stem = name.removesuffix("_orig").removesuffix("_v")  # of torch's older pruning, spectral and weight norms
        if stem != name and stem not in module._parameters:
            yield stem, parameter
    parametrizations = getattr(module, "parametrizations", None)
    if isinstance(parametrizations, nn.ModuleDict):
        for name, parametrization in parametrizations.items():
            for original in ("original", "original1"):
                stored = getattr(parametrization, original, None)
                if isinstance(stored, torch.Tensor):
                    yield f"parametrizations.{name}.{original}", stored
                    yield name, stored


def _facts(module: nn.Module, full_name: str, name: str, shape: tuple[int, ...]) -> ModuleFacts | None:
    """Facts of a tensor that a module of a known type holds itself."""
    for convolution, kind in _CONVOLUTIONS.items():
        if isinstance(module, convolution):
            return ModuleFacts(kind, groups=int(module.groups))  # type: ignore[arg-type]
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        table = is_table(full_name) or _POSITIONS.search(type(module).__name__)
        return ModuleFacts(Kind.TABLE if table else Kind.EMBEDDING)
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return ModuleFacts(Kind.RECURRENT, pieces=_gates(module, name))
    if isinstance(module, nn.MultiheadAttention) and name == "in_proj_weight":
        return ModuleFacts(Kind.LINEAR, pieces=tuple(Piece(letter, shape[0] // 3) for letter in "qkv"))
    if _is_linear(module, name, shape):
        return ModuleFacts(Kind.LINEAR, axis=1 if _is_transposed(module) else 0)
    if len(squeezed(shape)) < 2 or _NORMALIZATION.search(type(module).__name__) or is_table(full_name):
        return ModuleFacts(Kind.TABLE)  # entries that scale, shift or stand for something; no map
    return None


def _is_linear(module: nn.Module, name: str, shape: tuple[int, ...]) -> bool:
    if isinstance(module, nn.Linear | nn.MultiheadAttention) or _is_transposed(module):
        return True
    return name == "weight" and len(shape) == 2 and "Router" in type(module).__name__


def _is_transposed(module: nn.Module) -> bool:
    """Whether a module is the linear map of transformers that is stored (in, out)."""
    return type(module).__name__ == "Conv1D" and hasattr(module, "nf")


def _gates(module: nn.RNNBase | nn.RNNCellBase, name: str) -> tuple[Piece, ...]:
    mode = module.mode if isinstance(module, nn.RNNBase) else type(module).__name__.removesuffix("Cell")
    if not name.startswith(("weight_ih", "weight_hh")) or mode not in _GATES:
        return ()
    return tuple(Piece(gate, int(module.hidden_size)) for gate in _GATES[mode])


def _with_pieces(facts: ModuleFacts, model: nn.Module, path: str, shape: tuple[int, ...]) -> ModuleFacts:
    """Facts with the pieces of a fused projection, which the module around it knows."""
    if facts.pieces or facts.groups > 1 or facts.stacked or not path or len(squeezed(shape)) != 2:
        return facts
    if facts.kind not in (Kind.LINEAR, Kind.CONV1D, Kind.CONV2D):
        return facts
    *around, name = path.split(".")
    while around and (name in _WITHIN or name.isdecimal()):  # a convolution with its normalization; a list of heads
        *around, name = *around[:-1], around[-1]
    pieces = fused_pieces(model.get_submodule(".".join(around)), name, squeezed(shape)[facts.axis])
    return ModuleFacts(facts.kind, pieces=pieces, axis=facts.axis)
