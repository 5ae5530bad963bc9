"""`setol correlate`: metrics against scores."""

from collections import Counter
from dataclasses import asdict
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import (
    config_option,
    config_words,
    json_option,
    next_command,
    reports_user_errors,
    results_option,
)

if TYPE_CHECKING:
    from catalogs.places import Where

SHOWN = ("dataset", "score_metric", "family", "metric", "n", "kendall_tau", "kendall_p", "r_squared", "verdict")
"""Columns of the printed table; --json has all."""


@click.command("correlate", short_help="Metrics against published scores, within each family.")
@results_option
@config_option
@json_option
@reports_user_errors
def command(results: "Where", config: str | None, as_json: bool) -> None:
    """Rank correlation and regression of model metrics on published scores, per data set, score and family.

    Fewer than 5 models are too few to judge. The baselines log10_params and depth stand beside the metrics.
    """
    import pyarrow as pa

    from analysis.correlate import FEWEST, correlate
    from analysis.reading import headline, reading
    from analysis.results import open_results
    from catalogs import counted
    from setol_zoo.cli.tables import print_json, print_table

    opened = open_results([results], config)
    correlations = correlate(opened)
    found = [asdict(row) for row in correlations]
    if as_json:
        print_json(found)
        return
    groups_of = groupby(correlations, key=attrgetter("dataset", "split", "score_metric", "unit", "family"))
    if first := headline([tuple(group) for _, group in groups_of]):
        click.echo(f"{first[0].family or 'all families'}, {first[0].dataset} {first[0].score_metric}: {reading(first)}")
    judged = [{name: row[name] for name in SHOWN} for row in found if row["n"] >= FEWEST]
    if judged:
        print_table(pa.Table.from_pylist(judged))
    groups = sorted({(row["family"] or "all families", row["n"], row["dataset"]) for row in found if row["n"] < FEWEST})
    for (family, n), count in Counter((family, n) for family, n, _ in groups).items():
        click.echo(f"too few to judge: {family}, {counted(n, 'model')} on {counted(count, 'data set')}")
    if not found:
        click.echo("no scored models in these results: give the catalog a scores.csv")
    next_command("report", "--results", results, *config_words(opened))
