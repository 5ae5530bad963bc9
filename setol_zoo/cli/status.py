"""`setol status`: what a results folder holds."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import (
    SOME_FAILED,
    config_option,
    config_words,
    json_option,
    next_command,
    reports_user_errors,
    results_option,
    typed_command,
)

if TYPE_CHECKING:
    from analysis.opening.results import Results
    from catalogs.places import Where
    from pipeline.store.check import Checked

MODELS = """
SELECT m.name AS model, m.status, m.n_analyzed AS matrices, m.n_ok AS fitted,
       100 * m.coverage AS "coverage %", a.alpha_median AS "alpha median", a.alpha_mean AS "alpha mean",
       a.alpha_hat_mean AS "alpha_hat mean"
FROM (SELECT *, row_number() OVER () AS place FROM models) AS m LEFT JOIN model_metrics AS a USING (model)
WHERE m.status <> 'scores-only'
ORDER BY m.place
"""
FAILURES = "SELECT model, file, error FROM failures"
SHOWN = 40

MOST_FAILURES = 10
"""Failures up to which each has a line; more are told by their causes."""


@click.command("status", short_help="What a results folder holds: models, coverage, failures.")
@results_option
@config_option
@click.option("--price", type=click.FloatRange(min=0), help="What a core costs in an hour, in any currency.")
@click.option("--check", is_flag=True, help="Read every file of spectra and metrics, and set aside what is damaged.")
@json_option
@reports_user_errors
def command(results: "Where", config: str | None, price: float | None, check: bool, as_json: bool) -> None:
    """Models of a results folder: done or not, how much of their parameters was analyzed, what failed and why.

    Also what the last run did, on what machines, how long it took and how its time was spent.

    Exit status: 0 all models done, 1 some are not or a file is damaged, 2 there are no results.
    """
    from analysis.opening.results import open_results
    from catalogs import counted
    from catalogs.plain import plain_text
    from setol_zoo.cli.again import command_again, command_once_mended, failed_for_good, what_cannot_be_typed
    from setol_zoo.cli.run_record import causes, record_lines
    from setol_zoo.cli.tables import print_json

    checked = _checked(results) if check else None
    opened = open_results([results], config)
    every = opened.sql("SELECT status FROM models")["status"].to_pylist()
    statuses = [status for status in every if status != "scores-only"]
    unfinished = [status for status in statuses if status != "done"]
    if as_json:
        models, failures = opened.sql("SELECT * FROM models"), opened.sql("SELECT * FROM failures")
        print_json(
            {
                "config": opened.config,
                "models": models.to_pylist(),
                "failures": failures.to_pylist(),
                "causes": [asdict(cause) for cause in causes(opened)],
                "runs": opened.rows("FROM runs ORDER BY started"),
                **({} if checked is None else {"checked": _record(checked)}),
            }
        )
    else:
        print_models(opened)
        _print_failures(opened)
        for line in record_lines(opened, price):
            click.echo(plain_text(line))
        again = command_again(opened, results, checked.anew.get(opened.config, ()) if checked else ())
        if scores_only := len(every) - len(statuses):
            click.echo(f"scores only: {counted(scores_only, 'model')} whose weights nobody can fetch")
        if unfinished:
            goes_on = "; the next command goes on" if again else ""
            click.echo(f"not finished: {counted(len(unfinished), 'model')} of {len(statuses)}{goes_on}")
        if failed := failed_for_good(opened):
            mended = command_once_mended(opened, results)
            told = f"; once the files are mended: {typed_command(mended)}" if mended else ""
            click.echo(f"failed for good: {counted(len(failed), 'model')}{told}")
        if again and (why := what_cannot_be_typed(opened)):
            click.echo(f"configuration {opened.config}: {why}; the next command starts another one")
        if checked:
            _print_check(checked, opened, results)
        next_command(*(again or ["report", "--results", results, *config_words(opened)]))
    if unfinished or (checked and (checked.damaged or checked.anew)):
        raise SystemExit(SOME_FAILED)


def _checked(results: "Where") -> "Checked":
    from pipeline.store.check import check_files
    from pipeline.store.folder import ResultsFolder

    return check_files(ResultsFolder(results))


def _print_check(checked: "Checked", opened: "Results", results: "Where") -> None:
    """What was read, what is wrong with it, and the commands for the configurations that are not shown."""
    from analysis.opening.results import open_results
    from catalogs import counted
    from catalogs.amounts import size_in_words
    from catalogs.plain import plain_text
    from setol_zoo.cli.again import command_again

    for each in checked.damaged:
        became = "set aside" if each.name in checked.aside else "left where it is"
        click.secho(plain_text(f"{each.path} is damaged ({each.error}): {became}"), fg="red")
    files = counted(checked.files, "file")
    click.echo(f"read: {files} of spectra and metrics, {size_in_words(checked.size)}; {len(checked.damaged)} damaged")
    for config, weights in checked.anew.items():
        click.echo(f"to be made anew, configuration {config}: {counted(len(weights), 'weight file')}")
        if config != opened.config and (again := command_again(open_results([results], config), results, weights)):
            click.echo(f"by {typed_command(again)}")


def _record(checked: "Checked") -> dict[str, Any]:
    damaged = [
        {"file": str(each.path), "error": each.error, "set_aside": each.name in checked.aside}
        for each in checked.damaged
    ]
    anew = {config: sorted(weights) for config, weights in checked.anew.items()}
    return {"files": checked.files, "size": checked.size, "damaged": damaged, "anew": anew}


def _print_failures(opened: "Results") -> None:
    """A line a failure; where they are many, a line a cause."""
    from catalogs.plain import plain_text
    from setol_zoo.cli.run_record import cause_lines, causes

    failures = opened.sql(FAILURES).to_pylist()
    lines = [f"{failure['model']}: {failure['error']}" for failure in failures]
    for line in lines if len(lines) <= MOST_FAILURES else cause_lines(causes(opened)):
        click.secho(plain_text(line, keep="\n"), fg="red")


def print_models(opened: "Results") -> None:
    """Print a line for every model of opened results."""
    from setol_zoo.cli.tables import print_table

    print_table(opened.sql(MODELS), limit=SHOWN)
    others = len(opened.configs) - 1
    if others:
        click.echo(f"configuration {opened.config}; {others} more here, see --config")
