"""A CSV file as rows that know their line, and read their cells as text, numbers or truth values.

Whatever is wrong is noted down with its place and reading goes on, so that one message mends the whole file.
"""

import csv
import io
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from catalogs.names import unknown_name
from catalogs.plain import hidden_character

_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHOLE = re.compile(r"[0-9]{1,18}")  # fits int64
_TRUTH = {"true": True, "false": False}
_SCORE = "a score is a number in value, and what it measures in metric"
_MEANT = dict.fromkeys(("score", "scores", "accuracy", "acc", "result"), _SCORE)
"""Columns that people write, in words of those that there are."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a CSV file.

    Attributes:
        place: File name and line number, `mine.csv:4`.
        cells: Column to text, stripped; blank cells are absent.
        problems: Where all rows of a catalog note what is wrong with them.
    """

    place: str
    cells: Mapping[str, str]
    problems: list[str]

    def problem(self, message: str) -> None:
        """Note down that something is wrong with this row."""
        self.problems.append(f"{self.place}: {message}")

    def text(self, column: str) -> str | None:
        """The cell, or None if it is blank."""
        return self.cells.get(column)

    def whole(self, column: str) -> int | None:
        """The cell as a whole number above zero."""
        text = self.cells.get(column)
        if text is None:
            return None
        if not _WHOLE.fullmatch(text) or int(text) == 0:
            self.problem(f"{column} needs a whole number above 0 in plain digits, got {text!r}")
            return None
        return int(text)

    def real(self, column: str) -> float | None:
        """The cell as a finite number."""
        text = self.cells.get(column)
        if text is None:
            return None
        try:
            number = float(text.replace("_", "?"))  # Python reads 1_000, no one else does
        except ValueError:
            self.problem(f"{column} needs a number such as 91.2, got {text!r}")
            return None
        if not math.isfinite(number):
            self.problem(f"{column} needs a finite number, got {text!r}; leave out what was not measured")
            return None
        return number

    def truth(self, column: str) -> bool | None:
        """The cell as true or false, in upper or lower case."""
        text = self.cells.get(column)
        if text is None:
            return None
        if text.lower() not in _TRUTH:
            self.problem(f"{column} needs true or false, got {text!r}")
        return _TRUTH.get(text.lower())

    def sha256(self, column: str) -> str | None:
        """The cell as 64 hexadecimal digits, lower case."""
        text = self.cells.get(column)
        if text is None:
            return None
        if not _SHA256.fullmatch(text.lower()):
            self.problem(f"{column} needs the 64 hexadecimal digits of a sha256, got {text!r} ({len(text)} characters)")
            return None
        return text.lower()


def _wrong_columns(header: list[str], columns: Collection[str]) -> Iterator[str]:
    """A sentence for each unknown or repeated column."""
    for column in dict.fromkeys(header):
        if column not in columns:
            meant = f"; {_MEANT[column]}" if column in _MEANT and "value" in columns else ""
            yield f"{unknown_name('column', column, columns)}{meant}"
        elif header.count(column) > 1:
            yield f"column {column!r} appears {header.count(column)} times, need it once"


def _other_separator(header: list[str]) -> str | None:
    """What separates the columns of a header that commas do not."""
    known = ((";", "semicolons"), ("\t", "tabs"))
    return next((name for mark, name in known if len(header) == 1 and mark in header[0]), None)


def read_rows(text: str, file: str, columns: Collection[str], problems: list[str]) -> list[Row]:
    """The rows of a CSV text, blank lines left out.

    Args:
        text: The whole file, with a header line. The column `model` is required.
        file: The file's name, for messages.
        columns: The columns there may be.
        problems: Everything found wrong is added here: a missing, unknown or repeated column, broken quotes,
            rows that do not fit the header.

    Returns:
        A row for each line that fits the header; none if the header itself cannot be used.
    """
    lines = _lines(text, file, problems)
    place, header = next(lines, (f"{file}:1", []))
    header = [column.lower() for column in header]
    if not any(header):
        problems.append(f"{file}: is empty; need a header line with at least the column model")
        return []
    if other := _other_separator(header):
        told = "in a spreadsheet, save it as CSV (UTF-8, commas, decimal points)"
        problems.append(f"{place}: columns are separated by {other}, and need commas; {told}")
        return []
    problems += [f"{place}: {wrong}" for wrong in _wrong_columns(header, columns)]
    if "model" not in header:
        problems.append(f"{place}: missing required column 'model'; the columns are {', '.join(header)}")
        return []

    rows = []
    clean = '"' not in text and hidden_character(text, allowed="\r\n") is None  # no cell needs to be looked at
    for place, cells in lines:
        if len(cells) != len(header):
            problems.append(
                f"{place}: has {len(cells)} cells where the header has {len(header)} (is a comma unquoted?)"
            )
            continue
        filled = {column: cell for column, cell in zip(header, cells, strict=True) if cell}
        for column, cell in () if clean else filled.items():
            if column != "model" and (hidden := hidden_character(cell, allowed="\t\r\n" * (column == "notes"))):
                problems.append(f"{place}: {column} holds the character {hidden}, which nobody sees; write it without")
        rows.append(Row(place, filled, problems))
    return rows


def _lines(text: str, file: str, problems: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Place and stripped cells of each line that is not blank; a quoted cell may span several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        place = f"{file}:{reader.line_num + 1}"
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(f"{place}: cannot be read as CSV ({error})")
            return
        if any(cells):
            yield place, cells
