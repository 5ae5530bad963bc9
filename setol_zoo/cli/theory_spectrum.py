"""`setol theory spectrum`: eigenvalues by degree, and the examples that each needs."""

from pathlib import Path
from typing import Any

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors
from setol_zoo.cli.theory_network import (
    architecture_of,
    dimension_option,
    kernel_option,
    network_options,
    plot_option,
    tell_files,
)


@click.command("spectrum", short_help="Eigenvalues on the sphere, and when each degree is learned.")
@network_options
@kernel_option
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

    found = sphere_spectrum(architecture_of(network, dimension), dimension, highest)
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
    tell_files(files)
    next_command("theory", "curve", "--dimension", dimension)
