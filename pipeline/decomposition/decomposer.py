"""How the matrices of one weight file are decomposed: in which precision, how many at once, and where memory ends."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch

from setol.reasons import Reason
from setol.weights.batches import decompose_batched
from setol.weights.decomposition import Decomposition, decompose, decompose_each
from setol.weights.precision import decompose_float32, float32_deviation, float32_resolution

GPU_BATCH_BYTES = 2**28
"""Most bytes of a batch on a GPU: hundreds of small matrices, while one of 4,096 columns stands alone.

A number that does not hang on what is free as long as that is plenty: the same device makes the same batches, and
so the same bits.
"""

CPU_WINDOW_BYTES = 2**25
"""Float64 bytes of matrices had at once on a CPU: their products, eigenvalues and rows are then made in one go each.

Eight square matrices of 768 columns take 0.98 of the time that two at once take.
"""

T = TypeVar("T")


class CoarseFloat32(Exception):
    """Eigenvalues found in float32 are further from those in float64 than float32 resolves."""


class Decomposer:
    """Decomposes the matrices of one file and remembers what the log should say.

    Small matrices of one shape share calls: on a GPU all that fit a batch, on a CPU those that a core's cache holds
    together. Where the GPU's memory ends, batches are halved, and a matrix that does not fit alone is decomposed on
    the CPU.

    Attributes:
        device: torch device.
        precision: `float64`, or `float32` with a check: the first matrix of every shape is decomposed in float64 too.
        deviation: Largest error of an eigenvalue that the check found, as a share of the largest; None before.
        window_bytes: Float64 bytes of matrices worth having at once.
    """

    def __init__(self, device: str, precision: str) -> None:
        self.device = device
        self.precision = precision
        self.deviation: float | None = None
        self._batch_bytes = batch_bytes(device)
        self.window_bytes = CPU_WINDOW_BYTES if self._batch_bytes is None else 2 * self._batch_bytes  # of float32
        self._checked: set[torch.Size] = set()
        self._halved = 0
        self._on_cpu = 0

    def decompose(self, matrices: Sequence[torch.Tensor | Reason]) -> list[Decomposition | Reason]:
        """Decompose stacks of matrices; a reason stays what it is.

        Args:
            matrices: Shapes (slices, rows, columns), finite or not.

        Returns:
            Decompositions in raw scale, or why there is none, in the order given.

        Raises:
            CoarseFloat32: The check found more than float32 explains.
        """
        stacks = [stack for stack in matrices if not isinstance(stack, Reason)]
        found = self._together(stacks)
        if self.precision == "float32":
            for stack, outcome in zip(stacks, found, strict=True):
                self._check(stack, outcome)
        following = iter(found)
        return [stack if isinstance(stack, Reason) else next(following) for stack in matrices]

    def on_device(self, compute: Callable[[str], T]) -> T:
        """Compute something on the device, or on the CPU where the device has not the memory for it."""
        try:
            return compute(self.device)
        except RuntimeError as error:
            if self.device == "cpu" or not _out_of_memory(error):
                raise
        torch.cuda.empty_cache()
        self._on_cpu += 1
        return compute("cpu")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What did not go as asked."""
        if not self._halved and not self._on_cpu:
            return ()
        return (f"out of memory on {self.device}: batches halved {self._halved} times, {self._on_cpu} on the CPU",)

    def _together(self, stacks: Sequence[torch.Tensor]) -> list[Decomposition | Reason]:
        compute = decompose_float32 if self.precision == "float32" else decompose
        if not stacks:
            return []
        if len(stacks) == 1:
            return [self.on_device(lambda device: compute(stacks[0], device=device))]
        if self._batch_bytes is None:
            if self.precision == "float32":
                return [compute(stack, device=self.device) for stack in stacks]
            return decompose_each(stacks, device=self.device)
        try:
            return decompose_batched(stacks, device=self.device, budget_bytes=self._batch_bytes, compute=compute)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
        torch.cuda.empty_cache()
        self._halved += 1
        middle = len(stacks) // 2
        return self._together(stacks[:middle]) + self._together(stacks[middle:])

    def _check(self, stack: torch.Tensor, outcome: Decomposition | Reason) -> None:
        if stack.shape[1:] in self._checked or isinstance(outcome, Reason):
            return
        first = outcome.part(slice(1))
        deviation = self.on_device(lambda device: float32_deviation(stack[:1], first, device=device))
        if isinstance(deviation, Reason):
            return  # a matrix of zeros tells nothing; the next of its shape may
        self._checked.add(stack.shape[1:])
        self.deviation = max(self.deviation or 0.0, deviation)
        resolved = float(float32_resolution(np.array(1.0), outcome.n_rows, outcome.n_cols))
        if not deviation <= resolved:
            raise CoarseFloat32(
                f"float32 was off by {deviation:.1e} of the largest eigenvalue in a matrix of {outcome.n_rows} x "
                f"{outcome.n_cols}, where it should resolve {resolved:.1e}: the file was done in float64"
            )


def batch_bytes(device: str) -> int | None:
    """Bytes of a batch on a GPU, a quarter of what is free; None on a CPU, where caches say what goes together."""
    if torch.device(device).type == "cpu":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(1, min(GPU_BATCH_BYTES, (free + unused) // 4))


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether torch, CUDA, or one of its libraries had not the memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        told in str(error) for told in ("out of memory", "ALLOC_FAILED")
    )
