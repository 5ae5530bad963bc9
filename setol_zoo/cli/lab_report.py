"""`setol lab report`: what the networks of an experiment say about the claims."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import WrongCall, json_option, next_command, reports_user_errors, shown_path
from setol_zoo.cli.lab_options import complete_experiment

if TYPE_CHECKING:
    from setol_zoo.lab.report import Report

_LOOKS = {"seen": "green", "seen in part": "yellow", "not seen": "red", "open": "cyan"}
_WORDS = "The words are explained in docs/laboratory.md (claims, rules, figures) and docs/metrics.md (metrics)."


@click.command("report", short_help="What the networks of an experiment say about the theory's claims.")
@click.argument("experiment_names", metavar="EXPERIMENT...", nargs=-1, shell_complete=complete_experiment)
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

    The experiments are mlp3, fc1, fc2 and zoo. Several are judged together: mlp3 with fc1 and fc2 has networks for
    every claim; zoo, which asks other questions, goes by itself.
    """
    from catalogs.amounts import size_in_words
    from setol_zoo.cli.tables import print_json
    from setol_zoo.lab.experiments import EXPERIMENTS, experiment
    from setol_zoo.lab.report import ZOO, report
    from setol_zoo.lab.stored import read_all_tables

    if not experiment_names:
        raise WrongCall(f"need an experiment, one or more of {', '.join(EXPERIMENTS)}; got none.")
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
        click.echo(f"report: {shown_path(output)} ({size_in_words(output.stat().st_size)}); open it in a browser")
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
        click.echo("\n\n".join(map(plain_text, (" ".join(found.facts), *found.lines()[len(found.facts) :], _WORDS))))
        return
    screen.print(Text(plain_text(" ".join(found.facts))))
    for claim in found.claims:
        screen.print()
        screen.print(Text.assemble((claim.title, "bold"), ": ", (str(claim.outcome), _LOOKS[claim.outcome])))
        screen.print(Padding(Text(plain_text(claim.said)), (0, 0, 0, 2)))
    screen.print()
    screen.print(Text(_WORDS))


def _record(found: "Report", output: Path | None) -> dict[str, object]:
    plain = [asdict(replace(claim, pictures=())) for claim in found.claims]  # a picture holds all of the tables
    claims = [{name: value for name, value in claim.items() if name != "pictures"} for claim in plain]
    return {
        "experiment": found.experiment,
        "facts": found.facts,
        "claims": claims,
        "report": None if output is None else str(output),
    }
