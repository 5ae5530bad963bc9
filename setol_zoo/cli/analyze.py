"""`setol analyze`: a model's layers as a table, without Ray."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import (
    SOME_FAILED,
    ResultsPlace,
    WrongCall,
    json_option,
    next_command,
    reports_user_errors,
    shown_path,
)
from setol_zoo.cli.completion import complete_model
from setol_zoo.cli.options import METRIC_OPTIONS, SPECTRUM_OPTIONS, chosen, metric_options, spectrum_options, typed

if TYPE_CHECKING:
    from analysis.opening.results import Results
    from catalogs import Catalog
    from catalogs.places import Where
    from pipeline.display.summary import RunSummary
    from pipeline.options import Options

FORMATS = ("png", "svg")

VIEWS = ("models", "layers", "model_metrics", "skipped", "failures")
"""What --json prints."""

OWN_OPTIONS = ("base", "device", "rows", "results", "plot", "form", "as_json")
"""What is not repeated in the next command."""

MORE = (
    *("hill_alpha", "mp_soft_rank", "phase", "raw_alpha", "ratio_log_normal", "log_q2_empirical", "bootstrap_p"),
    *("n_traps", "tail_long_localization", "farms_alpha"),
)
"""Columns that stand for what the printed table leaves out: one of each detail and option."""

DROPPED_FIRST = ("part", "note", "log_norm", "stable_rank", "kind", "alpha_hat", "evals", "erg_delta", "M", "N")
"""Columns in the order in which they give way on a narrow terminal."""


@click.command("analyze", short_help="Spectra and metrics of one or a few models, as a table.")
@click.argument("models", nargs=-1, required=True, shell_complete=complete_model)
@click.option(
    "--base",
    help="Analyze what is left when this model is subtracted, tensor by tensor.",
    shell_complete=complete_model,
)
@metric_options
@spectrum_options
@click.option("--device", default="auto", show_default=True, help="torch device; auto is the GPU if there is one.")
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Most layers of a model to show; --plot draws of these.",
)
@click.option("--results", type=ResultsPlace(), help="Keep the results in this folder, a path or a URL.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, file_okay=False),
    help="Draw alpha by depth there, and each layer with a fit of the first --rows.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="png", show_default=True, help="Of --plot.")
@json_option
@reports_user_errors
def command(
    models: tuple[str, ...],
    base: str | None,
    preset_name: str,
    device: str,
    rows: int,
    results: "Where | None",
    plot: Path | None,
    form: str,
    as_json: bool,
    **options_given: Any,
) -> None:
    """Analyze MODELS: weight files, folders with one model, or models of the built-in catalogs (see `setol catalog`).

    Prints a line for every matrix, a reading of them, and what was skipped and why. Exit status: 0 all done,
    1 some models failed, 2 the call was wrong, or none of the models exists.
    """
    from pipeline.options import options_of
    from setol_zoo.cli.tables import print_json
    from setol_zoo.targets import catalog_of_targets

    metrics, spectrum = chosen(options_given, METRIC_OPTIONS), chosen(options_given, SPECTRUM_OPTIONS)
    options = options_of(preset_name, **metrics, **spectrum)
    with tempfile.TemporaryDirectory(prefix="setol-") as scratch:
        folder = results or Path(scratch)
        if base is None:
            catalog = catalog_of_targets(models)
            _say_what_is_far(catalog)
            opened, summary = _compute(catalog, folder, options, device)
            asked = {summary.renamed.get(model, model) for model in catalog.models}  # the folder may hold others
            failures = summary.failures
        else:
            opened, asked = _subtract(models, base, folder, options, device)
            failures = ()
        found = _views(opened, asked)
        shown = [row["model"] for row in found["models"] if row["status"] != "failed"]
        drawn = [path for model in shown for path in _draw(opened, model, plot, form, rows)] if plot else []
        if as_json:
            print_json(found | ({"pictures": [str(path) for path in drawn]} if drawn else {}))
        else:
            for model in shown:
                _print_model(opened, model, rows)
            if more := _more_columns(found["layers"]):
                click.echo(f"more columns, by --json, or setol sql on a results folder: {', '.join(more)}, ...")
            if plot and shown:
                _print_drawn(found["layers"], drawn, plot, rows)
    if failures:
        nothing_named = not shown and all(failure.missing for failure in failures)
        raise SystemExit(WrongCall.exit_code if nothing_named else SOME_FAILED)
    if as_json:
        return
    if not any(row["n_analyzed"] for row in found["models"]):
        click.echo("nothing to analyze: no weight matrix that can be decomposed")
    elif base is not None:
        next_command("distance", models[0], base)
    else:
        words = typed(click.get_current_context(), leave_out=OWN_OPTIONS)
        next_command("run", *models, *words, "--results", results or "results")


def _more_columns(rows: list[dict[str, Any]]) -> list[str]:
    """Columns with values that the printed table has no place for, one of each kind."""
    return [name for name in MORE if any(row[name] is not None for row in rows)]


def _say_what_is_far(catalog: "Catalog") -> None:
    """Say what is looked for where that can take a while."""
    for model in catalog.models:
        source, _, name = model.partition(":")
        if source in ("hub", "timm"):
            click.echo(f"looking for {name if source == 'hub' else model} on the hub", err=True)


def _compute(catalog: "Catalog", folder: "Where", options: "Options", device: str) -> "tuple[Results, RunSummary]":
    """Run the job in a folder; its results, and what became of the run."""
    from analysis.opening.results import open_results
    from pipeline.cores import usable_cores
    from pipeline.display.progress import ProgressReporter
    from setol_zoo.analyze import analyze_catalog
    from setol_zoo.cli.tables import console

    with ProgressReporter(console(stderr=True), lines=False) as reporter:
        summary = analyze_catalog(catalog, folder, options, device=device, threads=usable_cores(), reporter=reporter)
    return open_results(folder, summary.config), summary


def _subtract(
    models: tuple[str, ...], base: str, folder: "Where", options: "Options", device: str
) -> "tuple[Results, set[str]]":
    """Analyze differences to a base in a folder; its results, and the keys of the differences."""
    from analysis.opening.results import open_results
    from pipeline.cores import usable_cores
    from setol_zoo.analyze import analyze_difference, with_threads
    from setol_zoo.cli.edited import reports_model_errors

    with reports_model_errors(), with_threads(usable_cores()) as threads:
        keys = {analyze_difference(model, base, folder, options, device=device, threads=threads) for model in models}
    return open_results(folder, options.config), keys


def _views(opened: "Results", models: set[str]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the views about some models."""
    return {view: [row for row in opened.rows(f"FROM {view}") if row["model"] in models] for view in VIEWS}


def _draw(opened: "Results", model: str, folder: Path, form: str, rows: int) -> "tuple[Path, ...]":
    from rich.text import Text  # a layer's name is no markup

    from analysis.drawing.pictures import write_pictures
    from setol_zoo.cli.tables import console

    with console(stderr=True).status("drawing") as status:
        return write_pictures(
            opened, model, folder, form=form, first=rows, progress=lambda layer: status.update(Text(f"drawing {layer}"))
        )


def _print_drawn(layers: list[dict[str, Any]], drawn: list[Path], folder: Path, rows: int) -> None:
    """How many layers were drawn, of how many, and which."""
    from catalogs import counted

    fitted = sum(row["status"] == "ok" for row in layers)
    pictures = sum(not path.stem.startswith("alpha_by_depth") for path in drawn)
    if not drawn:
        click.echo("drawn: nothing, as no layer has a fitted tail")
        return
    longest = max(Counter(row["model"] for row in layers).values())
    shown = "those of the first row" if rows == 1 else f"those of the first {rows} rows"
    left_out = f", {shown} (--rows {longest} draws all)" if pictures < fitted else ""
    place = shown_path(folder.absolute())
    click.echo(f"drawn: {pictures} of {counted(fitted, 'fitted layer')}{left_out}, and alpha by depth, in {place}")


def _print_model(opened: "Results", model: str, rows: int) -> None:
    import pyarrow as pa

    from catalogs.plain import plain_text
    from setol_zoo.analysis_result import analysis_of
    from setol_zoo.cli.tables import print_narrowed

    found = analysis_of(opened, model)
    table = found.overview()
    notes = pa.array([note or "" for note in table["note"].to_pylist()], pa.string())
    table = table.set_column(table.schema.get_field_index("note"), "note", notes)
    if len(table):
        print_narrowed(table, DROPPED_FIRST, title=found.name, limit=rows)
    for line in found.notes():
        click.echo(plain_text(line))
