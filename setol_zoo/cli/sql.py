"""`setol sql`: one SELECT over the views."""

from pathlib import Path

import click

from setol_zoo.cli.common import config_option, json_option, reports_user_errors, results_option


@click.command("sql", short_help="Ask the results with one SELECT.")
@click.argument("query")
@results_option
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How rows are printed.",
)
@json_option
@reports_user_errors
def command(query: str, results: Path, config: str | None, form: str, as_json: bool) -> None:
    """Run one SELECT over the views of a results folder and print the rows.

    Views: models, layers, spectra, scores, model_metrics, scored_models, skipped, failures, attempts.
    Example: setol sql "SELECT model, alpha_hat_mean, score FROM scored_models ORDER BY score"
    """
    from analysis.results import open_results
    from setol_zoo.cli.tables import print_csv, print_json, print_table

    table = open_results([results], config).sql(query)
    {"table": print_table, "csv": print_csv, "json": print_json}["json" if as_json else form](table)
