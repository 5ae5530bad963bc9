"""Arrow tables on a terminal, as CSV, as JSON."""

import json
import math
import sys
from collections.abc import Sequence
from typing import Any

import click
import pyarrow as pa
import pyarrow.csv as pacsv
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from catalogs import counted
from catalogs.plain import plain_text
from setol_zoo.cells import cell, column_cells, is_number, text_table

MOST_RECORDS = 20
"""Rows shown below each other; more would scroll away."""


WIDE = 100_000
"""Columns of a line where there is no terminal to fit: nothing is cut or broken in a file or a pipe."""


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal, or wide enough for anything where there is none."""
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=WIDE)


def print_table(table: pa.Table, *, title: str | None = None, limit: int | None = None) -> None:
    """Print rows under their column names, numbers to the right, NULL as a dot.

    Args:
        table: The rows.
        title: A line above.
        limit: Most rows to show; how many are left out is said.
    """
    screen = console()
    if not screen.is_terminal:
        _print_lines(table, title, limit)
        return
    shown = table if limit is None else table.slice(0, limit)
    screen.print(_grid(shown, title))
    _say_left_out(len(table) - len(shown))


def print_narrowed(table: pa.Table, droppable: Sequence[str], *, title: str | None = None, limit: int) -> None:
    """Print rows as `print_table` does; on a terminal that is too narrow, without some columns, which are then named.

    Args:
        table: The rows.
        droppable: Columns that may be left out, the first first; those without any value go before all others.
        title: A line above.
        limit: Most rows to show; how many are left out is said.
    """
    screen, shown, dropped = console(), table.slice(0, limit), []
    if not screen.is_terminal:
        _print_lines(table, title, limit)
        return
    empty = [name for name in droppable if not any(shown[name].to_pylist())]
    for name in dict.fromkeys([*empty, *droppable]):
        if _natural_width(screen, _grid(shown, None)) <= screen.width:
            break
        shown = shown.drop_columns([name])
        dropped += [name] * (name not in empty)
    screen.print(_grid(shown, title))
    _say_left_out(len(table) - len(shown))
    if dropped:
        click.echo(f"left out to fit: {', '.join(dropped)}; a wider terminal, a pipe, or --json has them")


def print_fitting(table: pa.Table, *, limit: int | None = None) -> None:
    """Print rows as a table, or below each other as records where a table is wider than the terminal.

    Args:
        table: The rows.
        limit: Most rows to show; how many are left out is said.
    """
    screen = console()
    if not screen.is_terminal:
        _print_lines(table, None, limit)
        return
    shown = table if limit is None else table.slice(0, limit)
    grid = _grid(shown, None)
    if _natural_width(screen, grid) <= screen.width:
        screen.print(grid)
        _say_left_out(len(table) - len(shown))
        return
    shown = shown.slice(0, MOST_RECORDS)
    for number, row in enumerate(shown.to_pylist(), 1):
        screen.print(Text(f"row {number} of {len(table)}", style="bold"))
        record = Table.grid(padding=(0, 2))
        record.add_column()
        record.add_column(overflow="fold")
        for name, value in row.items():
            record.add_row(Text(plain_text(f"  {name}")), Text(cell(value)))
        screen.print(record)
    _say_left_out(len(table) - len(shown))


def _print_lines(table: pa.Table, title: str | None, limit: int | None) -> None:
    """A line a row, as long as it takes, for programs that read lines."""
    if title is not None:
        click.echo(plain_text(title))
    click.echo(text_table(table, limit=limit))


def _natural_width(screen: Console, grid: Table) -> int:
    return screen.measure(grid, options=screen.options.update(max_width=10**6)).maximum


def _say_left_out(count: int) -> None:
    if count:
        click.echo(f"... and {counted(count, 'more row')}")


def _grid(shown: pa.Table, title: str | None) -> Table:
    head = None if title is None else Text(plain_text(title))
    grid = Table(title=head, title_justify="left", box=None, pad_edge=False, header_style="bold")
    columns = []
    for field in shown.schema:
        justify: JustifyMethod = "right" if is_number(field.type) else "left"
        grid.add_column(Text(plain_text(field.name)), justify=justify, overflow="fold")
        columns.append(column_cells(shown[field.name].to_pylist()))
    for row in zip(*columns, strict=True):
        grid.add_row(*map(Text, row))
    return grid


def print_csv(table: pa.Table) -> None:
    """Print rows as CSV; lists are written as JSON."""
    columns = []
    for column in table.columns:
        nested = pa.types.is_nested(column.type)
        columns.append(pa.array([_json(value) for value in column.to_pylist()]) if nested else column)
    sink = pa.BufferOutputStream()
    pacsv.write_csv(pa.table(columns, names=table.column_names), sink)
    text = sink.getvalue().to_pybytes().decode()
    sys.stdout.write(plain_text(text, keep="\r\n") if sys.stdout.isatty() else text)  # a file gets what is there


def print_json(value: Any) -> None:
    """Print a table (as a list of objects) or any plain value as JSON; NaN and infinities become null."""
    click.echo(_json(value.to_pylist() if isinstance(value, pa.Table) else value, indent=1))


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(_plain(value), indent=indent, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
