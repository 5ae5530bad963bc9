"""`setol theory`: learning curves of infinitely wide networks, from field theory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors, shown_path
from setol_zoo.cli.theory_words import CountsRange, InputScale, TargetPower, Values

if TYPE_CHECKING:
    from setol.field_theory import Architecture, LearningCurve, Spectrum
    from setol_zoo.lab.kernel_regression import Measured

F = TypeVar("F", bound=Callable[..., Any])

METHODS = ("self_consistent", "equivalent_kernel", "paper", "next_order")


@click.group("theory", short_help="Learning curves of wide networks, from field theory.")
def command() -> None:
    """How the error of an infinitely wide network falls with the number of examples, without training one.

    Inputs are uniform on the unit sphere; the target is known by its power in each degree of the harmonics.
    docs/field-theory.md says what is behind it and how far it was measured to hold.
    """


def network_options(of_command: F) -> F:
    """The options that make one network."""
    for option in (
        click.option(
            "--input-scale",
            type=InputScale(),
            default="1",
            show_default=True,
            help="Variance of the first layer's weights over --weight-variance: a number, or 1/d.",
        ),
        click.option(
            "--kernel",
            type=click.Choice(["ntk", "nngp"]),
            default="ntk",
            show_default=True,
            help="ntk: trained by gradient flow; nngp: sampled from the posterior.",
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
            type=int,
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


@command.command("curve")
@network_options
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

    architecture = _architecture(network, dimension)
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
    _tell_files(files)
    next_command("theory", "spectrum", "--dimension", dimension)


@command.command("spectrum")
@network_options
@dimension_option
@click.option("--highest", type=click.IntRange(min=0), default=8, show_default=True, help="The last degree.")
@click.option("--ridge", type=float, default=0.0, show_default=True, help="Added to the Gram matrix's diagonal.")
@plot_option
@json_option
@reports_user_errors
def spectrum(dimension: int, highest: int, ridge: float, plot: Path | None, as_json: bool, **network: Any) -> None:
    """Eigenvalues on the sphere, and from how many examples on each degree is learned."""
    import pyarrow as pa

    from setol.field_theory import sphere_spectrum
    from setol.field_theory.learnability import examples_to_learn
    from setol_zoo.cli.tables import print_json, print_table

    found = sphere_spectrum(_architecture(network, dimension), dimension, highest)
    needed = examples_to_learn(found, ridge)
    rows = [
        {
            "degree": degree,
            "degeneracy": float(found.degeneracies[degree]),
            "eigenvalue": float(found.eigenvalues[degree]),
            "share": float(found.degeneracies[degree] * found.eigenvalues[degree] / found.total),
            "examples_to_learn": None if needed[degree] == float("inf") else float(needed[degree]),
        }
        for degree in range(highest + 1)
    ]
    files = []
    if plot:
        from analysis.theory.learning_curves import spectrum_figure, write_figure

        files = [write_figure(spectrum_figure(found), plot / "spectrum.png")]
    if as_json:
        print_json({"spectrum": rows, "tail": found.tail, "total": found.total, "figures": [str(p) for p in files]})
        return
    print_table(pa.Table.from_pylist(rows))
    click.echo(f"all degrees beyond {highest} sum to {found.tail:.4g} of {found.total:.4g}, which acts as ridge")
    _tell_files(files)
    next_command("theory", "curve", "--dimension", dimension)


@command.command("select")
@dimension_option
@target_option
@click.option("--examples", type=click.IntRange(min=1), default=300, show_default=True, help="Training examples.")
@noise_option
@click.option("--hidden-layers", type=Values(int), default="1,2,4", show_default=True, help="To choose from.")
@click.option("--weight-variance", type=Values(float), default="0.5,2,4", show_default=True, help="To choose from.")
@click.option("--bias-variance", type=Values(float), default="0,0.1,1", show_default=True, help="To choose from.")
@click.option("--activation", type=Values(str), default="relu,erf", show_default=True, help="To choose from.")
@click.option("--kernel", type=Values(str), default="ntk,nngp", show_default=True, help="To choose from.")
@click.option(
    "--ridge",
    type=Values(float),
    default="0.001,0.01,0.1",
    show_default=True,
    help="To choose from, as shares of each network's variance at an input.",
)
@click.option("--input-scale", type=InputScale(), default="1", show_default=True, help="As of `curve`.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Rows to show.")
@click.option(
    "--measure",
    "data_sets",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Data sets on which every candidate is measured as well.",
)
@seed_option
@plot_option
@json_option
@reports_user_errors
def select(
    dimension: int,
    target: tuple[float, ...],
    examples: int,
    label_noise: float,
    hidden_layers: tuple[int, ...],
    weight_variance: tuple[float, ...],
    bias_variance: tuple[float, ...],
    activation: tuple[str, ...],
    kernel: tuple[str, ...],
    ridge: tuple[float, ...],
    input_scale: float | str,
    top: int,
    data_sets: int,
    seed: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Networks and ridges ranked by the error that the theory predicts, none trained."""
    from itertools import product

    import pyarrow as pa

    from setol.field_theory.selection import rank
    from setol_zoo.cli.tables import console, print_json, print_table

    networks = [
        _architecture(dict(zip(_NAMES, values, strict=True)) | {"input_scale": input_scale}, dimension)
        for values in product(hidden_layers, weight_variance, bias_variance, activation, kernel)
    ]
    with console(stderr=True).status(f"{len(networks)} networks"):
        ranked = rank(
            networks, ridge, dimension=dimension, n_examples=examples, target_power=target, label_noise=label_noise
        )
    rows: list[dict[str, Any]] = [
        {"predicted": each.error, "ridge": each.ridge, **{name: getattr(each.architecture, name) for name in _NAMES}}
        for each in ranked
    ]
    told, files = "", []
    if data_sets:
        from setol_zoo.lab.selection import agreement, measure_all

        found = measure_all(ranked, dimension, examples, target, label_noise, data_sets, seed)
        rows = [
            {"predicted": row.pop("predicted"), "measured": error, **row}
            for row, error in zip(rows, found.tolist(), strict=True)
        ]
        told = agreement([each.error for each in ranked], found)
        if plot:
            from analysis.theory.learning_curves import agreement_figure, write_figure

            files = [write_figure(agreement_figure([each.error for each in ranked], found), plot / "selection.png")]
    if as_json:
        print_json({"ranked": rows, "agreement": told or None, "figures": [str(path) for path in files]})
        return
    print_table(pa.Table.from_pylist(rows), limit=top)
    if told:
        click.echo(told)
    _tell_files(files)
    best = ranked[0].architecture
    words = [word for name in _NAMES for word in (f"--{name.replace('_', '-')}", f"{getattr(best, name)}")]
    next_command("theory", "curve", "--dimension", dimension, *words, "--ridge", f"{ranked[0].ridge:.4g}")


_NAMES = ("hidden_layers", "weight_variance", "bias_variance", "activation", "kernel")


def _architecture(network: dict[str, Any], dimension: int) -> "Architecture":
    from setol.field_theory import Architecture

    scale = network["input_scale"]
    return Architecture(**(network | {"input_scale": 1 / max(dimension, 1) if scale == "1/d" else scale}))


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


def _tell_files(files: Sequence[Path]) -> None:
    for path in files:
        click.echo(f"figure: {shown_path(path.absolute())}")
