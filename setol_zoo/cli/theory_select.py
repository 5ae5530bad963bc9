"""`setol theory select`: networks and ridges by predicted error."""

from pathlib import Path
from typing import Any

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors
from setol_zoo.cli.theory_network import (
    NETWORK_NAMES,
    architecture_of,
    dimension_option,
    noise_option,
    plot_option,
    seed_option,
    target_option,
    tell_files,
)
from setol_zoo.cli.theory_words import InputScale, Values


@click.command("select", short_help="Networks and ridges by predicted error, none trained.")
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
        architecture_of(dict(zip(NETWORK_NAMES, values, strict=True)) | {"input_scale": input_scale}, dimension)
        for values in product(hidden_layers, weight_variance, bias_variance, activation, kernel)
    ]
    with console(stderr=True).status(f"{len(networks)} networks"):
        ranked = rank(
            networks, ridge, dimension=dimension, n_examples=examples, target_power=target, label_noise=label_noise
        )
    rows: list[dict[str, Any]] = [
        {
            "predicted": each.error,
            "ridge": each.ridge,
            **{name: getattr(each.architecture, name) for name in NETWORK_NAMES},
        }
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
    tell_files(files)
    best = ranked[0].architecture
    words = [word for name in NETWORK_NAMES for word in (f"--{name.replace('_', '-')}", f"{getattr(best, name)}")]
    next_command("theory", "curve", "--dimension", dimension, *words, "--ridge", f"{ranked[0].ridge:.4g}")
