"""`setol figures`: the theory in pictures."""

from pathlib import Path

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors, shown_path

FORMATS = ("png", "svg")


@click.command("figures", short_help="Draw the theory: its laws beside simulations.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--output",
    default="figures",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder to write to.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="png", show_default=True, help="Of the pictures.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Where simulations come from.")
@json_option
@reports_user_errors
def command(names: tuple[str, ...], output: Path, form: str, seed: int, as_json: bool) -> None:
    """Draw figures that explain the theory, from its own functions and seeded simulations; needs no results.

    NAME is phases, marchenko_pastur, tracy_widom, transition, mean_trap, r_transforms or r_integrals; without any, all
    are drawn. docs/figures.md says what they show.
    """
    from analysis.theory.write import write_theory_figures
    from setol_zoo.cli.tables import console, print_json

    with console(stderr=True).status("drawing") as status:
        files = write_theory_figures(
            output, names, form=form, seed=seed, progress=lambda name: status.update(f"drawing {name}")
        )
    if as_json:
        print_json({"figures": [str(path) for path in files]})
        return
    for path in files:
        click.echo(f"figure: {shown_path(path.absolute())}")
    next_command("analyze", "resnet20", "--permutations", 1, "--plot", "plots")
