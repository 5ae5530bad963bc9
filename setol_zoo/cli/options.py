"""The options of the commands that compute: how metrics are computed, and what is stored beside spectra."""

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from setol_zoo.cli.completion import complete_model, complete_preset

METRIC_OPTIONS = ("min_evals", "kernel_factor", "detail", "fingers", "bulk", "bootstrap")
"""Names by which the metric options reach a command; `preset_name` beside them."""

SPECTRUM_OPTIONS = ("precision", "permutations", "vectors", "windows")

_METRICS = (
    click.option(
        "--preset",
        "preset_name",
        default="default",
        show_default=True,
        help="Metric options by name: default, weightwatcher, natcomm2021.",
        shell_complete=complete_preset,
    ),
    click.option("--min-evals", type=int, help="Fewest eigenvalues for a tail fit; overrides the preset."),
    click.option("--kernel-factor", type=float, help="Factor on the eigenvalues of kernels; overrides the preset."),
    click.option(
        "--detail",
        type=click.Choice(["basic", "standard", "full"]),
        help="How many metrics; overrides the preset. full: also other laws of the tail and layer qualities.",
    ),
    click.option(
        "--fingers",
        type=click.Choice(["keep", "clip", "clip_weightwatcher", "peak"]),
        help="What to do about the few largest eigenvalues that raise alpha.",
    ),
    click.option("--bulk", type=click.Choice(["iteration", "quantile"]), help="How the bulk's variance is had."),
    click.option(
        "--bootstrap",
        type=click.IntRange(min=0),
        help="Replicas for the goodness of fit and the interval of alpha; many times as long.",
    ),
)

_SPECTRA = (
    click.option(
        "--precision",
        type=click.Choice(["float64", "float32"]),
        help="Of products and eigenvalues. float32: four digits, checked; for GPUs of slow float64.",
    ),
    click.option("--permutations", type=click.IntRange(min=0), help="Spectra of permuted entries to store: traps."),
    click.option("--vectors/--no-vectors", default=None, help="Store how far singular vectors are spread."),
    click.option("--windows/--no-windows", default=None, help="Store the spectra of square windows (FARMS)."),
)


base_option = click.option(
    "--base",
    help="Subtract this model from the others first, tensor by tensor.",
    shell_complete=complete_model,
)
"""Of the commands that make or take spectra of differences in a results folder."""


def metric_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the metric options."""
    for option in reversed(_METRICS):
        command = option(command)
    return command


def spectrum_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the spectrum options; None where one was not given."""
    for option in reversed(_SPECTRA):
        command = option(command)
    return command


def chosen(options: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Take the options of some names out of those a command got; without those that were not given."""
    taken = {name: options.pop(name) for name in names}
    return {name: value for name, value in taken.items() if value is not None}


def typed(context: click.Context, leave_out: tuple[str, ...] = ()) -> list[object]:
    """The options of a command as they were typed, for the next command.

    Args:
        context: Of the command.
        leave_out: Names of options that the next command has not, or that are put behind it.
    """
    words: list[object] = []
    for option in context.command.params:
        name = option.name or ""
        if not isinstance(option, click.Option) or name in leave_out:
            continue
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        if value is True:
            words.append(option.opts[0])
        elif value is False:
            words += option.secondary_opts[:1]
        else:
            words += [option.opts[0], value]
    return words
