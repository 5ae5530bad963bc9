"""What happens in the driver, as events: for a log of one JSON object a line, and for the bar.

An event is a record of the standard library's `logging` under the name `setol_zoo.run`, with a name and fields.
Nothing is written unless somebody listens.
"""

import json
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import FolderError

_LOGGER = logging.getLogger("setol_zoo.run")
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.setLevel(logging.INFO)
_LOGGER.propagate = False

_SECRET = re.compile(r"token|secret|password|passwd|api_?key|access_?key|credential", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@\"]+@")
_SHORTEST_SECRET = 8
_HIDDEN = "***"

Listener = Callable[[str, dict[str, Any]], None]


def event(name: str, **fields: Any) -> None:
    """Tell what has happened, here in the driver's process.

    Args:
        name: What: `run_started`, `run_planned`, `unit_submitted`, `unit_retried`, `unit_finished`, `unit_failed`,
            `node_joined`, `node_lost`, `capacity`, `run_ended`.
        **fields: To whom and how: values that JSON has. docs/scale.md lists them.
    """
    _LOGGER.info(name, extra={"fields": fields})


def new_run_id() -> str:
    """A name for a run: it sorts by time, and two at one moment differ."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call a function with each event's name and fields while the block runs."""
    with _handled_by(_Calls(listener)):
        yield


@contextmanager
def logging_to(path: Path | None) -> Iterator[None]:
    """Append each event to a file, a JSON object a line, while the block runs.

    Args:
        path: The file, made with its folders where it is not there; None logs nothing.

    Raises:
        FolderError: It cannot be written to.
    """
    if path is None:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise FolderError(f"cannot write the log {path}: {error.strerror or error}. Choose another --log.") from error
    handler.setFormatter(_JsonLines())
    try:
        with _handled_by(handler):
            yield
    finally:
        handler.close()


@contextmanager
def _handled_by(handler: logging.Handler) -> Iterator[None]:
    _LOGGER.addHandler(handler)
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)


class _Calls(logging.Handler):
    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        self._listener(record.getMessage(), record.__dict__["fields"])


class _JsonLines(logging.Formatter):
    """An event as a line of JSON. Messages hold no secrets as it is; those of the environment are looked for anyway."""

    def __init__(self) -> None:
        super().__init__()
        named = {value for name, value in os.environ.items() if _SECRET.search(name)}
        self._secrets = sorted((each for each in named if len(each) >= _SHORTEST_SECRET), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, "event": record.getMessage(), **record.__dict__["fields"]}, default=str)
        for secret in self._secrets:
            line = line.replace(json.dumps(secret)[1:-1], _HIDDEN)
        return _IN_ADDRESS.sub(f"{_HIDDEN}@", line)
