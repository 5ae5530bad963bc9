"""The weights of a module or a state dict in memory, read where they are.

Nothing is copied to new parameters and nothing is set on the user's modules. A parametrized weight is computed by a
throw-away copy of its parametrization in evaluation mode, so that no power iteration moves a buffer.
"""

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from checkpoints.architecture import facts_of
from checkpoints.errors import CheckpointError
from checkpoints.names import is_quantized
from checkpoints.parts import NO_FACTS, Facts
from checkpoints.tensors import TensorHeader

_HASHED_ENTRIES = 2**22
"""Entries that are brought to the CPU at once while the content is hashed."""

_CODECS = ("torch.ao.nn.quantized.", "torch.ao.nn.intrinsic.quantized.", "torchao.", "bitsandbytes.")
"""Packages whose modules and tensors hold codes in the place of weights."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a tensor comes from: how to read it, and the class of its module or `buffer`, None if unknown."""

    read: Callable[[], torch.Tensor]
    role: str | None


@dataclass(slots=True)  # not frozen, because the protocol Checkpoint has plain attributes
class LiveCheckpoint:
    """Tensors in memory, as the open checkpoint that the job works on.

    Attributes:
        name: Class of the module, or `state_dict`.
        headers: All tensors in the order and under the names of the state dict; a parametrized weight once, under
            its plain name.
        facts: What the modules say about them; nothing for a state dict.
        device: torch device where most of the entries are, the CPU if that one has no float64.
    """

    name: str
    headers: tuple[TensorHeader, ...]
    facts: Facts
    device: str
    _sources: Mapping[str, _Source] = field(repr=False)

    def read(self, name: str) -> torch.Tensor:
        """The tensor of that name, where it is, without its graph."""
        with torch.no_grad():
            return self._sources[name].read().detach()

    def sha256(self) -> str:
        """Identity: sha256 over name, number format, shape, facts and bytes of every tensor."""
        digest = hashlib.sha256()
        for header in self.headers:
            said = [header.name, header.dtype, list(header.shape), repr(self.facts.get(header.name))]
            digest.update(json.dumps(said).encode())
            for entries in self.read(header.name).reshape(-1).split(_HASHED_ENTRIES):
                digest.update(entries.contiguous().view(torch.uint8).cpu().numpy())
        return digest.hexdigest()


def live_module(module: nn.Module) -> LiveCheckpoint:
    """Open a module; DataParallel, DistributedDataParallel and compiled modules are looked through.

    Buffers that the module does not save are no part of it here either.

    Raises:
        CheckpointError: Weights have no values (meta device, lazy modules), or are quantized, sparse or spread over
            processes.
    """
    while isinstance(module, DataParallel | DistributedDataParallel) or type(module).__name__ == "OptimizedModule":
        module = module.get_submodule("_orig_mod" if "_orig_mod" in module._modules else "module")
    sources = {name: source for path, child in _walk("", module) for name, source in _own_tensors(path, child)}
    return _open(type(module).__name__, sources, module)


def live_state_dict(tensors: Mapping[str, torch.Tensor]) -> LiveCheckpoint:
    """Open a state dict.

    Raises:
        CheckpointError: Tensors have no values (meta device), or are sparse, spread over processes, or of a
            quantized type.
    """
    return _open("state_dict", {name: _Source(partial(_same, each), None) for name, each in tensors.items()}, None)


def _open(name: str, sources: Mapping[str, _Source], module: nn.Module | None) -> LiveCheckpoint:
    headers = []
    entries: Counter[str] = Counter()
    for tensor_name, source in sources.items():
        with torch.no_grad():
            tensor = source.read()
        _refuse(tensor_name, tensor, source.role)
        headers.append(TensorHeader(tensor_name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)))
        if tensor.device.type in ("cpu", "cuda"):
            entries[str(tensor.device)] += tensor.numel()
    device = entries.most_common(1)[0][0] if entries else "cpu"
    facts = NO_FACTS if module is None else _facts(module, headers)
    return LiveCheckpoint(name, tuple(headers), facts, device, sources)


def _facts(module: nn.Module, headers: Sequence[TensorHeader]) -> Facts:
    try:
        return facts_of(module, headers)
    except Exception:  # noqa: BLE001 - a module of any making whose attributes mislead is told by names, and rows say so
        return NO_FACTS


def _walk(path: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """A module and all below it, in the order of the state dict, without the insides of parametrizations."""
    yield path, module
    for name, child in module._modules.items():
        if child is not None and not (name == "parametrizations" and is_parametrized(module)):
            yield from _walk(f"{path}{name}.", child)


def _own_tensors(path: str, module: nn.Module) -> Iterator[tuple[str, _Source]]:
    """What a module itself saves, with effective weights in the place of what they are computed from."""
    role = type(module).__name__
    if f"{type(module).__module__}.".startswith(_CODECS):
        raise _quantized(path.removesuffix(".") or "the model", role)
    effective, replaced = _effective_weights(module)
    for name, read in effective.items():
        yield path + name, _Source(read, role)
    for name, parameter in module._parameters.items():
        if parameter is not None and name not in replaced:
            yield path + name, _Source(partial(_same, parameter), role)
    for name, buffer in module._buffers.items():
        if buffer is not None and name not in replaced and name not in module._non_persistent_buffers_set:
            yield path + name, _Source(partial(_same, buffer), "buffer")


def _effective_weights(module: nn.Module) -> tuple[dict[str, Callable[[], torch.Tensor]], set[str]]:
    """Weights that are computed in every forward pass, and the names of what they are computed from."""
    effective: dict[str, Callable[[], torch.Tensor]] = {}
    replaced: set[str] = set()
    if is_parametrized(module):
        for name, parametrization in module.parametrizations.items():  # type: ignore[operator,union-attr]
            effective[name] = partial(_parametrized, parametrization)
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):
            effective[hook.name] = partial(hook.compute_weight, module)
            replaced |= {f"{hook.name}_g", f"{hook.name}_v"}
        elif isinstance(hook, SpectralNorm):
            effective[hook.name] = partial(hook.compute_weight, module, do_power_iteration=False)
            replaced |= {f"{hook.name}_orig", f"{hook.name}_u", f"{hook.name}_v"}
        elif isinstance(hook, BasePruningMethod):
            effective[hook._tensor_name] = partial(hook.apply_mask, module)
            replaced |= {f"{hook._tensor_name}_orig", f"{hook._tensor_name}_mask"}
    return effective, replaced


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _parametrized(parametrization: nn.Module) -> torch.Tensor:
    weight: torch.Tensor = copy.deepcopy(parametrization).eval()()
    return weight


def _refuse(name: str, tensor: torch.Tensor, role: str | None) -> None:
    """Raise if a tensor has no entries that can be read as weights."""
    if is_lazy(tensor):
        raise CheckpointError(f"{name} has no shape yet: run the lazy module on one batch, then analyze it.")
    if tensor.is_meta:
        raise CheckpointError(
            f"{name} is on the meta device and has no values: load the weights first, with "
            "load_state_dict(..., assign=True) or the library's from_pretrained."
        )
    kind = type(tensor)
    codes = role is not None and not tensor.is_floating_point() and not tensor.is_complex()
    if tensor.is_quantized or f"{kind.__module__}.".startswith(_CODECS):
        raise _quantized(name, kind.__name__)
    if codes and (is_quantized(name) or (role != "buffer" and tensor.ndim >= 2)):
        raise _quantized(name, str(tensor.dtype).removeprefix("torch."))
    if tensor.layout is not torch.strided:
        raise CheckpointError(f"{name} is sparse ({tensor.layout}): make it dense first, tensor.to_dense().")
    if kind.__name__ == "DTensor":
        raise CheckpointError(f"{name} is spread over processes: analyze the full state dict, tensor.full_tensor().")


def _quantized(name: str, what: str) -> CheckpointError:
    return CheckpointError(
        f"{name} is quantized ({what}): it holds codes, not weights. Analyze the model as it was before quantization, "
        "or dequantize it first."
    )
