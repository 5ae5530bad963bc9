"""`setol report`: one HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import (
    beside,
    config_option,
    config_words,
    json_option,
    next_command,
    reports_user_errors,
    results_option,
)

if TYPE_CHECKING:
    from catalogs.places import Where


@click.command("report", short_help="Write one HTML file about the results.")
@results_option
@config_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="By default report.html in the folder, or RUN-report.html here for a URL; with --config, report-CONFIG.html.",
)
@json_option
@reports_user_errors
def command(results: "Where", config: str | None, output: Path | None, as_json: bool) -> None:
    """Write a report: what metrics add to size, scores, models, layers, what failed, the run. It is noted as a look."""
    from analysis.opening.results import open_results
    from analysis.reporting.report import write_report
    from setol_zoo.cli.tables import print_json

    opened = open_results([results], config)
    path = output or beside(results, f"report-{opened.config}.html" if config else "report.html")
    write_report(opened, path)
    if as_json:
        print_json({"report": str(path), "bytes": path.stat().st_size})
    else:
        click.echo(f"report: {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser")
        next_command("correlate", "--results", results, *config_words(opened))
