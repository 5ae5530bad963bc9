"""Gram matrices X = W^T W, one triangle of them, added up over row chunks."""

from collections.abc import Callable, Iterator

import torch

from setol.weights.entries import CACHED_ENTRIES

CHUNK_BYTES = 2**20
"""Size of a float64 row chunk: stays in cache for all that is computed on it, and is small beside any layer."""

ROWS = 256
"""Fewest rows of a chunk: each one reads and writes the whole Gram matrix, which from 1,024 columns on is what fewer
rows take their time with (2,048 and 4,096 columns: 0.65 of the time at 64 and 32 rows)."""

LARGEST_CHUNK_BYTES = 2**26
"""Where that many rows would be more, there are fewer."""

GPU_CHUNK_BYTES = 2**27
"""Size of one on a GPU, whose calls take long to start: 2,048 rows at 8,192 columns."""


class GramAccumulator:
    """Adds up the lower triangle of W^T W for a stack of matrices, then solves for its eigenvalues.

    The symmetric solver reads one triangle only, so the products above the diagonal blocks are never computed: of 8
    blocks, 9/16 of the full product remain.
    """

    def __init__(self) -> None:
        self._gram: torch.Tensor | None = None

    def add(self, rows: torch.Tensor) -> None:
        """Take in a chunk of shape (slices, rows, columns), whose dtype and device the sum has."""
        n_slices, _, n_cols = rows.shape
        width = _block_width(n_cols, rows.device)
        first = self._gram is None
        if self._gram is None:
            if width >= n_cols:
                self._gram = rows.mT @ rows
                return
            # On a CPU nothing reads the other triangle, and zeros take a tenth of the time of small matrices.
            fill = rows.new_empty if rows.device.type == "cpu" else rows.new_zeros
            self._gram = fill((n_slices, n_cols, n_cols))
        for start in range(0, n_cols, width):
            stop = min(start + width, n_cols)
            block = self._gram[:, start:stop, :stop]
            block.baddbmm_(rows[:, :, start:stop].mT, rows[:, :, :stop], beta=0 if first else 1)

    def eigenvalues(self) -> torch.Tensor:
        """Eigenvalues of each X, shape (slices, columns), ascending, raw scale, on the CPU.

        The transpose is the column order that LAPACK works in, where the lower triangle is the upper one:
        no copy, and reducing from above takes 0.88 of the time from below (768 columns, MKL, one thread).
        """
        assert self._gram is not None, "a chunk has been added"
        return torch.linalg.eigvalsh(self._gram.mT, UPLO="U").cpu()


def float64_row_chunks(
    matrices: torch.Tensor, device: torch.device | str, visit: Callable[[torch.Tensor], None] | None = None
) -> Iterator[torch.Tensor]:
    """Yield all rows of a stack of matrices in order, in float64 chunks, each of which the next may overwrite.

    Args:
        matrices: Shape (slices, rows, columns), any real dtype and strides.
        device: Where the chunks are put.
        visit: Is given all entries of a chunk before it is yielded, in pieces of shape (slices, rows, columns) or
            (slices, columns, rows), as they lie in memory: each as soon as it is widened, while the cache holds it.

    Yields:
        Chunks of shape (slices, some rows, columns), contiguous by rows or, where the matrices lie so in memory,
        by columns: a copy that turns them over takes as long as the Gram product.
    """
    matrices = matrices.detach()  # a parameter's too: chunks are written over
    n_slices, n_rows, n_cols = matrices.shape
    row_bytes = 8 * n_slices * n_cols
    on_cpu = torch.device(device).type == "cpu"
    chunk_bytes = max(CHUNK_BYTES, min(ROWS * row_bytes, LARGEST_CHUNK_BYTES)) if on_cpu else GPU_CHUNK_BYTES
    step = max(1, chunk_bytes // row_bytes)
    by_columns = lies_by_columns(matrices)
    chunk: torch.Tensor | None = None
    for start in range(0, n_rows, step):
        part = matrices[:, start : start + step].to(device)  # what travels is as narrow as the weights are
        part = part.mT if by_columns else part
        if chunk is None or chunk.shape != part.shape:
            chunk = torch.empty(part.shape, dtype=torch.float64, device=part.device)
        _widen(part, chunk, visit)
        yield chunk.mT if by_columns else chunk


def lies_by_columns(matrices: torch.Tensor) -> bool:
    """Whether the entries of a column lie next to each other in memory, and those of a row do not."""
    return matrices.stride(1) == 1 and matrices.stride(2) > 1


def _widen(part: torch.Tensor, wide: torch.Tensor, visit: Callable[[torch.Tensor], None] | None) -> None:
    """Copy a part of the matrices into float64, on a CPU piece by piece where somebody looks at them."""
    if visit is None:
        wide.copy_(part)
    elif part.numel() <= CACHED_ENTRIES or part.device.type != "cpu":
        visit(wide.copy_(part))
    else:
        step = max(1, CACHED_ENTRIES * part.shape[1] // part.numel())
        for wide_piece, piece in zip(wide.split(step, dim=1), part.split(step, dim=1), strict=True):
            visit(wide_piece.copy_(piece))


def _block_width(n_cols: int, device: torch.device) -> int:
    """Rows of the Gram matrix that are computed at once, up to the diagonal; all of them where it is small.

    On a CPU a multiple of 64 as wide as the product still fills it. Time over that of the full product, one thread:
    0.85 at 192 columns, 0.64 at 384, 0.70 at 768, 0.63 at 1,536, 0.67 at 2,048, 0.62 at 4,096.
    """
    if device.type != "cpu":
        return n_cols if n_cols < 256 else -(-n_cols // 4)
    if n_cols < 160:
        return n_cols
    return 64 if n_cols < 512 else 128 if n_cols < 1536 else 256
