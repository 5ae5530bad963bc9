"""The `setol` command. Each subcommand is imported only when it is called, so `setol --help` is quick."""

from importlib import import_module

import click

COMMANDS = {
    "run": "Compute spectra and metrics of a catalog's models.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of this package, named as they are."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"setol_zoo.cli.{cmd_name}").command
        return command


@click.group(cls=LazyGroup)
def main() -> None:
    """Weight spectra of model zoos."""
