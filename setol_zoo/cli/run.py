"""`setol run`: the main job. `pipeline/run.py` is the same."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import SOME_FAILED, config_words, json_option, next_command, shown_path
from setol_zoo.cli.executor_options import executor_options
from setol_zoo.cli.request import takes_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.display.summary import RunSummary
    from pipeline.drive import RunRequest
    from pipeline.execution.job import Job, Outcome
    from pipeline.planning.plan import Unit


def _require_time(context: click.Context, parameter: click.Parameter, seconds: float | None) -> float | None:
    from catalogs import counted
    from pipeline.execution.watched import LONGEST_SECONDS

    if seconds is not None and not 0 < seconds <= LONGEST_SECONDS:
        days = counted(int(LONGEST_SECONDS / 86400), "day")
        raise click.BadParameter(f"need seconds above 0 and at most {LONGEST_SECONDS:.0f} ({days}), got {seconds:g}.")
    return seconds


@click.command("run", short_help="Bring a results folder up to date with a catalog of models.")
@takes_request
@executor_options("in one process, without Ray.")
@click.option("--device", default="auto", show_default=True, help="torch device; auto is the GPU if there is one.")
@click.option(
    "--time-limit",
    type=float,
    callback=_require_time,
    metavar="SECONDS",
    help="Longest that Ray lets a weight file be fetched, and computed; by default at least 1800.",
)
@click.option("--keep-weights", is_flag=True, help="Keep what was fetched; by default it is removed when done with.")
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), help="Append events to a file, as JSON lines.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, as `setol plan` does, and do nothing.")
@json_option
def command(
    request: "RunRequest",
    executor: str,
    address: str | None,
    cpus: int | None,
    device: str,
    time_limit: float | None,
    keep_weights: bool,
    log: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compute spectra and metrics of models, and keep them in a results folder.

    With --catalog, MODELS are names in it (all of them if none is given); without, they are weight files, folders
    with one model, or models of the built-in catalogs. What is in the results folder is not computed again: after an
    interruption, the same command goes on.

    Exit status: 0 all done, 1 some models failed, 2 the call was wrong, 130 interrupted.
    """
    from pipeline.decomposition.device import require_device
    from pipeline.display.progress import ProgressReporter
    from pipeline.drive import drive
    from pipeline.execution.cluster import run_on_ray
    from pipeline.execution.events import logging_to
    from pipeline.execution.serial import run_serially
    from setol_zoo.cli.plan import print_plan
    from setol_zoo.cli.tables import console

    if executor == "serial" or address is None:
        require_device(device)  # on a cluster, this machine may have no GPU and need none
    if dry_run:
        print_plan(request, as_json=as_json)
        return
    screen = console(stderr=True)

    def on_ray(units: "tuple[Unit, ...]", job: "Job") -> "Iterator[Outcome]":
        where = "starting Ray on this machine" if address is None else f"joining the Ray cluster {address}"
        screen.print(where, markup=False, highlight=False)
        return run_on_ray(units, job, address=address, cpus=cpus)

    def execute(units: "tuple[Unit, ...]", job: "Job") -> "Iterator[Outcome]":
        job = replace(job, keep_weights=keep_weights, time_limit=time_limit)
        return run_serially(units, job) if executor == "serial" else on_ray(units, job)

    with logging_to(log), ProgressReporter(screen) as reporter:
        summary = drive(replace(request, device=device), execute, reporter)
    _print_end(request, summary, as_json=as_json)
    if summary.failures:
        raise SystemExit(SOME_FAILED)


def _print_end(request: "RunRequest", summary: "RunSummary", *, as_json: bool) -> None:
    """What the folder holds now and what was done; of a folder that cannot be read, that, and what was done.

    The folder may hold more than this run made: what is wrong with that is told, and is no failure of this run.
    """
    from analysis.errors import AnalysisError
    from analysis.opening.results import open_results
    from catalogs import counted
    from catalogs.plain import plain_text
    from catalogs.reaching import PlaceError
    from setol_zoo.cli.run_record import run_line, run_record
    from setol_zoo.cli.status import print_models
    from setol_zoo.cli.tables import print_json

    record: dict[str, Any] | None = None
    line, config = None, []
    try:
        opened = open_results(request.folder.root, summary.config)
        if as_json:
            record = run_record(opened, summary.run)
        else:
            print_models(opened)
            line, config = run_line(opened, summary.run), config_words(opened)
        readable = True
    except (AnalysisError, PlaceError) as error:
        readable = False
        click.echo(f"the run is through, but not all results can be read: {plain_text(str(error))}", err=True)
    if as_json:
        print_json(asdict(summary) | {"record": record})
        return
    models, computed = counted(len(request.catalog.models), "model"), counted(summary.computed, "weight file")
    click.echo(f"{models}: {computed} computed, {summary.reused} there already, {len(summary.failures)} failed")
    if line:
        click.echo(line)
    results = shown_path(request.folder.root)
    if readable:
        next_command("status" if summary.failures else "report", "--results", results, *config)
    else:
        next_command("status", "--check", "--results", results)
