"""Arrow tables as aligned text and as HTML: numbers to the right, the same decimals down a column, NULL as a dot."""

import html
import math
import re
from typing import Any

import pyarrow as pa

from catalogs import counted
from catalogs.plain import plain_text

_LINE_ENDS = re.compile(r"[\r\n]")


def text_table(table: pa.Table, *, limit: int | None = None) -> str:
    """Rows under their column names, columns two blanks apart.

    Args:
        table: The rows.
        limit: Most rows to show; how many are left out is said in a last line.
    """
    columns = []
    for name, cells, number in _columns(table, limit):
        width = max(map(len, [name, *cells]))
        columns.append([text.rjust(width) if number else text.ljust(width) for text in [name, *cells]])
    lines = [_LINE_ENDS.sub(" ", "  ".join(row)).rstrip() for row in zip(*columns, strict=True)]
    return "\n".join([*lines, *_left_out(table, limit)])


def html_table(table: pa.Table, *, limit: int | None = None) -> str:
    """The same as an HTML table; what is in the cells is escaped."""
    columns = _columns(table, limit)
    head = "".join(_cell_html("th", name, number) for name, _, number in columns)
    rows = zip(*(cells for _, cells, _ in columns), strict=True)
    numbers = [number for _, _, number in columns]
    body = "".join(
        f"<tr>{''.join(_cell_html('td', cell, number) for cell, number in zip(row, numbers, strict=True))}</tr>"
        for row in rows
    )
    rest = "".join(f"<p>{line}</p>" for line in _left_out(table, limit))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def column_cells(values: list[Any]) -> list[str]:
    """A column's values as text; floats with the same decimals, four digits for the largest."""
    sizes = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value) and value]
    decimals = max(0, 3 - math.floor(math.log10(max(sizes)))) if sizes else 0
    fits = sizes and decimals <= 6 and min(sizes) >= 10.0**-decimals
    return [
        f"{value:.{decimals}f}" if fits and isinstance(value, float) and math.isfinite(value) else cell(value)
        for value in values
    ]


def _columns(table: pa.Table, limit: int | None) -> list[tuple[str, list[str], bool]]:
    """Name, cells, and whether they are numbers, of every column."""
    shown = table if limit is None else table.slice(0, limit)
    return [
        (
            field.name,
            column_cells(shown[field.name].to_pylist()),
            is_number(field.type),
        )
        for field in shown.schema
    ]


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of that type is set to the right."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def cell(value: Any) -> str:
    """One value as a line: four digits of a float, a dot for NULL, the beginning of a list, no hidden characters."""
    if value is None:
        return "·"
    if isinstance(value, list):
        return f"[{', '.join(map(cell, value[:4]))}{', ...' if len(value) > 4 else ''}]"
    return f"{value:.4g}" if isinstance(value, float) else plain_text(_LINE_ENDS.sub(" ", str(value)))


def _cell_html(tag: str, text: str, number: bool) -> str:
    return f'<{tag} style="text-align:{"right" if number else "left"}">{html.escape(plain_text(text))}</{tag}>'


def _left_out(table: pa.Table, limit: int | None) -> list[str]:
    more = 0 if limit is None else len(table) - limit
    return [f"... and {counted(more, 'more row')}"] if more > 0 else []
