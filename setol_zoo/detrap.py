"""Removal of correlation traps: a model without the eigenvalues that stay when entries are permuted."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from setol_zoo.edit import Edited, open_for_edit, write_edited
from setol_zoo.opened_model import AnyModel, device_for

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from checkpoints.parts import Part, TensorLayout
    from setol.reasons import Reason
    from setol.weights.entries import EntryStatistics

REMOVE = ("both", "mean", "components")


@dataclass(frozen=True, slots=True)
class Detrapped:
    """What was taken from one matrix, or from the taps of one kernel.

    Attributes:
        tensor: Name of the tensor.
        layer: Its layer.
        part: Which piece of a fused tensor.
        kind: What the layer does with it.
        n_slices: Taps; a matrix is one.
        trap_theta: Strongest mean of a tap before: above 1 it makes a trap. None where all entries are equal.
        n_means: Taps from which the mean was removed.
        n_components: Components that were removed from the permuted taps.
        removed_share: Share of the squared Frobenius norm that is gone.
        reason: Why the matrix was not looked at.
    """

    tensor: str
    layer: str
    part: str | None
    kind: str
    n_slices: int = 0
    trap_theta: float | None = None
    n_means: int = 0
    n_components: int = 0
    removed_share: float = 0.0
    reason: str | None = None


def detrap(
    model: AnyModel,
    out: str | Path,
    *,
    remove: str = "both",
    seed: int = 0,
    tracy_widom_level: float = 0.99,
    device: str | None = None,
    force: bool = False,
) -> Edited:
    """Write a model without correlation traps.

    First the mean of the entries, in those matrices alone where it makes a trap (|m|/s > Q^(-1/4)/sqrt(M)); then, of
    the permuted entries, the components beyond the Tracy-Widom edge of noise, until none is beyond the edge of the
    variance that what is left has in the directions left. That holds of the permutation of that seed, up to rounding
    to the number format; others, and a count against the variance over all entries, which is lower by the directions
    removed, may show one near the edge. Matrices without traps and all
    other tensors are copied, numbers and formats as they are. Memory: six copies of the largest tensor, 8 bytes an
    entry of it, and four M x M float64 matrices for each of its taps.

    Args:
        model: A torch module, a state dict, a path, or a name that `setol analyze` takes.
        out: The file to write, `.safetensors`.
        remove: `both`, or only one of `mean` and `components`.
        seed: Where permutations come from.
        tracy_widom_level: Probability with which independent Gaussian entries lose nothing, all taps together.
        device: torch device of the decompositions. By default where the weights are, or, for files, the GPU if
            there is one.
        force: Whether a file that is there may be replaced.

    Returns:
        What was removed: a `Detrapped` a matrix.

    Raises:
        CatalogError: No model has that name.
        CheckpointError: The weights cannot be had, read, or written where they should be.
        OptionError: An option is unknown or out of range, or this machine has no such device.
        TypeError: The model is of a kind that cannot be read.
    """
    from catalogs import unknown_name
    from pipeline.errors import OptionError

    if remove not in REMOVE:
        raise OptionError(unknown_name("removal", remove, REMOVE))
    if not 0 < tracy_widom_level < 1:
        raise OptionError(f"tracy_widom_level must be between 0 and 1, such as 0.99, got {tracy_widom_level}.")
    if seed < 0:
        raise OptionError(f"seed must be at least 0, got {seed}.")
    opened = open_for_edit(model, Path(out), force=force)
    edit = _Removal(remove, seed, tracy_widom_level, device_for(opened, device))
    return write_edited(opened, edit, Path(out), force=force)


@dataclass(frozen=True, slots=True)
class _Removal:
    """What is removed, and how."""

    remove: str
    seed: int
    level: float
    device: str

    def change(
        self, stack: "torch.Tensor", layout: "TensorLayout", part: "Part", index: int
    ) -> "tuple[torch.Tensor, list[Detrapped]]":
        import numpy as np

        from setol.random_matrix.edge import noise_edge
        from setol.reasons import Reason
        from setol.weights.trap_removal import remove_mean, remove_traps

        here = stack.to(self.device)
        entries = _entry_statistics(here)
        if not entries.finite:
            return stack, [self.left(layout, part, Reason.NON_FINITE)]
        result, n_means, n_components, removed = here, 0, 0, 0.0
        n_rows, n_cols = stack.shape[1:]
        thetas = _trap_thetas(entries, n_rows, n_cols)
        trapped = np.flatnonzero(thetas > 1)
        if self.remove != "components" and len(trapped):
            centred = remove_mean(here[trapped])
            assert not isinstance(centred, Reason), "the entries are finite"
            result = here.clone()
            result[trapped] = centred.matrices
            n_means, removed = len(trapped), float(centred.removed_sq.sum())
        if self.remove != "mean":
            rng = np.random.default_rng((self.seed, crc32(layout.header.name.encode()), index))
            threshold = noise_edge(n_rows, n_cols, 1.0).threshold(self.level, n_slices=len(stack))
            told_from_zero = n_rows * 2.0**-52 * entries.frobenius_sq  # of what there was before the mean was taken
            without = remove_traps(result, told_from_zero, rng, edge_per_variance=threshold * n_rows)
            assert not isinstance(without, Reason), "the entries are finite"
            n_components = int(without.n_removed.sum())
            if n_components:
                result, removed = without.matrices, removed + float(without.removed_sq.sum())
        row = Detrapped(
            *(layout.header.name, layout.layer, part.part, part.kind.value, len(stack)),
            trap_theta=float(thetas.max()) if np.isfinite(thetas).all() else None,
            n_means=n_means,
            n_components=n_components,
            removed_share=removed / max(float(entries.frobenius_sq.sum()), 5e-324),
        )
        return (stack if result is here else result.to(stack.device)), [row]

    def left(self, layout: "TensorLayout", part: "Part", reason: "Reason") -> Detrapped:
        return Detrapped(layout.header.name, layout.layer, part.part, part.kind.value, reason=reason.value)


def _entry_statistics(stack: "torch.Tensor") -> "EntryStatistics":
    from setol.weights.entries import entry_statistics
    from setol.weights.gram import float64_row_chunks

    return entry_statistics(float64_row_chunks(stack, stack.device))


def _trap_thetas(entries: "EntryStatistics", n_rows: int, n_cols: int) -> "NDArray[np.float64]":
    """How strong the mean of each matrix is, 1 where a trap begins; 0 for zeros, infinite for equal entries."""
    import numpy as np

    from setol.random_matrix.traps import mean_trap
    from setol.reasons import Reason

    found = [
        mean_trap(float(mean), float(variance) ** 0.5, n_rows, n_cols)
        for mean, variance in zip(entries.mean, entries.variance, strict=True)
    ]
    return np.array([0.0 if isinstance(trap, Reason) else trap.trap_theta for trap in found])
