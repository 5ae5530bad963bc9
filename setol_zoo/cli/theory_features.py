"""`setol theory features`: the learning curve of real examples, predicted from their kernel and measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors
from setol_zoo.cli.theory_network import architecture_of, network_options, plot_option, seed_option, tell_files
from setol_zoo.cli.theory_words import CountsRange

if TYPE_CHECKING:
    import numpy as np

    from setol.field_theory.features import EmpiricalModes
    from setol_zoo.lab.features import SubsetErrors

_FIRST_RANK = 5
"""Ranks below it are no power law yet."""


@click.command("features", short_help="Learning curve of real examples, predicted and measured.")
@click.argument("path", metavar="[FEATURES]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--targets",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .npy of targets, where FEATURES holds none: whole numbers in one column are classes.",
)
@click.option(
    "--kernel",
    type=click.Choice(["linear", "nngp", "ntk"]),
    show_default="linear; nngp without FEATURES",
    help="linear: of the features themselves; nngp, ntk: of a network on top of them, rows scaled to norm 1.",
)
@network_options
@click.option(
    "--examples",
    type=CountsRange(),
    show_default="10 to a fifth of the pool",
    help="Training examples: from:to:how many, or a list with commas.",
)
@click.option(
    "--ridge",
    type=float,
    default=0.001,
    show_default=True,
    help="Added to the Gram matrix's diagonal, as a share of its mean.",
)
@click.option(
    "--pool",
    "most",
    type=click.IntRange(min=20),
    default=1000,
    show_default=True,
    help="Examples whose kernel is taken apart, chosen at random where there are more.",
)
@click.option(
    "--measure",
    "subsets",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Random training subsets of each size on which the error is measured; 0 for the theory alone.",
)
@seed_option
@plot_option
@json_option
@reports_user_errors
def features(
    path: Path | None,
    targets: Path | None,
    kernel: str | None,
    examples: tuple[int, ...] | None,
    ridge: float,
    most: int,
    subsets: int,
    seed: int,
    plot: Path | None,
    as_json: bool,
    **network: Any,
) -> None:
    """The learning curve of real examples: classification as regression, predicted from the kernel and measured.

    FEATURES is a .npz or .safetensors with `features` [n, p] or `kernel` [n, n], and `targets`, or a .npy of features
    with --targets. Without it, pixels of handwritten digits (needs scikit-learn).
    """
    import pyarrow as pa

    from setol.field_theory import learning_curve
    from setol.field_theory.features import SHARE_OF_POOL, empirical_modes, error_on_the_rest
    from setol_zoo.cli.tables import console, print_json, print_table
    from setol_zoo.lab.features import digits, gram, measure_subsets, part, read_pool

    if path is None and targets is not None:
        raise click.UsageError("--targets needs FEATURES that they belong to.")
    whole = digits() if path is None else read_pool(path, targets)
    pool = part(whole, most, seed)
    chosen = kernel or ("linear" if path else "nngp")
    architecture = None if chosen == "linear" else architecture_of(network | {"kernel": chosen}, _width(pool.features))
    with console(stderr=True).status(f"kernel of {len(pool.outputs)} examples"):
        matrix = gram(pool, architecture)
        modes = empirical_modes(matrix, pool.outputs)
    counts = examples or _counts(modes.n_pool)
    curve = learning_curve(modes.spectrum, modes.target_power, counts, ridge=ridge, power_beyond=modes.power_beyond)
    predicted = error_on_the_rest(modes, curve)
    measured = None
    if subsets:
        with console(stderr=True).status(f"kernel regression on {subsets} subsets of each size"):
            measured = measure_subsets(matrix, pool, counts, ridge=ridge, subsets=subsets, seed=seed)
    rows = _rows(counts, predicted, measured)
    told = _power_laws(modes, counts, predicted, measured)
    notes = list(curve.warnings)
    if max(counts) > modes.n_pool / SHARE_OF_POOL:
        notes.append(f"beyond {modes.n_pool // SHARE_OF_POOL} examples, a fifth of the pool, its own noise shows.")
    files = [_draw(plot, modes, curve.n_examples, predicted, measured)] if plot else []
    null = float((pool.outputs**2).sum(axis=1).mean())
    if as_json:
        figures = [str(each) for each in files]
        print_json({"curve": rows, "guessing_the_mean": null, **told, "notes": notes, "figures": figures})
        return
    print_table(pa.Table.from_pylist(rows))
    click.echo(f"pool of {modes.n_pool} examples, kernel {chosen}; guessing the mean errs by {null:.4g}")
    click.echo(
        "falling as powers: " + ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in told.items())
    )
    for note in notes:
        click.echo(f"note: {note}")
    tell_files(files)
    next_command("theory", "select", "--label-noise", 0.1)


def _width(found: "np.ndarray | None") -> int:
    return 1 if found is None else int(found.shape[1])


def _counts(n_pool: int) -> tuple[int, ...]:
    import numpy as np

    from setol.field_theory.features import SHARE_OF_POOL

    last = n_pool // SHARE_OF_POOL
    return tuple(dict.fromkeys(np.geomspace(min(10, last // 2), last, 6).round().astype(int).tolist()))


def _rows(counts: Sequence[int], predicted: "np.ndarray", measured: "SubsetErrors | None") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index, count in enumerate(counts):
        row: dict[str, Any] = {"examples": count, "predicted": float(predicted[index])}
        if measured is not None:
            error = float(measured.error[index])
            row |= {"measured": error, "error_of_it": float(measured.standard_error[index])}
            row |= {"deviation": row["predicted"] / error - 1 if error > 0 else None}
            if measured.misclassified is not None:
                row["misclassified"] = float(measured.misclassified[index])
        rows.append(row)
    return rows


def _draw(
    folder: Path,
    modes: "EmpiricalModes",
    counts: "np.ndarray",
    predicted: "np.ndarray",
    measured: "SubsetErrors | None",
) -> Path:
    from analysis.theory.learning_curves import MeasuredErrors, features_figure, write_figure

    points = MeasuredErrors(counts, measured.error, measured.standard_error) if measured else None
    return write_figure(features_figure(modes, counts, predicted, points), folder / "features.png")


def _power_laws(
    modes: "EmpiricalModes", counts: Sequence[int], predicted: "np.ndarray", measured: "SubsetErrors | None"
) -> dict[str, float]:
    """Exponents of eigenvalues and of the target's power against the rank, and of the curves against the examples."""
    import numpy as np

    from setol.field_theory.features import SHARE_OF_POOL
    from setol.field_theory.power_laws import curve_exponents, rank_exponent

    found: dict[str, float] = {}
    last = min(modes.n_pool // SHARE_OF_POOL, len(modes.spectrum.eigenvalues))
    # Power of single modes jumps about; what is left beyond a rank falls one power slower, and smoothly.
    left = np.cumsum(modes.target_power[::-1])[::-1] + modes.power_beyond
    if last > 2 * _FIRST_RANK and left[last - 1] > 0:
        a = rank_exponent(modes.spectrum.eigenvalues, _FIRST_RANK, last)
        b = 1 + rank_exponent(left, _FIRST_RANK, last)
        found = {"eigenvalues": a, "target_power": b}
        if min(a, b) > 1:  # else a sum does not exist, and no exponent follows
            found["error_by_exponents"] = curve_exponents(a, b, with_ridge=False).bias
    curves = {"predicted_error": predicted} | ({"measured_error": measured.error} if measured else {})
    for name, errors in curves.items():
        if len(counts) > 1 and (errors > 0).all():
            found[name] = float(-np.polyfit(np.log(counts), np.log(errors), 1)[0])
    return found
