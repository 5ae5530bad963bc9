"""Step 1: a weight file to the table of its tensors and their spectra."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.layout import lay_out
from checkpoints.matrices import find_tied, matrix_stack, read_weight
from checkpoints.parts import NO_FACTS, Facts, Part, TensorLayout
from checkpoints.tensors import Checkpoint
from pipeline.extras import extra_columns
from pipeline.options import PLAIN_SPECTRA, SpectrumOptions
from pipeline.records import MEASURED, SPECTRA_SCHEMA, SpectrumRow, table_of
from setol.reasons import Reason
from setol.weights.decomposition import Decomposition, decompose

_NOTHING_MEASURED: dict[str, Any] = dict.fromkeys(MEASURED)


def spectra_table(
    file: WeightFile,
    checkpoint: Checkpoint,
    device: str,
    facts: Facts = NO_FACTS,
    options: SpectrumOptions = PLAIN_SPECTRA,
) -> pa.Table:
    """Decompose every matrix of a weight file.

    Args:
        file: Its names and its hash, which every row carries.
        checkpoint: Its tensors.
        device: torch device of the decomposition.
        facts: What the model's own modules say about the tensors.
        options: What is stored beside the spectra.

    Returns:
        A row for every tensor or part of one, in the file's order, schema `SPECTRA_SCHEMA`.

    Raises:
        CheckpointError: The file cannot be read, or holds nothing but an adapter.
    """
    file = replace(file, file=Path(file.file).name)  # no path of a machine: the same input gives the same rows
    layouts = lay_out(checkpoint.headers, facts)
    refuse_adapter(file, layouts)
    tied = find_tied(checkpoint, layouts)
    rows: list[SpectrumRow] = []
    decomposed: dict[str, list[SpectrumRow]] = {}
    for layout in layouts:
        name = layout.header.name
        if name in tied:
            rows += [_tied_row(row, name, layout.layer, tied[name]) for row in decomposed[tied[name]]]
            continue
        decomposed[name] = _tensor_rows(file, checkpoint, layout, device, options)
        rows += decomposed[name]
    return table_of(rows, SPECTRA_SCHEMA)


def refuse_adapter(file: WeightFile, layouts: Sequence[TensorLayout]) -> None:
    """Refuse a file without weights of its own.

    Raises:
        CheckpointError: It holds factors of low-rank updates, and nothing that they are added to.
    """
    factors = [layout for layout in layouts if layout.reason is Reason.ADAPTER]
    if factors and not any(layout.parts for layout in layouts):
        raise CheckpointError(
            f"{Path(file.file).name} holds an adapter without its base: {len(factors)} factors of low-rank updates, "
            f"such as {factors[0].header.name}, and no weights. Merge it into its base (merge_and_unload in peft), and "
            "save that."
        )


def _tensor_rows(
    file: WeightFile, checkpoint: Checkpoint, layout: TensorLayout, device: str, options: SpectrumOptions
) -> list[SpectrumRow]:
    if layout.reason is not None:
        return [_row(file, layout, None, n_params=layout.header.n_params, outcome=layout.reason)]
    tensor = read_weight(checkpoint, layout)
    rows = []
    for index, part in enumerate(layout.parts):
        stack = matrix_stack(tensor, part)
        row = _row(file, layout, part, n_params=stack.numel(), outcome=decompose(stack, device=device))
        if row.role == "analyzed":
            seed = (crc32(layout.header.name.encode()), index)
            row = replace(row, **extra_columns(stack, options, seed, device))
        rows.append(row)
    return rows


def _row(
    file: WeightFile, layout: TensorLayout, part: Part | None, *, n_params: int, outcome: Decomposition | Reason
) -> SpectrumRow:
    return SpectrumRow(
        model=file.model,
        file=file.file,
        weights_sha256=file.weights_sha256,
        tensor=layout.header.name,
        dtype=layout.header.dtype,
        shape=list(layout.header.shape),
        n_params=n_params,
        layer=layout.layer,
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
        "entry_kurtosis": [None if np.isnan(value) else value for value in entries.kurtosis],
        "entry_max_abs": entries.max_abs,
        "zero_fraction": entries.zero_fraction,
    }


def _tied_row(row: SpectrumRow, tensor: str, layer: str, original: str) -> SpectrumRow:
    """A tied tensor keeps its place in the ledger; its spectrum stands with the original."""
    return replace(
        row,
        tensor=tensor,
        layer=layer,
        role="tied" if row.role == "analyzed" else row.role,
        tied_to=original,
        **_NOTHING_MEASURED,
    )
