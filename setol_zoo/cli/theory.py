"""`setol theory`: learning curves of infinitely wide networks, from field theory."""

import click

from setol_zoo.cli.group import NamingGroup
from setol_zoo.cli.theory_curve import curve
from setol_zoo.cli.theory_features import features
from setol_zoo.cli.theory_select import select
from setol_zoo.cli.theory_spectrum import spectrum


@click.group("theory", cls=NamingGroup, short_help="Learning curves of wide networks, from field theory.")
def command() -> None:
    """How the error of an infinitely wide network falls with the number of examples, without training one.

    Inputs are uniform on the unit sphere and the target is known by its power in each degree of the harmonics, or both
    come from real examples (`features`). docs/field-theory.md says what is behind it and how far it was measured to
    hold.
    """


for each in (curve, spectrum, select, features):
    command.add_command(each)
