"""Step 1: a weight file to the table of its tensors and their spectra."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import pyarrow as pa

from catalogs import WeightFile
from catalogs.names import counted
from catalogs.plain import plain_text
from checkpoints.base import Base
from checkpoints.errors import CheckpointError
from checkpoints.layout import lay_out
from checkpoints.matrices import find_tied
from checkpoints.open import StateDict
from checkpoints.parts import NO_FACTS, Facts, Part, TensorLayout
from checkpoints.quantized import FLOAT8
from checkpoints.tensors import Checkpoint
from pipeline.decomposition.decomposer import CoarseFloat32, Decomposer
from pipeline.decomposition.extras import extra_columns
from pipeline.decomposition.pieces import Piece, pieces_of, windows
from pipeline.decomposition.updates import decompose_factors, factors_of, scale_of, with_scales_told
from pipeline.options import PLAIN_SPECTRA, SpectrumOptions
from pipeline.store.records import MEASURED, SPECTRA_SCHEMA, SpectrumRow, table_of
from setol.reasons import Reason
from setol.weights.decomposition import Decomposition
from setol.weights.difference import decompose_difference

_FACTORS = (Reason.ADAPTER, Reason.FACTOR_ALONE, Reason.FACTOR_MISMATCH)

_NOTHING_MEASURED: dict[str, Any] = dict.fromkeys(MEASURED)


@dataclass(frozen=True, slots=True)
class FileSpectra:
    """The spectra of a weight file, and how they were made.

    Attributes:
        table: A row for every tensor or part of one, in the file's order, schema `SPECTRA_SCHEMA`.
        precision: Number format of the decompositions: float64 after a check that float32 did not pass.
        float32_deviation: Largest error that the check of float32 found, as a share of the largest eigenvalue; None
            where nothing was checked.
        remarks: What of the file was left out, and what did not go as asked.
    """

    table: pa.Table
    precision: str
    float32_deviation: float | None
    remarks: tuple[str, ...]


def file_spectra(
    file: WeightFile,
    checkpoint: Checkpoint,
    device: str,
    facts: Facts = NO_FACTS,
    options: SpectrumOptions = PLAIN_SPECTRA,
    base: Base | None = None,
) -> FileSpectra:
    """Decompose every matrix of a weight file, or its difference to that of a base, which is always in float64.

    Args:
        file: Its names and its hash, which every row carries.
        checkpoint: Its tensors.
        device: torch device of the decomposition.
        facts: What the model's own modules say about the tensors.
        options: The precision, and what is stored beside the spectra.
        base: What is subtracted from every tensor, under the same name; one that the base has not, or has in another
            shape, is skipped.

    Raises:
        CheckpointError: The file cannot be read, holds nothing but an adapter, or has no matrix in common with the
            base.
    """
    file = replace(file, file=Path(file.file).name)  # no path of a machine: the same input gives the same rows
    layouts = lay_out(checkpoint.headers, facts)
    refuse_adapter(file, layouts)
    if any(layout.right for layout in layouts):
        if base is not None:
            raise CheckpointError(f"{file.name} is an adapter, a difference by itself: analyze it without a base.")
        layouts = with_scales_told(file, checkpoint, layouts)
    tied = find_tied(checkpoint, layouts)
    if base is not None:
        tied = {name: original for name, original in tied.items() if base.holds_as_one(name, original)}
    own = [layout for layout in layouts if layout.header.name not in tied]
    decomposer = Decomposer(device, options.precision if base is None else "float64")
    remarks = (*(checkpoint.remarks if isinstance(checkpoint, StateDict) else ()), *_told_of_codes(layouts))
    try:
        decomposed = _decomposed_rows(file, checkpoint, own, options, base, decomposer)
    except CoarseFloat32 as error:
        remarks = (*remarks, str(error))
        coarse, decomposer = decomposer, Decomposer(device, "float64")
        decomposer.deviation = coarse.deviation
        decomposed = _decomposed_rows(file, checkpoint, own, options, base, decomposer)
    rows: list[SpectrumRow] = []
    for layout in layouts:
        name = layout.header.name
        if name in tied:
            rows += [_tied_row(row, name, layout.layer, tied[name]) for row in decomposed[tied[name]]]
        else:
            rows += decomposed[name]
    if base is not None:
        _require_common(file, rows)
    table = table_of(rows, SPECTRA_SCHEMA)
    return FileSpectra(table, decomposer.precision, decomposer.deviation, (*remarks, *decomposer.remarks))


def spectra_table(
    file: WeightFile,
    checkpoint: Checkpoint,
    device: str,
    facts: Facts = NO_FACTS,
    options: SpectrumOptions = PLAIN_SPECTRA,
    base: Base | None = None,
) -> pa.Table:
    """The table of `file_spectra`, for those who do not ask how it was made."""
    return file_spectra(file, checkpoint, device, facts, options, base).table


def _told_of_codes(layouts: Sequence[TensorLayout]) -> tuple[str, ...]:
    """A remark where weights may be codes whose scales are elsewhere."""
    bare = [each.header for each in layouts if each.parts and each.scaled is None and each.header.dtype in FLOAT8]
    if not bare:
        return ()
    return (
        f"{counted(len(bare), 'tensor')} of 8-bit floats without scales ({bare[0].name} first), taken as the weights. "
        "If their scales are kept elsewhere, norms are not those of the weights; nor is alpha where a tensor has many.",
    )


def refuse_adapter(file: WeightFile, layouts: Sequence[TensorLayout]) -> None:
    """Refuse a file with neither weights nor whole low-rank updates.

    Raises:
        CheckpointError: It holds factors of low-rank updates, none of which has its other one.
    """
    factors = [layout for layout in layouts if layout.reason in _FACTORS]
    if factors and not any(layout.parts for layout in layouts):
        told = factors[0].reason.sentence if factors[0].reason else ""
        raise CheckpointError(
            f"{Path(file.file).name} holds an adapter of which nothing can be analyzed: {len(factors)} factors of "
            f"low-rank updates, no two of which form a product. {factors[0].header.name}: {told} Merge the adapter "
            "into its base (merge_and_unload in peft), and save that."
        )


def _decomposed_rows(
    file: WeightFile,
    checkpoint: Checkpoint,
    layouts: Sequence[TensorLayout],
    options: SpectrumOptions,
    base: Base | None,
    decomposer: Decomposer,
) -> dict[str, list[SpectrumRow]]:
    """The rows of every tensor, by its name."""
    rows: dict[str, list[SpectrumRow]] = defaultdict(list)
    for layout in layouts:
        if layout.right is not None:
            rows[layout.header.name].append(_update_row(file, checkpoint, layout, options, decomposer))
    weights = [layout for layout in layouts if layout.right is None]
    for pieces in windows(pieces_of(checkpoint, weights, base), decomposer.window_bytes):
        if base is None:
            outcomes = decomposer.decompose([piece.matrices for piece in pieces])
        else:
            outcomes = [_difference(piece, decomposer) for piece in pieces]
        for piece, outcome in zip(pieces, outcomes, strict=True):
            rows[piece.layout.header.name].append(_piece_row(file, piece, outcome, options, decomposer))
    return rows


def _difference(piece: Piece, decomposer: Decomposer) -> Decomposition | Reason:
    matrices, base = piece.matrices, piece.base
    if isinstance(matrices, Reason):
        return matrices
    assert base is not None
    return decomposer.on_device(lambda device: decompose_difference(matrices.to(device), base.to(device)))


def _piece_row(
    file: WeightFile, piece: Piece, outcome: Decomposition | Reason, options: SpectrumOptions, decomposer: Decomposer
) -> SpectrumRow:
    stack, layout = piece.matrices, piece.layout
    if isinstance(stack, Reason):
        n_params = 0 if stack in (Reason.FACTOR, Reason.FACTOR_UNSCALED) else layout.header.n_params
        return _row(file, layout, None, n_params=n_params, outcome=stack)
    row = _row(file, layout, piece.part, n_params=stack.numel(), outcome=outcome)
    if row.role != "analyzed" or not options.stores_more:
        return row
    matrices = stack if piece.base is None else stack.double() - piece.base.double()
    seed = (crc32(layout.layer.encode()), piece.index)
    return replace(row, **decomposer.on_device(lambda device: extra_columns(matrices, options, seed, device)))


def _update_row(
    file: WeightFile, checkpoint: Checkpoint, layout: TensorLayout, options: SpectrumOptions, decomposer: Decomposer
) -> SpectrumRow:
    """The product of two factors, under the name of the left one and with the entries of both."""
    factors = factors_of(checkpoint, layout)
    if isinstance(factors, Reason):
        return _row(file, layout, None, n_params=layout.header.n_params, outcome=factors)
    scale = scale_of(file, checkpoint, layout)
    outcome = decomposer.on_device(lambda device: decompose_factors(factors, scale, device))
    n_params = layout.header.n_params + factors[1].numel()
    row = _row(file, layout, layout.parts[0], n_params=n_params, outcome=outcome)
    if row.role != "analyzed" or not options.stores_more:
        return row
    matrices = (factors[0].double() @ factors[1].double()) * (1.0 if scale is None else scale)
    seed = (crc32(layout.layer.encode()), 0)
    return replace(row, **decomposer.on_device(lambda device: extra_columns(matrices, options, seed, device)))


def _require_common(file: WeightFile, rows: Sequence[SpectrumRow]) -> None:
    """Refuse a base of another architecture."""
    missing = [row for row in rows if row.reason in (Reason.NOT_IN_BASE, Reason.OTHER_SHAPE)]
    if missing and not any(row.role == "analyzed" for row in rows):
        raise CheckpointError(
            f"{file.name} and its base have no matrix in common: {missing[0].tensor} {missing[0].shape} is "
            f"{'not in the base' if missing[0].reason == Reason.NOT_IN_BASE else 'of another shape there'}. "
            "Need two models of one architecture, their tensors under the same names."
        )


def _row(
    file: WeightFile, layout: TensorLayout, part: Part | None, *, n_params: int, outcome: Decomposition | Reason
) -> SpectrumRow:
    return SpectrumRow(
        model=file.model,
        file=file.file,
        weights_sha256=file.weights_sha256,
        tensor=plain_text(layout.header.name),
        dtype=layout.header.dtype,
        shape=list(layout.header.shape),
        n_params=n_params,
        layer=plain_text(layout.layer),
        part=part.part if part else None,
        kind=part.kind.value if part else None,
        layout=layout.by.value,
        **_skipped(outcome) if isinstance(outcome, Reason) else _analyzed(outcome),
    )


def _skipped(reason: Reason) -> dict[str, Any]:
    return {"role": "skipped", "reason": reason.value}


def _analyzed(found: Decomposition) -> dict[str, Any]:
    entries = found.entries
    return {
        "role": "analyzed",
        "n_rows": found.n_rows,
        "n_cols": found.n_cols,
        "n_slices": len(found.evals),
        "evals": found.evals.ravel(),
        "rank": found.rank,
        "frobenius_sq": entries.frobenius_sq,
        "entry_mean": entries.mean,
        "entry_var": entries.variance,
        "entry_kurtosis": [None if math.isnan(value) else value for value in entries.kurtosis.tolist()],
        "entry_max_abs": entries.max_abs,
        "zero_fraction": entries.zero_fraction,
    }


def _tied_row(row: SpectrumRow, tensor: str, layer: str, original: str) -> SpectrumRow:
    """A tied tensor keeps its place in the ledger; its spectrum stands with the original."""
    return replace(
        row,
        tensor=plain_text(tensor),
        layer=plain_text(layer),
        role="tied" if row.role == "analyzed" else row.role,
        tied_to=plain_text(original),
        **_NOTHING_MEASURED,
    )
