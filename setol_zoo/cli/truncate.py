"""`setol truncate`: a model of which only the tails, or the effective correlation spaces, are left."""

from pathlib import Path

import click

from setol_zoo.cli.common import reports_user_errors
from setol_zoo.cli.completion import complete_preset
from setol_zoo.cli.edited import print_edited, reports_model_errors, writes_model

_COLUMNS = {
    **{"layer": "layer", "part": "part", "tap": "tap", "kind": "kind", "n_evals": "evals", "n_kept": "kept"},
    **{"lambda_min": "lambda_min", "removed_share": "removed"},
}


@click.command("truncate", short_help="Write a model of which only tails, or effective correlation spaces, are left.")
@writes_model
@click.option(
    "--to",
    type=click.Choice(["tail", "ecs"]),
    default="tail",
    show_default=True,
    help="What is kept: the power-law tail, or the effective correlation space of SETOL.",
)
@click.option(
    "--preset",
    "preset_name",
    default="default",
    show_default=True,
    help="Options of the fit by name, as for setol analyze.",
    shell_complete=complete_preset,
)
@click.option("--min-evals", type=int, help="Fewest eigenvalues for a tail fit; overrides the preset.")
@reports_user_errors
def command(
    model: str,
    out: Path,
    force: bool,
    device: str,
    rows: int,
    as_json: bool,
    to: str,
    preset_name: str,
    min_evals: int | None,
) -> None:
    """Write MODEL with every matrix cut down to the singular components of its tail.

    These are the components with s >= sqrt(lambda_min), lambda_min being that of `setol analyze` with the same options.
    Matrices without a tail stay as they were, and are named. All other tensors are copied.

    Exit status: 0 done, 1 the weights could not be had, read or written, 2 the call was wrong.
    """
    from setol_zoo.truncate import truncate

    with reports_model_errors():
        edited = truncate(model, out, to=to, preset=preset_name, min_evals=min_evals, device=device, force=force)
    cut = [change for change in edited.changes if change.reason is None]
    kept, of = sum(change.n_kept for change in cut), sum(change.n_evals for change in cut)
    done = f"truncated to the {'tail' if to == 'tail' else 'ECS'}: {kept} of {of} components kept in {len(cut)} rows"
    print_edited(edited, _COLUMNS, done=done, rows=rows, as_json=as_json)
