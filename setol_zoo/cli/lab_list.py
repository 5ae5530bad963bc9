"""`setol lab list`: which experiments there are."""

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors


@click.command("list", short_help="Experiments, their questions, and how many networks they train.")
@json_option
@reports_user_errors
def list_experiments(as_json: bool) -> None:
    """List the experiments: the question of each, how many networks it trains, and on what data."""
    import pyarrow as pa

    from setol_zoo.cli.tables import print_json, print_table
    from setol_zoo.lab.experiments import EXPERIMENTS

    rows = []
    for each in EXPERIMENTS.values():
        full, quick = each.settings(), each.settings(quick=True)
        rows.append(
            {
                "experiment": each.name,
                "networks": len(full),
                "quick": len(quick),
                "core_minutes": each.core_minutes,
                "data": ", ".join(dict.fromkeys(setting.data for setting in full)),
                "question": each.question,
            }
        )
    if as_json:
        print_json(rows)
        return
    print_table(pa.Table.from_pylist(rows))
    next_command("lab", "run", rows[0]["experiment"], "--quick", "--data", "digits", "--results", "results/lab")
