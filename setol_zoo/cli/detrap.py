"""`setol detrap`: a model without correlation traps."""

from pathlib import Path

import click

from setol_zoo.cli.common import reports_user_errors
from setol_zoo.cli.edited import print_edited, reports_model_errors, writes_model

_COLUMNS = {
    **{"layer": "layer", "part": "part", "kind": "kind", "n_slices": "taps", "trap_theta": "trap_theta"},
    **{"n_means": "means", "n_components": "components", "removed_share": "removed"},
}


@click.command("detrap", short_help="Write a model without correlation traps.")
@writes_model
@click.option(
    "--remove",
    type=click.Choice(["both", "mean", "components"]),
    default="both",
    show_default=True,
    help="Means that make a trap, components beyond the edge of the permuted matrix, or both.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Where permutations come from.")
@click.option(
    "--tracy-widom-level",
    type=float,
    default=0.99,
    show_default=True,
    help="Probability with which independent Gaussian entries lose nothing.",
)
@reports_user_errors
def command(
    model: str,
    out: Path,
    force: bool,
    device: str,
    rows: int,
    as_json: bool,
    remove: str,
    seed: int,
    tracy_widom_level: float,
) -> None:
    """Write MODEL without correlation traps: eigenvalues that stay when the entries of a matrix are permuted.

    The mean is taken from those matrices where it makes a trap; then the entries are permuted, the components removed
    until none is beyond the edge of the noise that is left, and the entries put back. Other permutations may show a
    trap, near the edge as a rule. Matrices without traps and all other tensors are copied.

    Exit status: 0 done, 1 the weights could not be had, read or written, 2 the call was wrong.
    """
    from catalogs import counted
    from setol_zoo.detrap import detrap

    with reports_model_errors():
        edited = detrap(
            model, out, remove=remove, seed=seed, tracy_widom_level=tracy_widom_level, device=device, force=force
        )
    means = sum(change.n_means for change in edited.changes)
    components = sum(change.n_components for change in edited.changes)
    done = f"removed {counted(means, 'mean')} and {counted(components, 'component')} of permuted matrices"
    print_edited(edited, _COLUMNS, done=done, rows=rows, as_json=as_json)
