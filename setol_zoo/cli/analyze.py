"""`setol analyze`: a model's layers as a table, without Ray."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import SOME_FAILED, json_option, next_command, reports_user_errors, shown_path
from setol_zoo.cli.completion import complete_model
from setol_zoo.cli.request import preset_option

if TYPE_CHECKING:
    from analysis.results import Results
    from catalogs import Catalog
    from pipeline.drive import RunSummary

FORMATS = ("png", "svg")

DROPPED_FIRST = ("part", "note", "log_norm", "stable_rank", "kind", "alpha_hat", "evals", "erg_delta", "M", "N")
"""Columns in the order in which they give way on a narrow terminal."""


@click.command("analyze", short_help="Spectra and metrics of one or a few models, as a table.")
@click.argument("models", nargs=-1, required=True, shell_complete=complete_model)
@preset_option
@click.option("--device", default="auto", show_default=True, help="torch device; auto is the GPU if there is one.")
@click.option("--rows", type=click.IntRange(min=1), default=60, show_default=True, help="Most layers to show and draw.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), help="Keep the results in this folder.")
@click.option("--plot", type=click.Path(path_type=Path, file_okay=False), help="Draw every fitted layer there.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="png", show_default=True, help="Of --plot.")
@json_option
@reports_user_errors
def command(
    models: tuple[str, ...],
    preset_name: str,
    device: str,
    rows: int,
    results: Path | None,
    plot: Path | None,
    form: str,
    as_json: bool,
) -> None:
    """Analyze MODELS: weight files, folders with one model, or models of the built-in catalogs (see `setol catalog`).

    Prints a line for every matrix, a reading of them, and what was skipped and why. Exit status: 0 all done,
    1 some models failed, 2 the call was wrong.
    """
    from setol_zoo.targets import catalog_of_targets

    catalog = catalog_of_targets(models)
    with tempfile.TemporaryDirectory(prefix="setol-") as scratch:
        opened, summary = _compute(catalog, results.absolute() if results else Path(scratch), preset_name, device)
        own = {summary.renamed.get(model, model) for model in catalog.models}  # the folder may hold others
        shown = [row for row in opened.rows("SELECT model FROM models WHERE status != 'failed'") if row["model"] in own]
        drawn = [path for row in shown for path in _draw(opened, row["model"], plot, form, rows)] if plot else []
        if as_json:
            _print_json(opened, drawn)
        else:
            for row in shown:
                _print_model(opened, row["model"], rows)
            if plot:
                _print_drawn(opened, drawn, plot)
    if summary.failures:
        raise SystemExit(SOME_FAILED)
    if not as_json:
        next_command("run", *models, "--results", results or "results")


def _compute(catalog: "Catalog", folder: Path, preset_name: str, device: str) -> "tuple[Results, RunSummary]":
    """Run the job in a folder; its results, and what became of the run."""
    from analysis.results import open_results
    from checkpoints.fetch import cache_directory
    from pipeline.drive import RunRequest, drive
    from pipeline.folder import ResultsFolder
    from pipeline.options import Options, preset
    from pipeline.progress import ProgressReporter
    from pipeline.serial import run_serially
    from setol_zoo.cli.tables import console

    request = RunRequest(
        catalog,
        ResultsFolder(folder),
        cache_directory(),
        Options(metrics=preset(preset_name)),
        device=device,
        threads=os.cpu_count() or 1,
        retry_failed=True,
    )
    with ProgressReporter(console(stderr=True), lines=False) as reporter:
        summary = drive(request, run_serially, reporter)
    return open_results(folder, summary.config), summary


def _draw(opened: "Results", model: str, folder: Path, form: str, most: int) -> "tuple[Path, ...]":
    from analysis.pictures import write_pictures
    from setol_zoo.cli.tables import console

    with console(stderr=True).status("drawing") as status:
        return write_pictures(
            opened, model, folder, form=form, most=most, progress=lambda layer: status.update(f"drawing {layer}")
        )


def _print_drawn(opened: "Results", drawn: "list[Path]", folder: Path) -> None:
    """How many layers were drawn, and of how many."""
    fitted = opened.rows("SELECT count(*) AS n FROM layers WHERE status = 'ok'")[0]["n"]
    layers = sum(not path.stem.startswith("alpha_by_depth") for path in drawn)
    if not drawn:
        click.echo("drawn: nothing, as no layer has a fitted tail")
        return
    left_out = f", those with the most eigenvalues (--rows {fitted} draws all)" if layers < fitted else ""
    place = shown_path(folder.absolute())
    click.echo(f"drawn: {layers} of {fitted} fitted layers{left_out}, and alpha by depth, in {place}")


def _print_json(opened: "Results", drawn: "list[Path]") -> None:
    from setol_zoo.cli.tables import print_json

    views = ("models", "layers", "model_metrics", "skipped", "failures")
    found = {view: opened.rows(f"SELECT * FROM {view}") for view in views}
    print_json(found | ({"pictures": [str(path) for path in drawn]} if drawn else {}))


def _print_model(opened: "Results", model: str, rows: int) -> None:
    import pyarrow as pa

    from setol_zoo.analysis_result import analysis_of
    from setol_zoo.cli.tables import print_narrowed

    found = analysis_of(opened, model)
    table = found.overview()
    notes = pa.array([note or "" for note in table["note"].to_pylist()], pa.string())
    table = table.set_column(table.schema.get_field_index("note"), "note", notes)
    if len(table):
        print_narrowed(table, DROPPED_FIRST, title=found.name, limit=rows)
    for line in found.notes():
        click.echo(line)
