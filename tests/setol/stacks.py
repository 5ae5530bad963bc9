"""Stacks of matrices for the tests of what acts on weights: drawn ones, wrong ones, unusable ones."""

import pytest
import torch

_GPU = (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"))

DEVICES = ["cpu", pytest.param("cuda", marks=_GPU)]

NARROW = [torch.float32, torch.bfloat16, torch.float16, torch.float8_e4m3fn]

WRONG_STACKS = [
    pytest.param(torch.ones(3), r"stack of shape.*got shape \(3,\).*W\[None\]", id="vector"),
    pytest.param(torch.ones(3, 4), r"stack of shape.*got shape \(3, 4\).*W\[None\]", id="matrix"),
    pytest.param(torch.ones(2, 3, 4, 5), r"stack of shape.*got shape \(2, 3, 4, 5\)", id="kernel"),
    pytest.param(torch.ones(0, 3, 4), r"none of them 0.*got shape \(0, 3, 4\)", id="no-slices"),
    pytest.param(torch.ones(2, 0, 4), r"none of them 0.*got shape \(2, 0, 4\)", id="no-rows"),
    pytest.param(torch.ones(2, 3, 0), r"none of them 0.*got shape \(2, 3, 0\)", id="no-columns"),
    pytest.param(torch.ones(2, 3, 4, dtype=torch.int64), r"real floating dtype; got torch\.int64", id="integer"),
    pytest.param(torch.ones(2, 3, 4, dtype=torch.bool), r"real floating dtype; got torch\.bool", id="boolean"),
    pytest.param(torch.ones(2, 3, 4, dtype=torch.cfloat), r"real floating dtype; got torch\.complex64", id="complex"),
]

BAD_ENTRIES = [float("nan"), float("inf"), float("-inf"), 1e160]
"""No spectrum comes of a matrix that holds one of these; the square of the last leaves float64."""


def gaussian(shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def heavy_tailed(shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Gaussian matrices with the singular values j^-0.8, j = 1, 2, ...: a power law tail, well separated."""
    U, s, Vh = torch.linalg.svd(gaussian(shape, seed), full_matrices=False)
    s = torch.arange(1, s.shape[1] + 1, dtype=torch.float64).pow(-0.8)
    return (U * s @ Vh).to(dtype)


def spoiled(shape: tuple[int, ...], value: float) -> torch.Tensor:
    """A Gaussian stack whose very last entry is something else."""
    matrices = gaussian(shape, seed=99)
    matrices[-1, -1, -1] = value
    return matrices


def singular_values_squared(matrices: torch.Tensor) -> torch.Tensor:
    """By SVD in float64, ascending: right to its own rounding."""
    return torch.linalg.svdvals(matrices.to(torch.float64)).square().flip(-1)
