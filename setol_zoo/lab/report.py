"""The report of a sweep: every claim with its verdict, tables and figures, as HTML, as Markdown and for a terminal."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup
from PIL import Image

from analysis.drawing.style import house_style, svg_of
from analysis.opening.placing import put_in_place
from catalogs import counted
from catalogs.plain import plain_text
from setol_zoo.lab.claims.every import judge_all
from setol_zoo.lab.claims.evidence import Evidence, evidence
from setol_zoo.lab.claims.published import published
from setol_zoo.lab.claims.records import Claim, Outcome, Picture, Table
from setol_zoo.lab.claims.spread import spread
from setol_zoo.lab.claims.words import alone, listed, measured
from setol_zoo.lab.lab_tables import Tables
from setol_zoo.lab.zoo_report import judge_zoo

_PAGE = "report.html.j2"
_COLOURS = 96

ZOO = "zoo"
"""The experiment that asks other questions, of networks of many groups."""
_SWEPT = ("learning_rate", "batch_size")


@dataclass(frozen=True, slots=True)
class Report:
    """What the networks of an experiment say about the claims.

    Attributes:
        experiment: Its name, or several.
        facts: About the networks, a sentence each.
        claims: All of them, judged.
        paper: Where published numbers beside them are from.
    """

    experiment: str
    facts: tuple[str, ...]
    claims: tuple[Claim, ...]
    paper: str | None = None

    @property
    def judged(self) -> tuple[Claim, ...]:
        """Those that the networks say something about."""
        return tuple(claim for claim in self.claims if claim.tables)

    @property
    def open(self) -> tuple[Claim, ...]:
        """Those that need other networks."""
        return tuple(claim for claim in self.claims if not claim.tables)

    def lines(self) -> list[str]:
        """For a file or a pipe: the facts, then a line a claim, in their order."""
        return [*self.facts, *(f"{claim.title}: {claim.outcome}. {claim.said}" for claim in self.claims)]

    def markdown(self, figures: str | None = None) -> str:
        """Sections of a page, a claim each, from the second level of headings on.

        Args:
            figures: Folder that the page finds the pictures in, as PNG under their names; None for no pictures.
        """
        parts = [_outcomes(self.claims)]
        for claim in self.judged:
            parts += [f"## {claim.title}", f"Claimed: {claim.claimed}", f"**{_begun(claim.outcome)}.** {claim.verdict}"]
            if figures is not None:
                parts += [f"![{claim.title}]({figures}/{each.name}.png)\n\n{each.caption}" for each in claim.pictures]
            parts += [_markdown_table(table) for table in claim.tables]
            parts += [f"Counts as seen where: {claim.rule}"]
            parts += list(claim.missing)
        return "\n\n".join(parts) + "\n"

    def write(self, path: str | Path) -> Path:
        """Write the report as one HTML file: figures inside, nothing to load, no scripts.

        Args:
            path: The file; it is put in place whole, and one that is there is replaced.

        Raises:
            AnalysisError: It cannot be written.
        """
        place = Path(path)
        put_in_place(self.html().encode(), place, "report to", "Name another file.")
        return place

    def html(self) -> str:
        """The report as text; the same tables give the same text."""
        environment = jinja2.Environment(
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            finalize=lambda value: plain_text(value, keep="\t\n") if type(value) is str else value,
            loader=jinja2.FunctionLoader(_template),
        )
        drawn = {each.name: Markup(drawing(each)) for claim in self.claims for each in claim.pictures}
        return environment.get_template(_PAGE).render(report=self, drawn=drawn, Outcome=Outcome)


def report(tables: Tables, experiment: str) -> Report:
    """Judge the claims by the tables of an experiment.

    Args:
        tables: They may hold a part of the settings, or none; claims then say what is missing.
        experiment: Its name; `zoo` has questions of its own.
    """
    if experiment == ZOO:
        facts, claims = judge_zoo(tables)
        return Report(experiment, facts, claims)
    found = evidence(tables)
    return Report(experiment, tuple(_facts(found)), judge_all(found), published().paper)


def drawing(picture: Picture) -> str:
    """A picture as an SVG element."""
    with house_style():
        return svg_of(picture.draw(), picture.name)


def picture_file(picture: Picture) -> bytes:
    """A picture as a PNG file of its own, in few colours: a third of the size, and the same to the eye."""
    drawn, reduced = io.BytesIO(), io.BytesIO()
    with house_style():
        picture.draw().savefig(drawn, format="png", dpi=110, metadata={"Software": None})
    image = Image.open(drawn).convert("RGB").quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE)
    image.save(reduced, format="png", optimize=True)
    return reduced.getvalue()


def _template(name: str) -> str:
    """The page is ours; its look is that of the report of results."""
    package = __package__ if name == _PAGE else "analysis.reporting"
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _facts(found: Evidence) -> list[str]:
    last: pd.DataFrame = found.last_networks
    if last.empty:
        return ["No trained network."]
    told = [f"{counted(len(last), 'trained network')} of {found.group}, {counted(last['seed'].nunique(), 'seed')}."]
    settings = [
        f"{name.replace('_', ' ')} {listed([f'{each:g}' for each in sorted(set(last[name]))])}" for name in _SWEPT
    ]
    told.append(f"Settings: {'; '.join(settings)}; layers that learn: {_learning(set(last['trained']))}.")
    ends = last["end"].value_counts()
    stopped = int(ends.get("max_epochs", 0))
    epochs = spread(last["epoch"])
    told.append(
        f"{counted(int(ends.get('converged', 0)), 'training')} ended because the loss no longer fell, {stopped} at "
        f"the most epochs allowed, after {measured(epochs, 0)} epochs; {found.diverged} diverged."
    )
    if stopped and found.comparable:
        told.append("Networks that were stopped early stand beside published ones that were not.")
    if not found.comparable:
        told.append(
            f"The published numbers ({published().paper}) are of a 784-300-100-10 network on MNIST, so none stand "
            "beside these."
        )
    if found.left_out:
        told.append(f"Not looked at: {listed(found.left_out)}, of which there are fewer networks.")
    return told


def _learning(trained: set[str]) -> str:
    """`all`, and `fc1 alone, or fc2 alone` of networks in which one layer learns."""
    return ", ".join(filter(None, ["all" * ("all" in trained), alone(sorted(trained - {"all"}))]))


def _outcomes(claims: Sequence[Claim]) -> str:
    rows = tuple((claim.title, claim.told_outcome) for claim in claims)
    return _markdown_table(Table("How the claims come out", ("claim", "outcome"), rows))


def _markdown_table(table: Table) -> str:
    lines = [table.header, ("---",) * len(table.header), *table.rows]
    return f"{table.caption}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]
