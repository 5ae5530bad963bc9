"""`setol lab run`: train the networks of an experiment, and analyze them."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import (
    SOME_FAILED,
    WrongCall,
    json_option,
    next_command,
    reports_user_errors,
    results_option,
    shown_path,
)
from setol_zoo.cli.executor_options import executor_options
from setol_zoo.cli.lab_options import experiment_argument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from catalogs.places import Where
    from pipeline.execution.job import Job, Outcome
    from pipeline.execution.mapped import Mapped
    from pipeline.planning.plan import Unit
    from setol_zoo.lab.experiments import Experiment
    from setol_zoo.lab.run import LabSummary
    from setol_zoo.lab.setting import Setting


@click.command("run", short_help="Train the networks of an experiment, and analyze them.")
@experiment_argument
@results_option
@click.option("--data", help="Another data set, such as digits, which needs no download.")
@click.option(
    "--seeds", type=click.IntRange(min=1), help="How many; by default those of the experiment, 1 with --quick."
)
@click.option(
    "--quick/--full",
    default=False,
    show_default=True,
    help="Training that ends early, and one seed.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N networks.")
@executor_options("one network after the other in one process, without Ray.")
@click.option("--dry-run", is_flag=True, help="Say which networks would be trained, and train none.")
@json_option
@reports_user_errors
def run(
    experiment_name: str,
    results: "Where",
    data: str | None,
    seeds: int | None,
    quick: bool,
    limit: int | None,
    executor: str,
    address: str | None,
    cpus: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train the networks of an experiment, and analyze every state of them that was kept.

    What is in the results folder is not trained or computed again: after an interruption, the same command goes on.
    The folder is then as that of `setol run`: setol report, correlate and sql read it.

    Exit status: 0 all done, 1 some networks failed, 2 the call was wrong, 130 interrupted. A training that diverges has
    not failed: that is what came out.
    """
    from catalogs.places import cache_directory
    from pipeline.display.progress import ProgressReporter
    from setol_zoo.cli.lab_progress import LabProgress
    from setol_zoo.cli.tables import console
    from setol_zoo.lab.experiments import experiment

    found = experiment(experiment_name)
    settings = _settings(found, data, seeds, quick=quick)[:limit]
    if not isinstance(results, Path):
        raise WrongCall(
            f"need a folder of this machine for --results, got {results}: networks are trained into it. Copy it to "
            "the object store when it is done; setol report and correlate read it there."
        )
    if dry_run:
        _print_plan(settings, results, as_json=as_json)
        return
    from setol_zoo.lab.run import LabRequest, run_experiment

    screen = console(stderr=True)
    mapper, execute = _executors(executor, address, cpus, lambda line: screen.print(line, markup=False))
    words = _words(quick=quick, data=data, seeds=seeds, limit=limit)
    asked = " ".join([found.name, *words])
    request = LabRequest(found.name, asked, settings, results.absolute(), cache_directory(), mapper, execute)
    with LabProgress(screen) as progress, ProgressReporter(screen, lines=not screen.is_terminal) as reporter:
        summary = run_experiment(request, progress, reporter)
    _print_end(found.name, results, summary, as_json=as_json)
    if summary.failures or (summary.analysis and summary.analysis.failures):
        raise SystemExit(SOME_FAILED)


def _settings(found: "Experiment", data: str | None, seeds: int | None, *, quick: bool) -> "tuple[Setting, ...]":
    """The networks; a data set that nobody knows is told before anything is loaded."""
    from catalogs.names import unknown_name
    from setol_zoo.lab.data import DATA
    from setol_zoo.lab.errors import DataError

    if data is not None and data not in DATA:
        raise DataError(unknown_name("data set", data, DATA))
    chosen: dict[str, Any] = {} if seeds is None else {"seeds": seeds}
    return found.settings(data=data, quick=quick, **chosen)


def _words(*, quick: bool, **chosen: object) -> list[str]:
    """The options that say which networks are trained, as they would be typed."""
    typed = ["--quick"] if quick else []
    return typed + [word for name, value in chosen.items() if value is not None for word in (f"--{name}", str(value))]


def _executors(
    executor: str, address: str | None, cpus: int | None, say: "Callable[[str], None]"
) -> "tuple[Callable[..., Iterator[Mapped[Any, Any]]], Callable[[tuple[Unit, ...], Job], Iterator[Outcome]]]":
    """What calls the trainings, and what works on the weight files."""
    from pipeline.execution.cluster import map_on_ray, run_on_ray
    from pipeline.execution.mapped import map_serially
    from pipeline.execution.serial import run_serially

    if executor == "serial":
        return map_serially, run_serially
    where = "starting Ray on this machine" if address is None else f"joining the Ray cluster {address}"

    def map_there(function: "Callable[[Any], Any]", items: "Sequence[Any]") -> "Iterator[Mapped[Any, Any]]":
        say(where)
        return map_on_ray(function, items, address=address, cpus=cpus)

    def run_there(units: "tuple[Unit, ...]", job: "Job") -> "Iterator[Outcome]":
        say(where)
        return run_on_ray(units, replace(job, device="cpu"), address=address, cpus=cpus)

    return map_there, run_there


def _print_plan(settings: "Sequence[Setting]", results: Path, *, as_json: bool) -> None:
    from catalogs import counted
    from setol_zoo.cli.tables import print_json
    from setol_zoo.lab.run import missing_of

    missing = missing_of(settings, results)
    if as_json:
        print_json({"networks": len(settings), "missing": [asdict(setting) for setting in missing]})
        return
    for setting in missing:
        click.echo(setting.name)
    there = len(settings) - len(missing)
    click.echo(f"{counted(len(settings), 'network')}: {there} trained already, {len(missing)} to train")


def _print_end(experiment: str, results: Path, summary: "LabSummary", *, as_json: bool) -> None:
    from catalogs import counted
    from setol_zoo.cli.tables import print_json

    if as_json:
        print_json(asdict(summary))
        return
    networks = summary.trained + summary.reused
    lost = sum(each.what == "train" for each in summary.failures)
    click.echo(
        f"{counted(networks + lost, 'network')}: {summary.trained} trained, {summary.reused} there already, "
        f"{len(summary.diverged)} diverged, {lost} failed"
    )
    if (done := summary.analysis) is not None:
        click.echo(
            f"{counted(done.computed + done.reused, 'weight file')} of them: {done.computed} computed, {done.reused} "
            f"there already, {len(done.failures)} failed"
        )
    for path in summary.tables:
        click.echo(f"written: {shown_path(path)}")
    if summary.tables:
        next_command("lab", "report", experiment, "--results", shown_path(results))
