"""What the commands of the laboratory have in common: experiments, with their names completed."""

import click
from click.shell_completion import CompletionItem


def complete_experiment(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of experiments, with their questions."""
    from setol_zoo.lab.experiments import EXPERIMENTS

    return [
        CompletionItem(each.name, help=each.question)
        for each in EXPERIMENTS.values()
        if each.name.startswith(incomplete)
    ]


experiment_argument = click.argument("experiment_name", metavar="EXPERIMENT", shell_complete=complete_experiment)
