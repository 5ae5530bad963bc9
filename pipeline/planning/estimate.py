"""What a weight file will cost, from the shapes of its tensors alone. Pure arithmetic.

Two numbers bound the work: the Gram products and the symmetric eigenvalues. The rates below turn them into
seconds of one thread; they were measured on one core of an Intel Xeon with AVX-512 (torch 2.13, MKL), over
matrices of 16 to 2048 columns. Expect a factor of two either way on another machine, and more on a GPU.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt

import pyarrow as pa

from checkpoints.parts import Part, TensorLayout, squeezed
from pipeline.decomposition.decomposer import CPU_WINDOW_BYTES

GRAM_FLOPS = 45e9
"""Needed operations of the Gram product per second (two for each multiply-add of one triangle)."""

EIGEN_FLOPS = 15e9
"""Operations of the eigenvalues per second, at 4/3 M^3 for a matrix."""

ENTRIES = 250e6
"""Entries read, widened and counted per second."""

SECONDS_PER_SQUARE = 1.5e-8
"""Further seconds of the eigenvalues per M^2: memory traffic, which small matrices mostly consist of."""

SECONDS_PER_MATRIX = 2e-3
"""Seconds spent on each spectrum whatever its size: calls, the scan of the tail, a row in each file."""

PROCESS_MEMORY = 300_000_000
"""Anonymous bytes of a worker process before it reads a weight: the interpreter, torch, Arrow, and Ray's own."""

STORED_BYTES_PER_EIGENVALUE = 6.4
STORED_BYTES_PER_FILE = 30_000
"""Bytes that results take: eigenvalues, compressed, and what the two Parquet files of a unit and its row of the log
hold beside them."""

LARGEST_SHORT_SIDE = 18_432
"""Shorter side of a matrix, beyond which a bound from a file's size alone does not go: the widest published models'."""

_TYPICAL_SIZE = 500_000_000
_TYPICAL_MATRICES = 32
_CHUNK_BYTES = 3 * 4 * 2**20
"""Row chunks that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class MatrixWork:
    """A stack of equally shaped matrices, and what its spectrum costs.

    Attributes:
        name: Layer and part.
        kind: What the layer does with it.
        n_slices: Matrices in the stack.
        n_rows: N, the longer side.
        n_cols: M, the shorter side.
    """

    name: str
    kind: str
    n_slices: int
    n_rows: int
    n_cols: int

    @property
    def gram_flops(self) -> int:
        """Operations of the Gram product: N M^2 multiply-adds a matrix, of which one triangle, half, is needed."""
        return self.n_slices * self.n_rows * self.n_cols**2

    @property
    def eigen_flops(self) -> int:
        """Operations of the eigenvalues: 4/3 M^3 a matrix."""
        return self.n_slices * (4 * self.n_cols**3 // 3)

    @property
    def memory(self) -> int:
        """Bytes held at the peak: the float64 Gram matrices, a work copy, and row chunks. The weights are mapped."""
        return 2 * self.gram_bytes + _CHUNK_BYTES

    @property
    def gram_bytes(self) -> int:
        """Bytes of the float64 Gram matrices."""
        return 8 * self.n_slices * self.n_cols**2

    @property
    def shares_window(self) -> bool:
        """Whether its Gram matrices are still held while those of later stacks are made."""
        return 8 * self.n_slices * self.n_rows * self.n_cols < CPU_WINDOW_BYTES

    @property
    def seconds(self) -> float:
        """Seconds of one thread."""
        entries = self.n_slices * self.n_rows * self.n_cols / ENTRIES
        eigenvalues = self.eigen_flops / EIGEN_FLOPS + SECONDS_PER_SQUARE * self.n_slices * self.n_cols**2
        return SECONDS_PER_MATRIX + entries + self.gram_flops / GRAM_FLOPS + eigenvalues


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a weight file holds and costs.

    Attributes:
        n_tensors: Tensors in it.
        n_params: Their entries.
        matrices: Stacks of matrices by kind.
        skipped: Tensors without a matrix by reason.
        gram_flops: Operations of all Gram products.
        eigen_flops: Operations of all eigenvalues.
        largest: The stack that takes most memory, None where there is no matrix.
        seconds: Seconds of one thread, without fetching. Tied tensors, which only their values show, are counted, but
            not where the spectra are there.
        n_evals: Eigenvalues that there will be.
        gram_bytes_beside: Bytes of the float64 Gram matrices of all other stacks that may be held beside it.
    """

    n_tensors: int
    n_params: int
    matrices: Mapping[str, int]
    skipped: Mapping[str, int]
    gram_flops: int
    eigen_flops: int
    largest: MatrixWork | None
    seconds: float
    n_evals: int = 0
    gram_bytes_beside: int = 0

    @property
    def memory(self) -> int:
        """Anonymous bytes of the process at the peak, itself included. Weights are mapped, and not in it."""
        largest = self.largest.memory if self.largest else 0
        return PROCESS_MEMORY + largest + min(CPU_WINDOW_BYTES, self.gram_bytes_beside)

    @property
    def stored_bytes(self) -> int:
        """Bytes that its results take."""
        return round(STORED_BYTES_PER_FILE + STORED_BYTES_PER_EIGENVALUE * self.n_evals)


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What a scheduler asks about a unit.

    Attributes:
        seconds: Of one thread of a CPU, without fetching.
        memory: Anonymous bytes of the process at the peak, itself included.
        exact: Whether the shapes of its tensors were known, and not the file's size alone.
    """

    seconds: float
    memory: int
    exact: bool


def cost_of(found: Estimate) -> UnitCost:
    """The cost of a unit whose tensors are known: seconds to a factor of two, memory to a tenth."""
    return UnitCost(found.seconds, found.memory, exact=True)


def cost_by_size(size: int | None) -> UnitCost:
    """The cost of a unit of which no more than the size is known.

    Memory is a bound: that of a single square matrix of 16-bit entries that fills the file, or of one with
    `LARGEST_SHORT_SIDE` columns. Seconds are what is typical, not a bound: those of 32 equal square matrices of
    32-bit entries.

    Args:
        size: Bytes of the file; None where nobody says, and then those of a middling model are taken.
    """
    size = _TYPICAL_SIZE if size is None else size
    widest = min(isqrt(size // 2), LARGEST_SHORT_SIDE)
    typical = isqrt(size // 4 // _TYPICAL_MATRICES)
    bound = MatrixWork("", "linear", 1, widest, widest)
    return UnitCost(
        _TYPICAL_MATRICES * MatrixWork("", "linear", 1, typical, typical).seconds,
        PROCESS_MEMORY + bound.memory,
        exact=False,
    )


def matrix_work(layout: TensorLayout, part: Part) -> MatrixWork:
    """The stack of matrices in one part of a tensor, as `checkpoints.matrices.matrix_stack` will cut it."""
    if layout.right is not None:  # a product of two factors costs about as much as the first
        n_rows, rank = layout.header.shape[:2]
        return MatrixWork(layout.layer, part.kind.value, 1, max(n_rows, rank), min(n_rows, rank))
    lengths = list(squeezed(layout.shape))
    for cut in part.cuts:
        repeats = lengths[cut.axis] // cut.period if cut.period else 1
        lengths[cut.axis] = repeats * (cut.stop - cut.start)
    rows, cols = (lengths[axis] for axis in part.matrix_axes)
    taps = 1
    for axis, length in enumerate(lengths):
        if axis not in part.matrix_axes:
            taps *= length
    name = layout.layer + (f".{part.part}" if part.part else "")
    return MatrixWork(name, part.kind.value, taps, max(rows, cols), min(rows, cols))


def estimate(layouts: Sequence[TensorLayout]) -> Estimate:
    """Add up a weight file.

    Args:
        layouts: One for every tensor of it.
    """
    works = [matrix_work(layout, part) for layout in layouts for part in layout.parts]
    largest = _largest(works)
    return Estimate(
        n_tensors=len(layouts),
        n_params=sum(layout.header.n_params for layout in layouts),
        matrices=dict(Counter(work.kind for work in works)),
        skipped=dict(Counter(layout.reason.value for layout in layouts if layout.reason)),
        gram_flops=sum(work.gram_flops for work in works),
        eigen_flops=sum(work.eigen_flops for work in works),
        largest=largest,
        seconds=sum(work.seconds for work in works),
        n_evals=sum(work.n_slices * work.n_cols for work in works),
        gram_bytes_beside=sum(work.gram_bytes for work in works if work is not largest and work.shares_window),
    )


def _largest(works: Sequence[MatrixWork]) -> MatrixWork | None:
    return max(works, key=lambda work: (work.memory, work.gram_flops), default=None)


REFIT_COLUMNS = ("tensor", "layer", "part", "kind", "role", "reason", "n_params", "n_slices", "n_rows", "n_cols")
"""Columns of stored spectra that an estimate needs."""


def estimate_refit(spectra: pa.Table) -> Estimate:
    """What there is to do where only metrics are missing: no products, no eigenvalues, a scan of each spectrum.

    Args:
        spectra: `REFIT_COLUMNS` of a file of stored spectra.
    """
    rows = spectra.to_pylist()
    works = [
        MatrixWork(
            row["layer"] + (f".{row['part']}" if row["part"] else ""),
            row["kind"],
            row["n_slices"],
            row["n_rows"],
            row["n_cols"],
        )
        for row in rows
        if row["role"] == "analyzed"
    ]
    return Estimate(
        n_tensors=len({row["tensor"] for row in rows}),
        n_params=sum(row["n_params"] for row in rows),
        matrices=dict(Counter(work.kind for work in works)),
        skipped=dict(Counter(row["reason"] for row in rows if row["role"] == "skipped")),
        gram_flops=0,
        eigen_flops=0,
        largest=_largest(works),
        seconds=SECONDS_PER_MATRIX * len(works),
    )
