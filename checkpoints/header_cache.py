"""Headers of weight files by their sha256, kept in the cache: what a file holds never changes, so it is asked once."""

import json
import os
import re
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from checkpoints.tensors import TensorHeader

_SHA256 = re.compile(r"[0-9a-f]{64}")


def cached_headers(sha256: str | None, cache: Path) -> tuple[tuple[TensorHeader, ...], int | None] | None:
    """The tensors of a weight file and its bytes, where they were told, if its header was read before.

    None if it was not, or what was kept is damaged.

    Args:
        sha256: The file's content.
        cache: Cache directory.
    """
    if (path := _path(sha256, cache)) is None:
        return None
    try:
        kept = json.loads(path.read_bytes())
        size = None if kept["size"] is None else int(kept["size"])
        entries = kept["tensors"]
        return tuple(
            TensorHeader(str(name), str(dtype), tuple(map(int, shape))) for name, dtype, shape in entries
        ), size
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep_headers(sha256: str | None, headers: Sequence[TensorHeader], size: int | None, cache: Path) -> None:
    """Keep the tensors of a weight file for later; a cache that cannot be written to stops nobody.

    Args:
        sha256: The file's content, as its source says: a run checks it, a header alone cannot.
        headers: Its tensors.
        size: Its bytes, None where nobody says.
        cache: Cache directory, made if missing.
    """
    if (path := _path(sha256, cache)) is None:
        return
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = [(each.name, each.dtype, each.shape) for each in headers]
        partial.write_text(json.dumps({"size": size, "tensors": tensors}, separators=(",", ":")))
        os.replace(partial, path)


def _path(sha256: str | None, cache: Path) -> Path | None:
    """Where the header of a file of that content is kept; None for what is no sha256."""
    if sha256 is None or not _SHA256.fullmatch(sha256):
        return None
    return cache / "headers" / sha256[:2] / f"{sha256}.json"
