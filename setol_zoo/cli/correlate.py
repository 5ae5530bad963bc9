"""`setol correlate`: metrics against scores."""

from dataclasses import asdict
from pathlib import Path

import click

from setol_zoo.cli.common import config_option, json_option, next_command, reports_user_errors, results_option


@click.command("correlate", short_help="Metrics against published scores, within each family.")
@results_option
@config_option
@json_option
@reports_user_errors
def command(results: Path, config: str | None, as_json: bool) -> None:
    """Rank correlation and regression of model metrics on published scores, per data set, score and family.

    Fewer than 5 models are too few to judge. The baselines log10_params and depth stand beside the metrics.
    """
    import pyarrow as pa
    from analysis.correlate import correlate
    from analysis.results import open_results

    from setol_zoo.cli.tables import print_json, print_table

    rows = [asdict(row) for row in correlate(open_results([results], config))]
    if as_json:
        print_json(rows)
        return
    if rows:
        print_table(pa.Table.from_pylist(rows))
    else:
        click.echo("no scored models in these results: give the catalog a scores.csv")
    next_command("report", "--results", results)
