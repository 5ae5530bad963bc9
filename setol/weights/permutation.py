"""Weights with their entries in random order: what a spectrum would be without correlations.

A permutation keeps every entry and destroys every correlation, so the spectrum of the permuted matrix is what
the distribution of the entries alone gives: Marchenko-Pastur where their variance rules, with eigenvalues beyond
its edge where the mean or a few huge entries do (the correlation traps of SETOL, arXiv 2507.17912, section 6).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from setol.errors import SetolError
from setol.reasons import Reason
from setol.weights.decomposition import decompose
from setol.weights.stack import check_stack


def permutation_indices(matrices: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """One random order of the entries for each matrix, shape (slices, rows * columns), on the matrices' device.

    Drawn on the CPU, so that a seed means the same on every device. Memory: 8 bytes an entry.

    Args:
        matrices: Shape (slices, rows, columns); only shape and device matter.
        rng: Where the orders come from.
    """
    n_slices, n_entries = matrices.shape[0], matrices.shape[1] * matrices.shape[2]
    orders = np.arange(n_slices * n_entries).reshape(n_slices, n_entries)
    orders -= n_entries * np.arange(n_slices)[:, None]  # in place: 0, 1, 2, ... in every row
    for order in orders:
        rng.shuffle(order)
    return torch.from_numpy(orders).to(matrices.device)


def in_order(matrices: torch.Tensor, orders: torch.Tensor) -> torch.Tensor:
    """Entry i of each result is entry `orders[slice, i]` of its matrix, counted row by row."""
    slices = torch.arange(len(orders), device=orders.device)[:, None]
    return matrices.flatten(1)[slices, orders].view(matrices.shape)


def back_in_place(permuted: torch.Tensor, orders: torch.Tensor) -> torch.Tensor:
    """Undo `in_order`."""
    slices = torch.arange(len(orders), device=orders.device)[:, None]
    restored = torch.empty(orders.shape, dtype=permuted.dtype, device=permuted.device)
    restored[slices, orders] = permuted.flatten(1)  # indexing, as gather and scatter know no float8
    return restored.view(permuted.shape)


def permute_entries(matrices: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Put the entries of each matrix in random order, slice by slice.

    Memory: the result, and 8 bytes an entry for the order.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype, NaN and infinity included.
        rng: Where the orders come from: the same generator state gives the same result on every device.

    Returns:
        Shape, dtype and device of the matrices.

    Raises:
        SetolError: No stack of real matrices.
    """
    check_stack(matrices)
    return in_order(matrices, permutation_indices(matrices, rng))


def permuted_spectra(matrices: torch.Tensor, n_replicas: int, rng: np.random.Generator) -> NDArray[np.float64] | Reason:
    """Squared singular values of independent permutations of each matrix.

    Memory: one permuted copy in the dtype given, 8 bytes an entry for the order, and what `decompose` takes.

    Args:
        matrices: Shape (slices, rows, columns), any real floating dtype; computed where they are, in float64.
        n_replicas: How many permutations to draw, at least 1.
        rng: Where they come from.

    Returns:
        Shape (replicas, slices, M), M the shorter of rows and columns, ascending along M, raw scale; or
        `Reason.NON_FINITE` where entries are NaN, infinite, or too large to square.

    Raises:
        SetolError: No stack of real matrices, or no replica asked for.
    """
    check_stack(matrices)
    if n_replicas < 1:
        raise SetolError(f"need at least 1 replica of a permuted spectrum; got {n_replicas}.")
    spectra = []
    for _ in range(n_replicas):
        replica = decompose(permute_entries(matrices, rng), device=matrices.device)
        if isinstance(replica, Reason):
            return replica
        spectra.append(replica.evals)
    return np.stack(spectra)
