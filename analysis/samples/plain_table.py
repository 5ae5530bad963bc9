"""Tables of other people, CSV or Parquet, as columns of text that are read as numbers where numbers are needed.

Nothing in a file is run, guessed or passed on to a query: cells are data, whatever is written in them.
"""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import AnalysisError
from analysis.statistics.records import Vector
from catalogs import counted, unknown_name

_PARQUET = b"PAR1"
_NAMED = 5
"""Rows or models that a message names."""

_SAVE_AS = "save it as CSV (UTF-8, commas, decimal points)"
"""What to do with the file of a spreadsheet."""

Cells = Sequence[str | float | None]


@dataclass(frozen=True, slots=True, eq=False)
class PlainTable:
    """Columns of one length.

    Attributes:
        file: The file's name, for messages.
        columns: Their cells by name: text (stripped) or numbers, None for blank ones. Cells of a CSV file are text.
        lines: The line of each row in a CSV file, empty for Parquet, where rows are numbered from 1.
    """

    file: str
    columns: Mapping[str, Cells]
    lines: Sequence[int] = ()

    def __len__(self) -> int:
        """Rows."""
        return len(next(iter(self.columns.values()), ()))

    def has(self, *names: str) -> bool:
        """Whether all these columns are there."""
        return all(name in self.columns for name in names)

    def texts(self, name: str) -> list[str | None]:
        """A column as text; a whole number has no decimals.

        Raises:
            AnalysisError: There is no such column.
        """
        return [None if cell is None else cell if isinstance(cell, str) else f"{cell:g}" for cell in self._cells(name)]

    def numbers(self, name: str) -> Vector:
        """A column as numbers, NaN for blank cells, shape (rows,). What is written as nan or inf comes as it is.

        Raises:
            AnalysisError: There is no such column, or a cell is no number; the message has its row.
        """
        values = [_number(cell) for cell in self._cells(name)]
        wrong = [index for index, value in enumerate(values) if value is None]
        if wrong:
            cells = self.columns[name]
            told = ", ".join(f"{self.place(index)}: {str(cells[index])[:40]!r}" for index in wrong[:_NAMED])
            raise AnalysisError(
                f"{self.file}: column {name!r} needs numbers such as 91.2, got text in "
                f"{counted(len(wrong), 'row')} ({told}{', ...' if len(wrong) > _NAMED else ''})"
                f"{_mend([str(cells[index]) for index in wrong])}."
            )
        return np.array(values, dtype=np.float64)

    def blank(self, name: str) -> list[bool]:
        """Which cells of a column hold nothing."""
        return [cell is None for cell in self._cells(name)]

    def is_numeric(self, name: str) -> bool:
        """Whether a column has a number and nothing but numbers and blank cells."""
        cells = [cell for cell in self._cells(name) if cell is not None]
        return bool(cells) and all(_number(cell) is not None for cell in cells)

    def nearly_numeric(self, name: str) -> bool:
        """Whether a column has nothing but numbers in another way of writing (decimal commas, a percent sign)."""
        cells = [cell for cell in self._cells(name) if cell is not None]
        return bool(cells) and all(isinstance(cell, str) for cell in cells) and bool(_mend(list(map(str, cells))))

    def place(self, index: int) -> str:
        """What a row is called."""
        return f"line {self.lines[index]}" if self.lines else f"row {index + 1}"

    def places(self, chosen: Sequence[int]) -> str:
        """What several rows are called, the first of many."""
        return ", ".join(self.place(index) for index in chosen[:_NAMED]) + (", ..." if len(chosen) > _NAMED else "")

    def _cells(self, name: str) -> Cells:
        if name not in self.columns:
            raise AnalysisError(f"{self.file}: {unknown_name('column', name, self.columns)}")
        return self.columns[name]


def read_table(path: Path) -> PlainTable:
    """Read a CSV file (UTF-8, commas, a header line) or a Parquet file.

    Raises:
        AnalysisError: It is not there, or not such a table; the message says what it looks like.
    """
    try:
        start = path.open("rb").read(4096) if path.is_file() else None
    except OSError as error:
        raise AnalysisError(f"{path} cannot be read: {error.strerror}.") from error
    if start is None:
        there = "is a folder" if path.is_dir() else "is not there"
        raise AnalysisError(f"{path} {there}; need a CSV or Parquet file with a row a model.")
    table = _parquet(path) if start.startswith(_PARQUET) else _csv(path, start)
    if not len(table):
        raise AnalysisError(f"{path.name} has no rows below its header; need a row a model.")
    return table


def _parquet(path: Path) -> PlainTable:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise AnalysisError(f"{path.name} begins like a Parquet file but cannot be read: {error}.") from error
    columns: dict[str, Cells] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in columns:
            raise AnalysisError(f"{path.name}: column {name!r} appears more than once, need it once.")
        kind = column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            columns[name] = column.cast(pa.float64(), safe=False).to_pylist()
        elif not pa.types.is_nested(kind):
            columns[name] = [None if cell is None else str(cell).strip() or None for cell in column.to_pylist()]
    return PlainTable(path.name, columns)


def _csv(path: Path, start: bytes) -> PlainTable:
    if start.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        raise AnalysisError(f"{path.name} is a workbook or an archive and no table: {_SAVE_AS}.")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise AnalysisError(f"{path.name} is in UTF-16, and need UTF-8: {_SAVE_AS}.")
    if b"\0" in start or start.lstrip()[:1] in (b"<", b"{", b"["):
        raise AnalysisError(f"{path.name} is no table: it is neither CSV text nor a Parquet file.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except UnicodeDecodeError as error:
        bad = f"byte {error.object[error.start]:#x} in it is no UTF-8"
        raise AnalysisError(f"{path.name} cannot be read as CSV: {bad}. In a spreadsheet, {_SAVE_AS}.") from error
    except (csv.Error, OSError) as error:
        raise AnalysisError(f"{path.name} cannot be read as CSV in UTF-8: {error}.") from error
    if len(header) < 2:
        other = next((name for mark, name in ((";", "semicolons"), ("\t", "tabs")) if mark in "".join(header)), None)
        why = f"its columns are separated by {other}, and need commas; in a spreadsheet, {_SAVE_AS}"
        why = why if other else "it has fewer than two columns"
        raise AnalysisError(f"{path.name} is no table of models: {why}.")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise AnalysisError(f"{path.name}: column {twice!r} appears {header.count(twice)} times, need it once.")
    for line, row in rows:
        if len(row) != len(header):
            told = f"has {len(row)} cells where the header has {len(header)} (is a comma unquoted?)"
            raise AnalysisError(f"{path.name}: line {line} {told}.")
    columns: dict[str, Cells] = {
        name: [row[place].strip() or None for _, row in rows] for place, name in enumerate(header)
    }
    return PlainTable(path.name, columns, [line for line, _ in rows])


def _mend(cells: Sequence[str]) -> str:
    """How cells that are no numbers would be some: the end of a sentence, or nothing."""
    if all(re.fullmatch(r"-?\d+,\d+", cell) for cell in cells):
        return f"; write decimal points, {cells[0].replace(',', '.')}"
    if all(re.fullmatch(r"-?[\d.]+ ?%", cell) for cell in cells):
        return f"; leave out the %, {cells[0].rstrip(' %')}, and say --unit percent"
    return ""


def _number(cell: str | float | None) -> float | None:
    """A cell as a number: NaN where it is blank, None where it is text."""
    if cell is None:
        return math.nan
    if not isinstance(cell, str):
        return cell
    try:
        return float(cell.replace("_", "?"))  # Python reads 1_000, no one else does
    except ValueError:
        return None
