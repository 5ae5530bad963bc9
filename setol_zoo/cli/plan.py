"""`setol plan`: what a run would do and what that costs, without doing it."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import SOME_FAILED, json_option, next_command, shown_path
from setol_zoo.cli.options import typed
from setol_zoo.cli.request import takes_request

if TYPE_CHECKING:
    import pyarrow as pa

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
        to_do: `compute`, `refit` (its spectra are there, so only metrics are computed), `nothing` (there already),
            `failed before` (--retry-failed tries again), or `fails` (it cannot be had or read).
        fetch: Whether a run would fetch it: it is not on this machine, and its spectra are not there already.
        pickle: Whether it had to be opened, not only its header read.
        estimate: What it holds and costs; None where only the file itself says so, or it cannot be read.
        note: Why there is no estimate, or why it fails.
    """

    model: str
    name: str
    file: str
    bytes: int | None
    to_do: str
    fetch: bool = False
    pickle: bool = False
    estimate: "Estimate | None" = None
    note: str | None = None

    @property
    def unknown(self) -> bool:
        """Whether only a download would tell what it holds."""
        return self.note is not None and self.note.startswith(UNKNOWN)


@click.command("plan", short_help="What a run would do, and what it would cost; computes nothing.")
@takes_request
@json_option
def command(request: "RunRequest", as_json: bool) -> None:
    """Say what `setol run` with the same arguments would do: files, matrices, operations, memory, seconds.

    Nothing is computed, and nothing fetched but what tells a file's content (docs/sources.md). Files of yours are
    read once for their hash, by which it is known what is there already. Shapes come from the headers of safetensors
    files, also of those that are not on this machine; pickled ones that are here are opened as weights alone.

    Exit status: 0 a run would do all of it, 1 some files cannot be had or read, 2 the call was wrong.
    """
    print_plan(request, as_json=as_json)


def print_plan(request: "RunRequest", *, as_json: bool) -> None:
    """Print the plan of a request, with estimates."""
    from setol_zoo.cli.tables import print_json, print_narrowed

    rows = planned_files(request)
    refused = [row for row in rows if row.note is not None and not row.unknown and row.to_do != "nothing"]
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        print_narrowed(_table(rows), DROPPED_FIRST, limit=len(rows))
    for row in refused:
        click.secho(f"Error: {row.name}: {row.note}", fg="red", err=True)
    if not as_json:
        for line in _totals(rows):
            click.echo(line)
        context = click.get_current_context()
        words = typed(context, leave_out=("results", "dry_run", "as_json"))
        next_command("run", *context.params["models"], *words, "--results", shown_path(request.folder.root))
    if refused:
        raise SystemExit(SOME_FAILED)


def planned_files(request: "RunRequest") -> list[PlannedFile]:
    """Every weight file of a request: what is to be done with it, and what it costs."""
    import pyarrow.parquet as pq

    from checkpoints.remote_header import UnknownBeforeDownload
    from pipeline.drive import prepare
    from pipeline.estimate import REFIT_COLUMNS, estimate_refit
    from pipeline.preview import preview

    plan, unidentified = prepare(request)
    damaged = {each.path for each in plan.damaged}
    spectra = {unit.fit_id: request.folder.spectra_path(unit.spectra_id) for unit in plan.units}
    stored = {name: path for name, path in spectra.items() if path.exists() and path not in damaged}
    computed = [unit for unit in plan.units if unit.fit_id not in stored]
    states = (("compute", computed), ("nothing", plan.finished), ("failed before", plan.held_back))
    planned = [(state, unit) for state, units in states for unit in units]
    previews = preview([unit.file for _, unit in planned], request.cache)
    rows = []
    for (state, unit), seen in zip(planned, previews, strict=True):
        file = unit.file
        note = str(seen.error) if seen.error else None
        if isinstance(seen.error, UnknownBeforeDownload):
            note = f"{UNKNOWN}: {note}"
        elif seen.error and state == "compute":
            state = "fails"
        fetch = state == "compute" and not seen.here
        rows.append(
            PlannedFile(file.model, file.name, file.file, seen.size, state, fetch, seen.pickle, seen.estimate, note)
        )
    for unit in plan.units:
        if unit.fit_id in stored:
            file = unit.file
            found = estimate_refit(pq.read_table(stored[unit.fit_id], columns=list(REFIT_COLUMNS)))
            rows.append(PlannedFile(file.model, file.name, file.file, file.size, "refit", estimate=found))
    for row in unidentified:
        file = row.file
        rows.append(PlannedFile(file.model, file.name, file.file, None, "fails", note=str(row.error)))
    return rows


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
                "matrices": _counts(found.matrices) if found else UNKNOWN if row.unknown else None,
                "params M": found.n_params / 1e6 if found else None,
                "largest": f"{largest.n_rows} × {largest.n_cols}" if largest else None,
                "memory MB": largest.memory / 1e6 if largest and row.to_do != "refit" else None,
                "Gram GFLOP": found.gram_flops / 1e9 if found else None,
                "eig GFLOP": found.eigen_flops / 1e9 if found else None,
                "seconds": found.seconds if found and row.to_do in ("compute", "refit") else None,
            }
        )
    return pa.Table.from_pylist(shown)


def _totals(rows: list[PlannedFile]) -> list[str]:
    """Sentences under the table."""
    from catalogs import counted
    from setol import Reason

    known = [row for row in rows if row.estimate is not None]
    compute = [row for row in rows if row.to_do == "compute"]
    n_refit = sum(row.to_do == "refit" for row in rows)
    skips: Counter[str] = Counter()
    for row in known:
        assert row.estimate is not None
        skips.update(row.estimate.skipped)
    sentences = {each.value: each.sentence for each in Reason}
    lines = [
        f"skipped: {counted(count, 'tensor')}, {reason}: {sentences[reason]}" for reason, count in skips.most_common()
    ]
    if opened := sum(row.pickle for row in rows):
        lines.append(f"{counted(opened, 'pickled file')} had to be opened to see shapes, as weights alone")
    for why, n_files in Counter(row.note for row in rows if row.unknown).items():
        lines.append(f"{counted(n_files, 'file')} {why}")
    todo = [row for row in rows if row.to_do in ("compute", "refit")]
    seconds = [row.estimate.seconds for row in todo if row.estimate is not None]
    told = f"{counted(len(rows), 'weight file')}: {len(compute)} to do ({_megabytes(compute)} MB"
    if remote := [row for row in compute if row.fetch]:
        told += f", {_megabytes(remote)} MB of it to fetch"
    told += ")"
    if n_refit:
        told += f", {n_refit} to refit from spectra that are there"
    if n_fail := sum(row.to_do == "fails" for row in rows):
        told += f", {n_fail} cannot be had or read"
    if seconds:
        cores = os.cpu_count() or 1
        told += f", about {_duration(sum(seconds))} of one thread"
        if cores > 1 and len(seconds) > 1:
            told += f", {_duration(max(max(seconds), sum(seconds) / cores))} on {cores} cores"
        told += ", good to a factor of two on CPUs"
    return [*lines, told]


def _megabytes(rows: list[PlannedFile]) -> str:
    """Their size, with a plus where that of some is not known."""
    return f"{sum(row.bytes or 0 for row in rows) / 1e6:.0f}" + ("+" if any(row.bytes is None for row in rows) else "")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
