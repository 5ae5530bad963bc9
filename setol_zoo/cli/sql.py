"""`setol sql`: SELECTs over the views, as an argument, at a prompt, or from standard input."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import WrongCall, config_option, json_option, reports_user_errors, results_option
from setol_zoo.cli.completion import complete_view

if TYPE_CHECKING:
    from catalogs.places import Where

MOST_ROWS = 200
"""Rows of an answer that the prompt shows."""


@click.command("sql", short_help="Ask the results with SELECTs, one or at a prompt.")
@click.argument("query", nargs=-1, shell_complete=complete_view)
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
def command(query: tuple[str, ...], results: "Where", config: str | None, form: str, as_json: bool) -> None:
    """Run a SELECT over the views of a results folder and print the rows.

    Without QUERY, a terminal gets a prompt; elsewhere queries are read from standard input, each with a semicolon
    at its end, and answered one after the other.

    Views: models, layers, spectra, scores, model_metrics, scored_models, skipped, failures, attempts.

    Example: setol sql "SELECT name, alpha_hat_mean, score FROM scored_models ORDER BY score"
    """
    from functools import partial

    from analysis.opening.results import open_results
    from setol_zoo.cli.tables import print_csv, print_fitting, print_json

    opened = open_results([results], config)
    printers: dict[str, Callable[..., None]] = {"table": print_fitting, "csv": print_csv, "json": print_json}
    show = printers["json" if as_json else form]
    if query:
        show(opened.sql(" ".join(query)))
        return
    from setol_zoo.cli.prompt import answer_all, run_prompt

    if sys.stdin.isatty() and sys.stdout.isatty():
        run_prompt(opened, partial(show, limit=MOST_ROWS) if show is print_fitting else show)
        return
    text = "" if sys.stdin.isatty() else sys.stdin.read()
    if not text.strip():
        raise WrongCall(
            'need a query: setol sql "SELECT ...", queries on standard input, or a terminal for the prompt.'
        )
    if answer_all(opened, text, show):
        raise SystemExit(WrongCall.exit_code)
