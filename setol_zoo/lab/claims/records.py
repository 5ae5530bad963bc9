"""What judging a claim gives: a verdict in words, the tables behind it, and pictures that are drawn when asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from matplotlib.figure import Figure

from analysis.formats import DASH
from setol_zoo.lab.claims.published import published

PUBLISHED = "published"
"""Heading of columns with published numbers."""


class Outcome(StrEnum):
    """How a claim came out."""

    SEEN = "seen"
    PARTLY = "seen in part"
    NOT_SEEN = "not seen"
    OPEN = "open"
    """What was measured does not decide it, or nothing was."""


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of text under a caption; the first column says what a row is."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that is drawn when it is needed.

    Attributes:
        name: Unique in a report, fit for a file.
        caption: What it shows, in sentences.
        draw: Draws it; the caller is in the house style (`analysis.drawing.style`).
    """

    name: str
    caption: str
    draw: Callable[[], Figure]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the theory, judged.

    Attributes:
        name: Short, unique.
        title: A heading.
        claimed: What the theory or its paper says, in a sentence.
        rule: When it counts as seen.
        outcome: How it came out by that rule.
        verdict: Sentences with the numbers.
        missing: What was not there to be judged, a sentence each.
        tables: Behind the verdict.
        pictures: The same, drawn.
    """

    name: str
    title: str
    claimed: str
    rule: str
    outcome: Outcome
    verdict: str
    missing: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()

    @property
    def told_outcome(self) -> str:
        """The outcome; of an open claim with the reason."""
        if self.outcome is not Outcome.OPEN:
            return str(self.outcome)
        return f"{self.outcome}: {' '.join(self.missing) or 'What was measured does not decide it.'}"

    @property
    def said(self) -> str:
        """The verdict with what was missing; without anything measured, that alone."""
        return " ".join([*([self.verdict] if self.tables else []), *self.missing])


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of a claim's networks say.

    Attributes:
        judged: Which parts of the rule hold.
        told: Sentences.
        table: Behind them.
    """

    judged: tuple[bool, ...]
    told: tuple[str, ...]
    table: Table


def table_of(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table without those columns headed `published` that hold nothing; where one stays, the caption says what of."""
    blank = [
        place for place, name in enumerate(header) if name == PUBLISHED and all(row[place] == DASH for row in rows)
    ]
    kept = [place for place in range(len(header)) if place not in blank]
    told = f" Published: means of {published().runs} runs." if PUBLISHED in [header[place] for place in kept] else ""
    return Table(
        caption + told,
        tuple(header[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
    )


def outcome_of(judged: Sequence[bool]) -> Outcome:
    """Seen where all hold, not seen where none does, open where nothing could be judged."""
    if not judged:
        return Outcome.OPEN
    return Outcome.SEEN if all(judged) else Outcome.PARTLY if any(judged) else Outcome.NOT_SEEN
