"""`setol plan`: what a run would do and what that costs, without doing it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from catalogs.amounts import size_in_words
from setol_zoo.cli.common import SOME_FAILED, json_option, next_command, shown_path
from setol_zoo.cli.options import typed
from setol_zoo.cli.plan_files import UNKNOWN, PlannedFile, planned_files, work_of
from setol_zoo.cli.quantities import ByteCount, ByteRate
from setol_zoo.cli.request import takes_request

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.display.forecast import Forecast, Workers
    from pipeline.drive import RunRequest

DROPPED_FIRST = ("tensors", "params M", "largest", "eig GFLOP", "Gram GFLOP", "memory MB", "MB")
"""Columns in the order in which they give way on a narrow terminal."""

MOST_ROWS = 30
"""Files shown on a terminal, the largest first; a pipe has all of them."""

ASSUMED_NETWORK = 1e9 / 8
"""Bytes a second where nobody says: a gigabit, which home lines and small machines have."""

_FORECAST = ("workers", "network", "node_memory", "price")


@click.command("plan", short_help="What a run would do, and what it would cost; computes nothing.")
@takes_request
@click.option(
    "--workers", type=click.IntRange(min=1), help="Workers of one thread to plan for; by default the cores here."
)
@click.option("--network", type=ByteRate(), help="Rate of all downloads together, as 10Gbit/s; by default 1Gbit/s.")
@click.option("--node-memory", type=ByteCount(), help="Memory of the largest machine, as 64GB; by default this one's.")
@click.option("--price", type=click.FloatRange(min=0), help="What a worker costs in an hour, in any currency.")
@json_option
def command(
    request: "RunRequest",
    workers: int | None,
    network: float | None,
    node_memory: int | None,
    price: float | None,
    as_json: bool,
) -> None:
    """Say what `setol run` with the same arguments would do: files, matrices, operations, memory, time, price.

    Nothing is computed, and nothing fetched but what tells a file's content (docs/sources.md). Files of yours are
    read once for their hash, by which it is known what is there already. Shapes come from the headers of safetensors
    files, also of those that are not on this machine, one for each architecture; pickled ones that are here are opened
    as weights alone.

    Exit status: 0 a run would do all of it, 1 some files cannot be had or read, or held by any machine, 2 the call
    was wrong.
    """
    print_plan(request, as_json=as_json, workers=workers, network=network, node_memory=node_memory, price=price)


def print_plan(
    request: "RunRequest",
    *,
    as_json: bool,
    workers: int | None = None,
    network: float | None = None,
    node_memory: int | None = None,
    price: float | None = None,
) -> None:
    """Print the plan of a request, with estimates, and a forecast: by default for workers on this machine."""
    from catalogs.plain import plain_text
    from pipeline.cores import usable_cores
    from pipeline.display.forecast import Workers, forecast
    from setol_zoo.cli.plan_lines import remarks, totals, unreached
    from setol_zoo.cli.tables import console, print_json, print_narrowed

    rows = planned_files(request)
    work = work_of(rows)
    crew = Workers(workers or usable_cores(), network or ASSUMED_NETWORK, node_memory or _memory(), price)
    found = forecast([each for _, each in work], crew)
    too_large = [work[place][0] for place in found.too_large]
    problems = [f"{row.name}: {row.note}" for row in rows if row.refused]
    problems += [_too_large(row, crew) for row in too_large]
    if as_json:
        print_json(_document(rows, too_large, found, crew, assumed=[] if network else ["network"]))
    else:
        print_narrowed(_table(rows), DROPPED_FIRST, limit=MOST_ROWS if console().is_terminal else len(rows))
    for problem in problems:
        click.secho(plain_text(f"Error: {problem}", keep="\n"), fg="red", err=True)
    if not as_json:
        told = totals(rows, found, crew, "" if network else " (assumed; --network)")
        for line in [*remarks(rows), *unreached(rows, request.catalog.files), *told]:
            click.echo(plain_text(line))
        context = click.get_current_context()
        words = typed(context, leave_out=("results", "dry_run", "as_json", *_FORECAST))
        next_command("run", *context.params["models"], *words, "--results", shown_path(request.folder.root))
    if problems:
        raise SystemExit(SOME_FAILED)


def _memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _too_large(row: PlannedFile, crew: "Workers") -> str:
    assert row.cost is not None
    return (
        f"{row.name}: {row.file} takes {'about' if row.cost.exact else 'at most'} {size_in_words(row.cost.memory)} of "
        f"memory, more than the {size_in_words(crew.node_memory)} of the largest machine: need a larger one "
        "(--node-memory says how large yours are)."
    )


def _document(
    rows: Sequence[PlannedFile],
    too_large: Sequence[PlannedFile],
    found: "Forecast",
    crew: "Workers",
    assumed: Sequence[str],
) -> dict[str, Any]:
    told = asdict(found) | {"too_large": [{"model": row.model, "file": row.file} for row in too_large]}
    return {"files": [asdict(row) for row in rows], "forecast": told, "workers": asdict(crew), "assumed": list(assumed)}


def _table(rows: Sequence[PlannedFile]) -> "pa.Table":
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
                "memory MB": found.memory / 1e6 if found and row.to_do != "refit" else None,
                "Gram GFLOP": found.gram_flops / 1e9 if found else None,
                "eig GFLOP": found.eigen_flops / 1e9 if found else None,
                "seconds": found.seconds if found and row.to_do in ("compute", "refit") else None,
            }
        )
    return pa.Table.from_pylist(shown)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"
