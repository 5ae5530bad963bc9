"""`setol lab report`: what the networks of an experiment say about the claims."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import WrongCall, json_option, next_command, reports_user_errors, shown_path
from setol_zoo.cli.lab_options import experiments_argument

if TYPE_CHECKING:
    from setol_zoo.lab.report import Report


@click.command("report", short_help="What the networks of an experiment say about the theory's claims.")
@experiments_argument
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of `setol lab run`; by default the tables that come with the package.",
)
@click.option(
    "--output", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write an HTML file, figures within."
)
@json_option
@reports_user_errors
def report(experiment_names: tuple[str, ...], results: Path | None, output: Path | None, as_json: bool) -> None:
    """Judge the theory's claims by networks that were trained: what was claimed, what was seen, by which rule.

    Several experiments are judged together: mlp3 with fc1 and fc2 has networks for every claim.
    """
    from setol_zoo.cli.tables import print_json
    from setol_zoo.lab.experiments import experiment
    from setol_zoo.lab.report import ZOO, report
    from setol_zoo.lab.stored import read_all_tables

    names = tuple(dict.fromkeys(experiment(each).name for each in experiment_names))
    if ZOO in names and len(names) > 1:
        raise WrongCall(f"need {ZOO} by itself, as it has questions of its own; got {', '.join(names)}.")
    found = report(read_all_tables(names, results), ", ".join(names))
    if output is not None:
        found.write(output)
    if as_json:
        print_json(_record(found, output))
        return
    _print_report(found)
    if output is not None:
        click.echo(f"report: {shown_path(output)} ({output.stat().st_size / 1e6:.1f} MB); open it in a browser")
        next_command("lab", "list")
        return
    where = [] if results is None else ["--results", shown_path(results)]
    next_command("lab", "report", *names, *where, "--output", f"{'-'.join(names)}.html")


def _print_report(found: "Report") -> None:
    """A line a claim; on a terminal its verdict below its title, broken between words."""
    from rich.padding import Padding
    from rich.text import Text

    from catalogs.plain import plain_text
    from setol_zoo.cli.tables import console

    screen = console()
    if not screen.is_terminal:
        for line in found.lines():
            click.echo(plain_text(line))
        return
    screen.print(Text(plain_text(" ".join(found.facts))))
    for claim in (*found.judged, *found.open):
        said = claim.verdict if claim.tables else " ".join(claim.missing)
        screen.print(Text.assemble((claim.title, "bold"), f": {claim.outcome}"))
        screen.print(Padding(Text(plain_text(said)), (0, 0, 0, 2)))


def _record(found: "Report", output: Path | None) -> dict[str, object]:
    plain = [asdict(replace(claim, pictures=())) for claim in found.claims]  # a picture holds all of the tables
    claims = [{name: value for name, value in claim.items() if name != "pictures"} for claim in plain]
    return {
        "experiment": found.experiment,
        "facts": found.facts,
        "claims": claims,
        "report": None if output is None else str(output),
    }
