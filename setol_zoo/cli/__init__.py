"""The `setol` command. A subcommand is imported when it is called, so that `setol --help` is quick."""

from importlib import import_module

import click

from setol_zoo.cli.group import NamingGroup

COMMANDS = {
    "analyze": "Spectra and metrics of one or a few models, as a table.",
    "plan": "What a run would do, and what it would cost; computes nothing.",
    "run": "Bring a results folder up to date with a catalog of models.",
    "refit": "Metrics anew from stored spectra, without weights.",
    "status": "What a results folder holds: models, coverage, failures.",
    "sql": "Ask the results with SELECTs, one or at a prompt.",
    "correlate": "Metrics against published scores, within each family.",
    "regress": "Slopes of scores on metrics that may differ by family.",
    "sensitivity": "What ranks and correlations owe to how layers are averaged.",
    "report": "Write one HTML file about the results.",
    "figures": "Draw the theory: its laws beside simulations.",
    "lab": "Train networks, and hold the theory's claims against them.",
    "theory": "Learning curves of wide networks, from field theory.",
    "export": "Results as a CSV or Parquet file in WeightWatcher's layout.",
    "distance": "How far two models are apart, matrix by matrix.",
    "truncate": "Write a model of which only tails, or effective correlation spaces, are left.",
    "detrap": "Write a model without correlation traps.",
    "catalog": "List, show or check catalogs of models.",
    "completion": "Print the script that lets a shell complete names.",
}


class LazyGroup(NamingGroup):
    """A group whose commands are the modules of this package that bear their names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"setol_zoo.cli.{cmd_name}").command
        return command

    def unknown(self, typed: str, ctx: click.Context) -> str:
        """The message for a command that is not known; for the name of a view, how to ask for that."""
        from analysis.opening.results import VIEWS

        message = super().unknown(typed, ctx)
        if typed not in VIEWS:
            return message
        return f'{message}; {typed} is a view of results: setol sql "SELECT * FROM {typed}"'

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


BEGIN = """\b
Begin with one of these:
  setol analyze model.safetensors                     a model of your own, as a table (also .pt, .bin, folders)
  setol run --catalog demo --results results/demo     ten published models; then: setol report --results results/demo
  setol catalog list                                  models that can be named without a file
"""


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    epilog=BEGIN,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="setol-zoo", prog_name="setol")
@click.pass_context
def main(context: click.Context) -> None:
    """How good is each layer, and each model, by its weights alone?

    Spectra of every weight matrix of a model zoo, HTSR and SETOL metrics on them, and how far these agree with
    the accuracies that were published.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
