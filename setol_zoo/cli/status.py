"""`setol status`: what a results folder holds."""

from pathlib import Path

import click

from setol_zoo.cli.common import (
    SOME_FAILED,
    config_option,
    json_option,
    next_command,
    reports_user_errors,
    results_option,
)

MODELS = """
SELECT m.name AS model, m.status, m.n_analyzed AS matrices, m.n_ok AS fitted,
       100 * m.coverage AS "coverage %", a.alpha_median AS "alpha median", a.alpha_mean AS "alpha mean",
       a.alpha_hat_mean AS "alpha_hat mean"
FROM models AS m LEFT JOIN model_metrics AS a USING (model)
"""
FAILURES = "SELECT model, file, error FROM failures"
SHOWN = 40


@click.command("status", short_help="What a results folder holds: models, coverage, failures.")
@results_option
@config_option
@json_option
@reports_user_errors
def command(results: Path, config: str | None, as_json: bool) -> None:
    """Models of a results folder: done or not, how much of their parameters was analyzed, what failed and why.

    Exit status: 0 all models done, 1 some are not, 2 there are no results.
    """
    from analysis.results import open_results
    from catalogs import counted
    from setol_zoo.cli.again import command_again
    from setol_zoo.cli.tables import print_json

    opened = open_results([results], config)
    statuses = opened.sql("SELECT status FROM models")["status"].to_pylist()
    unfinished = [status for status in statuses if status != "done"]
    if as_json:
        models, failures = opened.sql("SELECT * FROM models"), opened.sql("SELECT * FROM failures")
        print_json({"config": opened.config, "models": models.to_pylist(), "failures": failures.to_pylist()})
    else:
        print_models(results, config)
        for failure in opened.sql(FAILURES).to_pylist():
            click.secho(f"{failure['model']}: {failure['error']}", fg="red")
        again = command_again(opened, results) if unfinished else None
        if unfinished:
            click.echo(
                f"not finished: {counted(len(unfinished), 'model')} of {len(statuses)}; the next command goes on"
            )
        next_command(*(again or ["report", "--results", results]))
    if unfinished:
        raise SystemExit(SOME_FAILED)


def print_models(results: Path, config: str | None) -> None:
    """Print a line for every model of a results folder."""
    from analysis.results import open_results
    from setol_zoo.cli.tables import print_table

    opened = open_results([results], config)
    print_table(opened.sql(MODELS), limit=SHOWN)
    others = len(opened.configs) - 1
    if others:
        click.echo(f"configuration {opened.config}; {others} more here, see --config")
