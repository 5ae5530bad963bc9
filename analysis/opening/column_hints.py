"""What is said of a column that a query's views do not have."""

import re
from collections.abc import Mapping, Sequence

from catalogs import nearest, unknown_name

_SOURCE = re.compile(r'(?:\bfrom|\bjoin|,)\s*"?(\w+)"?', re.IGNORECASE)
_COMPARED = r"(?:[=<>]|\blike\b|\bilike\b|\bin\s*\([^()]*)\s*"
_AVERAGE = "_mean"


def no_column(name: str, query: str, views: Mapping[str, Sequence[str]]) -> str | None:
    """Say which columns there are instead of one that is not: in the query's views, in others; or that it is a text.

    Args:
        name: The column.
        query: The whole query.
        views: Columns by view.

    Returns:
        The message; None where a view of the query has the column, which a subquery does not pass on.
    """
    asked = [view for view in dict.fromkeys(_SOURCE.findall(query.lower())) if view in views] or list(views)
    known = [column for view in asked for column in views[view]]
    if name.lower() in known:
        return None
    hints = [_elsewhere(name.lower(), views), _as_text(name, query)]
    told = [hint for hint in hints if hint]
    if near := nearest(name, list(dict.fromkeys(known))):
        told.insert(0, f"nearest: {', '.join(near)}")
    message = "; ".join([f"unknown column {name!r}", *told]) if told else unknown_name("column", name, known)
    return f"{message}; DESCRIBE {asked[0] if len(asked) == 1 else 'a view'} shows its columns"


def _elsewhere(name: str, views: Mapping[str, Sequence[str]]) -> str | None:
    """The views that have a column, or its mean over layers."""
    found = []
    for column in (name, name + _AVERAGE):
        if having := [view for view, columns in views.items() if column in columns]:
            found.append(f"{column} is in {' and '.join(having)}")
    return ", ".join(found) or None


def _as_text(name: str, query: str) -> str | None:
    """How the text is written that was taken for a column: with no quotes, or with those of names."""
    bare = rf"\b({re.escape(name)}[\w./@:-]*)(?![\w(])"
    found = re.search(rf'{_COMPARED}(?:"({re.escape(name)})"|{bare})', query, re.IGNORECASE)
    return f"text goes in single quotes: '{found[1] or found[2]}'" if found else None
