"""The entries of quantized weights: codes times scales, exact in float64."""

import mmap
import os
import tempfile
from math import prod
from typing import IO

import torch

from checkpoints.quantized import Scaled

IN_MEMORY_BYTES = 2**26
"""Weights up to this size are kept in memory; larger ones in a file without a name, which is mapped."""

_CHUNK_BYTES = 2**22
_FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)
"""E2M1: the value of each code."""

_NO_NUMBER = 255


def dequantize(codes: torch.Tensor, scales: torch.Tensor, scaled: Scaled) -> torch.Tensor:
    """The weight that codes and scales stand for.

    A code has at most 8 significant bits and a scale 24: their product is exact in float64, and only a divisor rounds.
    Where float64 takes more than `IN_MEMORY_BYTES`, it is written to a temporary file (where `TMPDIR` says) whose
    pages the system may take back, and which is gone with the tensor.

    Args:
        codes: As the file has them.
        scales: As the file has them.
        scaled: How they belong together; its shape is replaced by that of these codes along the first axis.

    Returns:
        float64, on the CPU.

    Raises:
        OSError: There is no room for the temporary file.
    """
    n_rows, inner = codes.shape[0], scaled.shape[1:]
    weight = _room((n_rows, *inner))
    factors = _factors(scales, scaled)
    step = max(1, _CHUNK_BYTES // (8 * prod(inner)))
    for start in range(0, n_rows, step):
        rows = slice(start, min(start + step, n_rows))
        block_of_rows = torch.arange(rows.start, rows.stop) // scaled.block[0]
        spread = factors[block_of_rows]
        for axis, (length, block) in enumerate(zip(inner, scaled.block[1:], strict=True), start=1):
            if 1 < block < length:
                spread = spread.repeat_interleave(block, axis).narrow(axis, 0, length)
        values = _fp4(codes[rows]) if scaled.four_bits else codes[rows].double()
        torch.mul(values, spread, out=weight[rows])
    return weight


def _factors(scales: torch.Tensor, scaled: Scaled) -> torch.Tensor:
    """The scales in float64, with as many axes as the weight.

    Bytes are E8M0 of the OCP specification of microscaling formats: exponents of two, 127 for 1 and 255 for no number.
    """
    numbers = scales.double()
    if scales.dtype == torch.uint8:
        numbers = (numbers - 127).exp2().masked_fill(scales == _NO_NUMBER, torch.nan)
    if numbers.ndim != len(scaled.shape):
        numbers = numbers.reshape(-1, *(1 for _ in scaled.shape[1:]))
    return numbers / scaled.divisor


def _fp4(codes: torch.Tensor) -> torch.Tensor:
    """Two entries a byte, the lower four bits first; the last two axes, blocks and bytes, become one."""
    values = torch.tensor(_FP4, dtype=torch.float64)
    pairs = torch.stack((values[(codes & 15).long()], values[(codes >> 4).long()]), dim=-1)
    return pairs.flatten(-3)


def _reserve(file: IO[bytes], size: int) -> None:
    """Take room on the disk: one that is full says so now, and not as a signal when a page is written."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, _CHUNK_BYTES):  # macOS: only what is written is there
        file.write(bytes(min(_CHUNK_BYTES, size - start)))
    file.flush()


def _room(shape: tuple[int, ...]) -> torch.Tensor:
    size = 8 * prod(shape)
    if size <= IN_MEMORY_BYTES:
        return torch.empty(shape, dtype=torch.float64)
    with tempfile.TemporaryFile() as file:
        _reserve(file, size)
        pages = mmap.mmap(file.fileno(), size)
    return torch.frombuffer(pages, dtype=torch.float64).view(shape)
