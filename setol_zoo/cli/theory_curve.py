"""`setol theory curve`: the error against the number of training examples."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors
from setol_zoo.cli.theory_network import (
    architecture_of,
    dimension_option,
    kernel_option,
    network_options,
    noise_option,
    plot_option,
    seed_option,
    target_option,
    tell_files,
)
from setol_zoo.cli.theory_words import CountsRange

if TYPE_CHECKING:
    from setol.field_theory import Architecture, LearningCurve, Spectrum
    from setol_zoo.lab.kernel_regression import Measured

METHODS = ("self_consistent", "equivalent_kernel", "paper", "next_order")


@click.command("curve", short_help="Error against the number of training examples.")
@network_options
@kernel_option
@dimension_option
@target_option
@click.option(
    "--examples",
    type=CountsRange(),
    default="10:3000:12",
    show_default=True,
    help="Training examples: from:to:how many, or a list with commas.",
)
@click.option("--ridge", type=float, default=0.0, show_default=True, help="Added to the Gram matrix's diagonal.")
@noise_option
@click.option(
    "--method",
    "methods",
    type=click.Choice(METHODS),
    multiple=True,
    default=("self_consistent",),
    show_default=True,
    help="Theory; may be repeated.",
)
@click.option(
    "--order",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Power of the cosine at which the kernel is trimmed for theories other than self_consistent.",
)
@click.option(
    "--measure",
    "data_sets",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Data sets on which kernel regression is measured beside the theory.",
)
@seed_option
@plot_option
@json_option
@reports_user_errors
def curve(
    dimension: int,
    target: tuple[float, ...],
    examples: tuple[int, ...],
    ridge: float,
    label_noise: float,
    methods: tuple[str, ...],
    order: int,
    data_sets: int,
    seed: int,
    plot: Path | None,
    as_json: bool,
    **network: Any,
) -> None:
    """The error against the number of training examples."""
    import pyarrow as pa

    from setol.field_theory import sphere_spectrum
    from setol_zoo.cli.tables import print_json, print_table

    architecture = architecture_of(network, dimension)
    spectrum = sphere_spectrum(architecture, dimension)
    curves = {
        method: _predicted(architecture, spectrum, target, examples, ridge, label_noise, method, order)
        for method in methods
    }
    measured = None
    if data_sets:
        measured = _measured(architecture, spectrum, target, examples, ridge, label_noise, data_sets, seed)
    rows: list[dict[str, Any]] = []
    for index, count in enumerate(examples):
        row: dict[str, Any] = {"examples": count}
        row |= {method: float(each.error[index]) for method, each in curves.items()}
        if measured is not None:
            row |= {"measured": float(measured.error[index]), "error_of_it": float(measured.standard_error[index])}
        rows.append(row)
    warnings = tuple(dict.fromkeys(warning for each in curves.values() for warning in each.warnings))
    files = _draw_curve(plot, curves, measured) if plot else []
    if as_json:
        print_json({"curve": rows, "warnings": list(warnings), "figures": [str(path) for path in files]})
        return
    print_table(pa.Table.from_pylist(rows))
    for warning in warnings:
        click.echo(f"note: {warning}")
    tell_files(files)
    next_command("theory", "spectrum", "--dimension", dimension)


def _predicted(
    architecture: "Architecture",
    spectrum: "Spectrum",
    target: Sequence[float],
    examples: Sequence[int],
    ridge: float,
    label_noise: float,
    method: str,
    order: int,
) -> "LearningCurve":
    from setol.field_theory import learning_curve
    from setol.field_theory.renormalization import trim_taylor

    if method == "self_consistent":
        return learning_curve(spectrum, target, examples, ridge=ridge, label_noise=label_noise)
    assert spectrum.dimension is not None
    trimmed = trim_taylor(architecture, spectrum.dimension, max(order, len(target) - 1))
    found = learning_curve(
        trimmed.spectrum, target, examples, ridge=ridge + trimmed.added_ridge, label_noise=label_noise, method=method
    )
    if order < len(target) - 1:
        told = f"The kernel was trimmed at order {len(target) - 1}, the target's degree, rather than at {order}."
        return replace(found, warnings=(*found.warnings, told))
    return found


def _measured(
    architecture: "Architecture",
    spectrum: "Spectrum",
    target: Sequence[float],
    examples: Sequence[int],
    ridge: float,
    label_noise: float,
    data_sets: int,
    seed: int,
) -> "Measured":
    import torch

    from setol_zoo.cli.tables import console
    from setol_zoo.lab.kernel_regression import measure

    with console(stderr=True).status(f"kernel regression on {data_sets} data sets of each size"):
        return measure(
            spectrum,
            target,
            examples,
            architecture=architecture,
            ridge=ridge,
            label_noise=label_noise,
            data_sets=data_sets,
            generator=torch.Generator().manual_seed(seed),
        )


def _draw_curve(folder: Path, curves: "dict[str, LearningCurve]", measured: "Measured | None") -> list[Path]:
    from analysis.theory.learning_curves import MeasuredErrors, curve_figure, learnability_figure, write_figure

    points = None
    if measured is not None:
        points = MeasuredErrors(measured.n_examples, measured.error, measured.standard_error)
    first = next(iter(curves.values()))
    return [
        write_figure(curve_figure(curves, points), folder / "curve.png"),
        write_figure(learnability_figure(first), folder / "learnability.png"),
    ]
