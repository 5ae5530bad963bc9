"""What the trained networks say of the theory: makes docs/laboratory.md and its figures from the stored tables.

`python docs/make_laboratory.py` makes the page in seconds, with every number in it; with `--results FOLDER` the tables
are those of `setol lab run` in that folder. No network is trained.
"""

import argparse
import textwrap
from pathlib import Path

from setol_zoo.lab.claims.published import published
from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.report import Report, picture_file, report
from setol_zoo.lab.stored import read_all_tables, read_tables

DOCS = Path(__file__).resolve().parent
FIGURES = "figures"
EXPERIMENTS = ("mlp3", "fc1", "fc2")

INTRODUCTION = """
# The laboratory

SETOL was tried by its authors on one small network, trained on MNIST at many learning rates and batch sizes
({paper}). Here the same networks are trained again, by a command, and go through the same pipeline as any other
model: each state that is kept is a checkpoint with measured errors. `python docs/make_laboratory.py` makes this page,
with every number and figure in it, from the tables that come with the package.

    setol lab list                                       # the experiments
    setol lab run mlp3 --results results/lab             # train, analyze, truncate; goes on where it was stopped
    setol lab report mlp3 --results results/lab --output mlp3.html
    setol lab report mlp3                                # the same from the stored tables
"""

SETUP = """
The network has layers of 784, 300, 100 and 10, ReLU between them, biases that begin at 0 and Glorot-normal weights.
It learns by stochastic gradient descent without momentum or weight decay, at a constant rate, on the mean loss of a
batch, until the training loss has not fallen by 1e-4 below its least value for three epochs. A tenth of the training
examples is held out. The numbers are those of the last epoch. What differs from the published code: there every run
began from the same weights, and the runs of one setting differed in what was held out; here a seed stands for initial
weights, order and split, and networks of one seed share all of it across settings, so that differences between
settings are taken seed by seed.

Published numbers have no table: most are read off figures, to about the width of a mark (errors 0.05 percentage
points, alpha 0.02, erg_delta 0.05). They stand, with their source, in `setol_zoo/lab/claims/published.toml`.

An outcome follows from the rule that stands with its claim, and from nothing else. A sweep is judged where it has three
settings or more, its weakest and its strongest among them; else claims about it are open. Intervals are of 95 %:
of means by Student's t over seeds, of rank correlations by Fisher's z; ± is the standard deviation over seeds.
"""


def page(found: Report) -> str:
    """The whole page."""
    parts = [
        INTRODUCTION.format(paper=published().paper).strip(),
        "## The networks",
        " ".join(found.facts),
        SETUP.strip(),
        found.markdown(FIGURES).strip(),
    ]
    return "\n\n".join(map(_filled, "\n\n".join(parts).split("\n\n"))) + "\n"


def stored_report(results: Path | None = None) -> Report:
    """The claims judged by all sweeps that are there.

    Args:
        results: A results folder; None for the tables that come with the package.

    Raises:
        SettingError: There is none.
    """
    there = [name for name in EXPERIMENTS if _is_there(name, results)]
    return report(read_all_tables(there or EXPERIMENTS, results), ", ".join(there))


def _is_there(name: str, results: Path | None) -> bool:
    try:
        read_tables(name, results)
    except SettingError:
        return False
    return True


def _filled(block: str) -> str:
    """A paragraph in lines of at most 120 characters; tables, code, headings and pictures as they are."""
    if block.startswith(("|", "    ", "#", "!")):
        return block
    return textwrap.fill(" ".join(block.split()), 120, break_long_words=False, break_on_hyphens=False)


def main() -> None:
    """Write the page and its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, help="folder of `setol lab run`; by default the stored tables")
    parser.add_argument("--output", type=Path, default=DOCS / "laboratory.md", help="the page")
    chosen = parser.parse_args()
    found = stored_report(chosen.results)
    folder = chosen.output.parent / FIGURES
    folder.mkdir(parents=True, exist_ok=True)
    for claim in found.judged:
        for picture in claim.pictures:
            (folder / f"{picture.name}.png").write_bytes(picture_file(picture))
    chosen.output.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
