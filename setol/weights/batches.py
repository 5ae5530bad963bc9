"""Stacks of one shape decomposed together: fewer, larger calls for models of many small layers."""

from collections.abc import Callable, Sequence

import torch

from setol.errors import SetolError
from setol.reasons import Reason
from setol.weights.decomposition import Decomposition, apart, decompose
from setol.weights.stack import check_stack

Decompose = Callable[..., Decomposition | Reason]
"""A function of a stack of matrices and, by name, the device: `decompose` or `decompose_float32`."""

BATCH_BYTES = 2**22
"""Default budget of a batch. On one core only small matrices gain (half the time at 16 columns, a third to a sixth
at 64, nothing from 300 on): those share batches under it, the others stand alone."""


def group_by_shape(stacks: Sequence[torch.Tensor], budget_bytes: int = BATCH_BYTES) -> list[list[int]]:
    """Put stacks of one shape of matrix, dtype and device into batches that keep to a budget.

    A slice counts with its copy in the batch and two M x M float64 matrices (the Gram matrix and the work copy of
    the solver). A stack that exceeds the budget alone is a batch of its own; none is split.

    Args:
        stacks: Shapes (slices, rows, columns); the number of slices may differ, contents do not matter.
        budget_bytes: Most bytes of a batch of several, above 0.

    Returns:
        Indices into the stacks, each once: ascending in a batch, batches in order of their first.

    Raises:
        SetolError: One is no stack of real matrices, or the budget is not above 0.
    """
    if budget_bytes <= 0:
        raise SetolError(f"need a budget above 0 bytes for a batch; got {budget_bytes}.")
    batches: list[list[int]] = []
    open_batches: dict[tuple[torch.Size, torch.dtype, torch.device], tuple[list[int], int]] = {}
    for index, stack in enumerate(stacks):
        check_stack(stack, f"stack {index}")
        key = (stack.shape[1:], stack.dtype, stack.device)
        needed = len(stack) * (stack[0].numel() * stack.element_size() + 16 * min(stack.shape[1:]) ** 2)
        batch, used = open_batches.get(key, ([], budget_bytes))
        if used + needed > budget_bytes:
            batch, used = [], 0
            batches.append(batch)
        batch.append(index)
        open_batches[key] = (batch, used + needed)
    return batches


def decompose_batched(
    stacks: Sequence[torch.Tensor],
    *,
    device: torch.device | str = "cpu",
    budget_bytes: int = BATCH_BYTES,
    compute: Decompose = decompose,
) -> list[Decomposition | Reason]:
    """What `decompose` gives for each stack, those of one shape together.

    Eigenvalues agree with those of the stacks alone to what is resolved, max(N, M) 2^-52 lambda_max in float64; sums
    over entries to the rounding of their order. Entries that are not finite in one stack cost the others of its batch
    only time.

    Memory: a copy of one batch and its Gram matrices, within the budget, beside what `decompose` takes.

    Args:
        stacks: Shapes (slices, rows, columns), any real floating dtype.
        device: Where the products and the eigenvalues are computed.
        budget_bytes: Most bytes of a batch of several, above 0.
        compute: What each batch is decomposed by.

    Returns:
        A decomposition, raw scale, or `Reason.NON_FINITE`, for each stack in the order given.

    Raises:
        SetolError: One is no stack of real matrices, or the budget is not above 0.
    """
    results: dict[int, Decomposition | Reason] = {}
    for batch in group_by_shape(stacks, budget_bytes):
        together = _decompose_together([stacks[index] for index in batch], device, compute)
        results.update(zip(batch, together, strict=True))
    return [results[index] for index in range(len(stacks))]


def _decompose_together(
    stacks: list[torch.Tensor], device: torch.device | str, compute: Decompose
) -> list[Decomposition | Reason]:
    whole = compute(stacks[0] if len(stacks) == 1 else torch.cat(stacks), device=device)
    return apart(whole, stacks, lambda stack: compute(stack, device=device))
