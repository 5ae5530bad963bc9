"""JSON that others wrote beside their weights: read as data, and no more of it than such files ever have."""

import json
from pathlib import Path
from typing import Any

LARGEST_JSON = 64 * 2**20
"""Bytes of an index or a configuration; the index of a model of a million tensors has fewer."""


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: It is larger than `LARGEST_JSON`, no JSON, or nested too deeply to be read.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST_JSON + 1)
    if len(content) > LARGEST_JSON:
        raise ValueError(f"it has more than the {LARGEST_JSON} bytes that are read")
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
