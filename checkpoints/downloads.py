"""What a download shows: a bar of its own on a free terminal, a line where another bar is being drawn."""

import sys
import threading
from collections.abc import Callable

from rich.file_proxy import FileProxy

Say = Callable[[str], None]
"""Takes a line that somebody should read."""


def say_here(line: str) -> None:
    """Write a line to standard error; above the bar, where rich draws one."""
    sys.stderr.write(f"{line}\n")


def under_a_bar() -> bool:
    """Whether rich draws a bar on this terminal; it then stands in for standard error, and prints lines above it."""
    return isinstance(sys.stderr, FileProxy)


def may_draw() -> bool:
    """Whether a bar may be drawn here: on a terminal, where no other bar is, by the main thread."""
    return sys.stderr.isatty() and not under_a_bar() and threading.current_thread() is threading.main_thread()


def announce(name: str, size: int | None = None) -> None:
    """Where no bar may be drawn because of another, say in a line what is fetched; `size` is in bytes."""
    if under_a_bar():
        say_here(f"fetching {name}" + (f" ({size / 1e6:.0f} MB)" if size else ""))
