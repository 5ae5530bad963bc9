"""Quantized weights among the tensors of a file: which are codes, where their scales are, which cannot be read here.

What is read, and what says so:

- 8-bit floats times a scale for each tensor, channel, group or block: `weight_scale_inv` of DeepSeek-V3 (128 x 128;
  README_WEIGHTS.md of its repository: the weight is code times scale, whatever the name says) and of transformers'
  FP8Linear; `weight_scale` of compressed-tensors, ModelOpt and FBGEMM; `scale_weight` of ComfyUI.
- 8-bit integers times a scale for each tensor or channel: `weight_scale` of compressed-tensors, symmetric; `SCB` over
  127 of bitsandbytes (LLM.int8, arXiv:2208.07339: the largest absolute value of each row).
- MXFP4, 4-bit floats in blocks of 32 with a power of two (OCP Microscaling Formats 1.0, section 5.3): `_blocks` and
  `_scales` of gpt-oss.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from checkpoints.tensors import TensorHeader
from setol.reasons import Reason

FLOAT8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
"""Number formats of 8 bits that are weights by themselves, or codes where there are scales."""

_FLOATS = ("float64", "float32", "float16", "bfloat16")
_BLOCK = 128
_MX_BLOCK = 32

_SCALE = re.compile(r"scale|SCB$|zero_point|zeros$|absmax|amax")
_ACTIVATIONS = re.compile(r"^(?:(?:input|output|act|activation|kv?|q|v)_|scale_(?:in|out)put$)")
_GPTQ_AWQ = ("qweight", "qzeros", "scales", "g_idx")
_PACKED = re.compile(r"^weight_(?:packed|scale|global_scale|shape|zero_point|g_idx)$")
_TORCHAO = re.compile(r"^_weight_(?:qdata|scale|zero_point|scale_and_zero|per_tensor_scale|act_pre_scale)$")
_BITSANDBYTES_4BIT = re.compile(r"\.(?:nested_)?(?:absmax|quant_map)$|\.quant_state\.bitsandbytes__\w+$")


@dataclass(frozen=True, slots=True)
class Scaled:
    """How the codes of a quantized weight become its entries: each times the scale of its block.

    Attributes:
        name: What the weight would be called if it were not quantized.
        shape: Shape of the weight.
        scales: Name of the tensor with the scales.
        block: Along each axis of the weight, how many entries share a scale; the last block may be cut short.
        divisor: What the scales are divided by.
        four_bits: Whether two codes of FP4 (E2M1) lie in a byte.
    """

    name: str
    shape: tuple[int, ...]
    scales: str
    block: tuple[int, ...]
    divisor: float = 1.0
    four_bits: bool = False


Found = Mapping[str, Scaled | Reason]
"""How weights are made of codes, or why not, by the name of the tensor; plain tensors are not in it."""

_Module = Mapping[str, TensorHeader]


def find_quantized(headers: Sequence[TensorHeader]) -> Found:
    """What of a file is quantized.

    A scale is nothing that may be left out: codes beside scales of another name or shape are skipped, and so are
    8-bit floats without scales in a file where others have them, as where an index cuts a model between the two.

    Args:
        headers: All tensors of the file.
    """
    modules: dict[str, dict[str, TensorHeader]] = defaultdict(dict)
    for header in headers:
        module, _, own = header.name.rpartition(".")
        modules[module][own] = header
    scales = {module: sorted(filter(_is_scale, tensors)) for module, tensors in modules.items()}
    found: dict[str, Scaled | Reason] = {}
    bare = []
    for header in headers:
        module, _, own = header.name.rpartition(".")
        outcome = _unreadable(header, own, modules[module], modules) or _scaled(
            header, own, modules[module], scales[module]
        )
        if outcome is not None:
            found[header.name] = outcome
        elif header.dtype in FLOAT8 and len(header.shape) > 1 and not _SCALE.search(own):
            bare.append(header.name)
    if any(_is_scaled_float(header, found.get(header.name)) for header in headers):
        found |= dict.fromkeys(bare, Reason.SCALE_MISSING)
    used = {each.scales for each in found.values() if isinstance(each, Scaled)}
    return found | dict.fromkeys(used, Reason.SCALES)


def _is_scale(own: str) -> bool:
    """Whether a name, without its module, may be that of scales of a weight."""
    return bool(_SCALE.search(own)) and not _ACTIVATIONS.match(own)


def _is_scaled_float(header: TensorHeader, outcome: Scaled | Reason | None) -> bool:
    return header.dtype in FLOAT8 and (isinstance(outcome, Scaled) or outcome is Reason.SCALE_UNKNOWN)


def _unreadable(header: TensorHeader, own: str, module: _Module, modules: Mapping[str, _Module]) -> Reason | None:
    """The reason of a scheme whose codes are not read here."""
    if own in _GPTQ_AWQ and "qweight" in module:
        codes, scales = module["qweight"], module.get("scales")
        if scales is None or len(codes.shape) != 2 or len(scales.shape) != 2:
            return Reason.QUANTIZED
        # GPTQ packs along the inputs, the first axis; AWQ along the outputs.
        return Reason.QUANTIZED_GPTQ if codes.shape[1] == scales.shape[1] else Reason.QUANTIZED_AWQ
    if "weight_packed" in module and _PACKED.match(own):
        return Reason.QUANTIZED_PACKED
    if "_weight_qdata" in module and _TORCHAO.match(own):
        return Reason.QUANTIZED_TORCHAO
    if "absmax" in modules.get(header.name, {}) or _BITSANDBYTES_4BIT.search(header.name):
        return Reason.QUANTIZED_4BIT
    return None


def _scaled(header: TensorHeader, own: str, module: _Module, scales: Sequence[str]) -> Scaled | Reason | None:
    """How codes become a weight; `scales` are the names of its module's scales, in order."""
    if own.endswith("_blocks") and header.dtype == "uint8":
        return _mxfp4(header, module.get(f"{own.removesuffix('_blocks')}_scales"))
    if header.dtype not in (*FLOAT8, "int8") or len(header.shape) < 2 or _SCALE.search(own):
        return None
    first = bisect_left(scales, f"{own}_")
    last = bisect_left(scales, f"{own}`")  # what follows the underscore in ASCII
    mine = [each for each in (scales if own == "weight" else scales[first:last]) if each != own]
    if not mine:
        return None
    scale = module[mine[0]]
    if len(mine) > 1:
        return Reason.SCALE_UNKNOWN
    if header.dtype == "int8":
        return _scaled_integers(header, mine[0], scale)
    if mine[0] not in (f"{own}_scale", f"{own}_scale_inv", "scale_weight"):
        return Reason.SCALE_UNKNOWN
    block = _block(header.shape, scale.shape)
    exponents = scale.dtype == "uint8" and block is not None and block[-1] == _MX_BLOCK
    if block is None or not (scale.dtype in (*_FLOATS, "float8_e8m0fnu") or exponents):
        return Reason.SCALE_UNKNOWN
    return Scaled(header.name, header.shape, scale.name, block)


def _scaled_integers(header: TensorHeader, told: str, scale: TensorHeader) -> Scaled | Reason | None:
    """Of whole tensors or rows only: finer scales stand beside bytes that hold more than one code."""
    shape, rows = header.shape, (1, *header.shape[1:])
    if len(shape) != 2 or scale.dtype not in _FLOATS:
        return Reason.SCALE_UNKNOWN
    if told == "SCB" and scale.shape == shape[:1]:
        return Scaled(header.name, shape, scale.name, rows, divisor=127.0)
    if told == "weight_scale" and (prod(scale.shape) == 1 or scale.shape == (shape[0], 1)):
        return Scaled(header.name, shape, scale.name, shape if prod(scale.shape) == 1 else rows)
    return Reason.SCALE_UNKNOWN


def _mxfp4(blocks: TensorHeader, scales: TensorHeader | None) -> Scaled | Reason | None:
    """Shapes (..., blocks, 16) of bytes and (..., blocks) of exponents."""
    if scales is None:
        return None
    if len(blocks.shape) < 3 or blocks.shape[-1] != _MX_BLOCK // 2 or scales.shape != blocks.shape[:-1]:
        return Reason.SCALE_UNKNOWN
    if scales.dtype != "uint8":
        return Reason.SCALE_UNKNOWN
    *outer, n_blocks, _ = blocks.shape
    shape = (*outer, n_blocks * _MX_BLOCK)
    block = (*(1 for _ in outer), _MX_BLOCK)
    return Scaled(blocks.name.removesuffix("_blocks"), shape, scales.name, block, four_bits=True)


def _block(shape: tuple[int, ...], scales: tuple[int, ...]) -> tuple[int, ...] | None:
    """Entries along each axis that share a scale; None where the shapes do not tell."""
    if prod(scales) == 1:
        return shape
    if len(scales) != len(shape):
        return None
    block = [_block_length(length, count) for length, count in zip(shape, scales, strict=True)]
    return None if 0 in block else tuple(block)


def _block_length(length: int, count: int) -> int:
    """The whole axis, a power of two that divides it, or 128 with the last block cut short; 0 for none of them."""
    if count == 1:
        return length
    if count and length % count == 0 and (length // count).bit_count() == 1:
        return length // count
    return _BLOCK if -(-length // _BLOCK) == count else 0
