"""The options by which a command takes tables of metrics and scores in the place of results."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from setol_zoo.cli.completion import complete_scores, complete_unit

if TYPE_CHECKING:
    from analysis.opening.results import Results

SHOWN = 3
"""Scores that are shown without being asked for, those of most models."""

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--metrics",
        "metrics_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="CSV or Parquet with a row a model, instead of results.",
    ),
    click.option(
        "--scores",
        shell_complete=complete_scores,
        help="CSV, Parquet or catalog with the scores; may be the file of --metrics.",
    ),
    click.option("--by", help="Columns whose values make the families, separated by commas; by default `family`."),
    click.option("--score", help="Column of the scores, where a row of --scores is a model."),
    click.option(
        "--unit",
        shell_complete=complete_unit,
        help="Unit of the scores, where neither a column nor the end of its name tells it.",
    ),
    click.option(
        "--params",
        shell_complete=complete_scores,
        help="Table or catalog that has the models' number of parameters in `params`.",
    ),
)


def table_options(command: F) -> F:
    """Give a command --metrics, --scores, --by, --score, --unit and --params."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def nothing_scored(opened: "Results | None") -> str:
    """Why there is no model with metrics and a score, in a line."""
    if opened is not None and opened.rows("SELECT 1 FROM scores LIMIT 1"):
        return "no model that has a score is analyzed yet: setol status says how to go on"
    return "no scored models in these results: give the catalog a scores.csv"
