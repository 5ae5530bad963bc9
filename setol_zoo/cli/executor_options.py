"""Where the work of a command is done: Ray, on this machine or a cluster, or this process."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def executor_options(serial: str) -> Callable[[F], F]:
    """Give a command --executor, --address and --cpus.

    Args:
        serial: What the help says of `--executor serial`.
    """

    def give(command: F) -> F:
        for option in (
            click.option(
                "--cpus", type=click.IntRange(min=1), help="Cores to use where Ray is started here; by default all."
            ),
            click.option("--address", envvar="RAY_ADDRESS", help="Ray cluster to use; by default one is started here."),
            click.option(
                "--executor",
                type=click.Choice(["ray", "serial"]),
                default="ray",
                show_default=True,
                help=f"serial: {serial}",
            ),
        ):
            command = option(command)
        return command

    return give
