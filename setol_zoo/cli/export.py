"""`setol export`: results in another program's layout."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import (
    beside,
    config_option,
    json_option,
    next_command,
    reports_user_errors,
    results_option,
    shown_path,
)
from setol_zoo.cli.completion import complete_result_model

if TYPE_CHECKING:
    from catalogs.places import Where

PRESET = "weightwatcher"


@click.command("export", short_help="Results as a CSV or Parquet file in WeightWatcher's layout.")
@results_option
@config_option
@click.option(
    "--format",
    "layout",
    type=click.Choice(["weightwatcher"]),
    default="weightwatcher",
    show_default=True,
    help="Whose columns: those of the details of WeightWatcher 0.7.7.",
)
@click.option(
    "--model",
    help="Only this model, by key or name; by default all, told apart by a column.",
    shell_complete=complete_result_model,
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file, CSV or Parquet by its name; by default weightwatcher.csv in the folder.",
)
@json_option
@reports_user_errors
def command(
    results: "Where", config: str | None, layout: str, model: str | None, out: Path | None, as_json: bool
) -> None:
    """Write a row for every matrix, under the column names of another program.

    The numbers are those of the configuration: for WeightWatcher's own conventions, `setol refit --preset
    weightwatcher` first. Exit status: 0 written, 2 the call was wrong.
    """
    from analysis.opening.export import weightwatcher_details, write_details
    from analysis.opening.results import open_results
    from catalogs import counted
    from pipeline.options import preset
    from setol_zoo.cli.tables import print_json

    path = out or beside(results, f"{layout}.csv")
    opened = open_results([results], config)
    details = weightwatcher_details(opened, model)
    write_details(details, path)
    models = len(set(details["model"].to_pylist()))
    if as_json:
        told = {"export": str(path), "config": opened.config, "models": models, "rows": len(details)}
        print_json({**told, "columns": details.column_names})
        return
    click.echo(f"export: {path}, {counted(len(details), 'row')} of {counted(models, 'model')}")
    if opened.configuration.options["metrics"] == asdict(preset(PRESET)):
        next_command("report", "--results", shown_path(results))
    else:
        click.echo(f"configuration {opened.config} has conventions of its own; the next command makes {PRESET}'s")
        next_command("refit", "--preset", PRESET, "--results", shown_path(results))
