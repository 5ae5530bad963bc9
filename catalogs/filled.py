"""Results folders that may be meant where the one that was named is none."""

import os
import shlex
from pathlib import Path

_MOST = 3
"""Folders that a message names."""


def filled_inside(folder: Path) -> str:
    """The end of a sentence that asks for a results folder, where the one that was named is none.

    Args:
        folder: A folder of this machine; one that cannot be listed has nothing to offer.

    Returns:
        Such as `; inside this one: --results results/demo`, with up to three of the results folders that lie directly
        in `folder`, as they are typed here; a full stop where there are none.
    """
    try:
        here = Path.cwd()
        with os.scandir(folder) as entries:
            found = sorted(Path(each) for each in entries if each.is_dir() and _is_filled(each.path))
    except OSError:
        return "."
    if not found:
        return "."
    typed = [path.relative_to(here) if path.is_relative_to(here) else path for path in found[:_MOST]]
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return f"; inside this one: {', '.join(f'--results {shlex.quote(str(path))}' for path in typed)}{more}"


def _is_filled(folder: str) -> bool:
    """Whether a folder looks like one of results, by three looks at most; one that cannot be looked into does not."""
    catalog = os.path.join(folder, "catalog")
    journal = os.path.isdir(catalog) or os.path.isfile(f"{catalog}.parquet")
    return journal and os.path.isdir(os.path.join(folder, "options"))
