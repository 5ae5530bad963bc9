"""`setol lab`: the theory's own experiments, on networks that are trained here."""

import click

from setol_zoo.cli.group import NamingGroup
from setol_zoo.cli.lab_list import list_experiments
from setol_zoo.cli.lab_report import report
from setol_zoo.cli.lab_run import run


@click.group("lab", cls=NamingGroup, short_help="Train networks, and hold the theory's claims against them.")
def command() -> None:
    """The experiments that the theory was tried on, made again.

    Networks are trained, and every state of them that was kept is a model with measured errors, analyzed as any
    other. docs/laboratory.md tells what came out.
    """


for each in (list_experiments, run, report):
    command.add_command(each)
