"""`python -m setol_zoo.cli`, the same as `setol`."""

from setol_zoo.cli import main

main(prog_name="setol")
