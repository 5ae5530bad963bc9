"""What a unit costs, as far as that is known without asking anybody: by its header, else by its size."""

from pathlib import Path

from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.header_cache import cached_headers
from checkpoints.layout import lay_out
from checkpoints.open import open_checkpoint
from checkpoints.remote_header import local_copy
from checkpoints.tensors import TensorHeader
from pipeline.planning.estimate import UnitCost, cost_by_size, cost_of, estimate


def unit_cost(file: WeightFile, cache: Path) -> UnitCost:
    """The seconds and the memory of a unit, at next to no cost: no server is asked, and no architecture built.

    Matrices are told by names and shapes: a fused tensor, which a run may split, counts as the larger matrix.

    Args:
        file: An identified weight file; one that cannot be read is taken by its size.
        cache: Cache directory, where `setol plan` keeps the headers that it has read.
    """
    headers = _headers_here(file, cache)
    if headers is None:
        return cost_by_size(file.size)
    return cost_of(estimate(lay_out(headers)))


def _headers_here(file: WeightFile, cache: Path) -> tuple[TensorHeader, ...] | None:
    try:
        if (kept := cached_headers(file.weights_sha256, cache)) is not None:
            return kept[0]
        place = local_copy(file, cache)
        if place is None or place.suffix.lower() != ".safetensors":  # a pickle would have to be opened
            return None
        return open_checkpoint(place).headers
    except (CheckpointError, OSError):
        return None
