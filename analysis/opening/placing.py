"""Files put in place whole: a reader sees all of one or nothing."""

import os
import uuid
from contextlib import suppress
from pathlib import Path

from analysis.errors import AnalysisError


def put_in_place(content: bytes, path: Path, what: str, advice: str) -> None:
    """Write a file under a hidden name beside its place, then rename it; the folder is made if missing.

    The content is on the disk before the name is, so that a power cut leaves no empty file.

    Args:
        content: All of it.
        path: Its place.
        what: What an error calls it: `report to`, `picture`.
        advice: What an error says to do.

    Raises:
        AnalysisError: It cannot be written; nothing half-written is left.
    """
    partial = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise AnalysisError(f"cannot write the {what} {path}: {error.strerror or error}. {advice}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
