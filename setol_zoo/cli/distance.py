"""`setol distance`: how far two models are apart, matrix by matrix."""

from dataclasses import asdict

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors
from setol_zoo.cli.completion import complete_model
from setol_zoo.cli.edited import device_option, print_left, reports_model_errors, rows_option

_COLUMNS = {
    **{"layer": "layer", "part": "part", "kind": "kind", "n_rows": "N", "n_cols": "M", "n_slices": "taps"},
    **{"distance": "distance", "relative": "relative", "cka": "cka", "reason": "note"},
}


@click.command("distance", short_help="How far two models are apart, matrix by matrix.")
@click.argument("model", shell_complete=complete_model)
@click.argument("base", shell_complete=complete_model)
@device_option
@rows_option
@json_option
@reports_user_errors
def command(model: str, base: str, device: str, rows: int, as_json: bool) -> None:
    """Compare MODEL with BASE, tensor by tensor under the same names.

    Prints for every matrix the Frobenius distance ||W - W_base||, the same relative to ||W_base||, and CKA, which is 1
    for matrices equal up to a factor and a rotation. What one of the two alone has, or has in another shape, is named.

    Exit status: 0 done, 1 weights could not be had or read, 2 the call was wrong.
    """
    import pyarrow as pa

    from catalogs import counted
    from setol_zoo.cli.tables import print_json, print_narrowed
    from setol_zoo.distance import distance

    with reports_model_errors():
        found = distance(model, base, device=device)
    matrices = [asdict(matrix) for matrix in found.matrices]
    if as_json:
        print_json({"model": found.name, "base": found.base, "matrices": matrices, "only_in_base": found.only_in_base})
        return
    if matrices:
        table = pa.table({title: [matrix[name] for matrix in matrices] for name, title in _COLUMNS.items()})
        print_narrowed(table, ("part", "note", "kind", "taps"), title=f"{found.name} and {found.base}", limit=rows)
    print_left(matrices, "not compared")
    if found.only_in_base:
        shown = ", ".join(found.only_in_base[:5]) + (", ..." if len(found.only_in_base) > 5 else "")
        click.echo(f"only in {found.base}: {counted(len(found.only_in_base), 'tensor')} ({shown})")
    compared = [matrix for matrix in matrices if matrix["reason"] is None]
    click.echo(f"compared: {counted(len(compared), 'matrix', 'matrices')} of {len(matrices)}")
    next_command("analyze", model, "--base", base)
