"""The network, the target and the output that commands of `setol theory` share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from setol_zoo.cli.common import shown_path
from setol_zoo.cli.theory_words import InputScale, TargetPower

if TYPE_CHECKING:
    from setol.field_theory import Architecture

F = TypeVar("F", bound=Callable[..., Any])

NETWORK_NAMES = ("hidden_layers", "weight_variance", "bias_variance", "activation", "kernel")

kernel_option = click.option(
    "--kernel",
    type=click.Choice(["ntk", "nngp"]),
    default="ntk",
    show_default=True,
    help="ntk: trained by gradient flow; nngp: sampled from the posterior.",
)


def network_options(of_command: F) -> F:
    """The options that make one network, its kernel apart."""
    for option in (
        click.option(
            "--input-scale",
            type=InputScale(),
            default="1",
            show_default=True,
            help="Variance of the first layer's weights over --weight-variance: a number, or 1/d.",
        ),
        click.option("--bias-variance", type=float, default=0.0, show_default=True, help="s_b^2."),
        click.option("--weight-variance", type=float, default=2.0, show_default=True, help="s_w^2."),
        click.option(
            "--activation",
            type=click.Choice(["relu", "erf", "linear"]),
            default="relu",
            show_default=True,
            help="Of the hidden layers.",
        ),
        click.option(
            "--hidden-layers",
            type=click.IntRange(min=0, max=100),
            default=3,
            show_default=True,
            help="Nonlinear layers; a linear readout comes on top.",
        ),
    ):
        of_command = option(of_command)
    return of_command


dimension_option = click.option("--dimension", "-d", type=int, default=15, show_default=True, help="Of the inputs.")
target_option = click.option(
    "--target",
    type=TargetPower(),
    default="1:0.5,2:0.5",
    show_default=True,
    help="Mean square of the target by degree.",
)
noise_option = click.option(
    "--label-noise", type=float, default=0.0, show_default=True, help="Variance of noise on the training labels."
)
plot_option = click.option("--plot", type=click.Path(path_type=Path, file_okay=False), help="Folder for figures.")
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Where measured data sets come from."
)


def architecture_of(network: dict[str, Any], dimension: int) -> "Architecture":
    """The network of these options, `1/d` turned into its number."""
    from setol.field_theory import Architecture

    scale = network["input_scale"]
    return Architecture(**(network | {"input_scale": 1 / max(dimension, 1) if scale == "1/d" else scale}))


def tell_files(files: Sequence[Path]) -> None:
    """A line for each picture."""
    for path in files:
        click.echo(f"figure: {shown_path(path.absolute())}")
