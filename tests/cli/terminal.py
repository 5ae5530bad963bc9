"""A terminal to run a command on: Python's own pty, read until a text comes or the command ends."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`setol` with arguments on a terminal of its own; use it with `with`.

    Attributes:
        text: All that came so far, without colours and cursor moves.
    """

    def __init__(self, *arguments: object, columns: int = 100, home: Path | None = None) -> None:
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environment |= {"TERM": "xterm"} | ({"XDG_STATE_HOME": str(home)} if home else {})
        # The login shell's part: the terminal becomes the session's own, so that Ctrl-C reaches the command.
        command = [sys.executable, "-m", "setol_zoo.cli", *map(str, arguments)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command],
            stdin=there,
            stdout=there,
            stderr=there,
            env=environment,
            start_new_session=True,
        )
        os.close(there)
        self.raw, self._seen = "", 0

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._here)

    @property
    def text(self) -> str:
        return _CONTROL.sub("", self.raw).replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        os.write(self._here, keys.encode())

    def wait_for(self, expected: str, seconds: float = 60) -> str:
        """Read until a text has come behind what was waited for before; gives what came up to its end."""
        limit = time.monotonic() + seconds
        while (found := self.text.find(expected, self._seen)) < 0:
            assert time.monotonic() < limit, f"{expected!r} did not come, but {self.text[self._seen :]!r}"
            assert self._read(), f"the command ended before {expected!r} came: {self.text[self._seen :]!r}"
        start, self._seen = self._seen, found + len(expected)
        return self.text[start : self._seen]

    def type_until(self, text: str, expected: str, seconds: float = 60) -> str:
        """Type again every two seconds until the answer comes: a key typed between two prompts can be lost."""
        limit = time.monotonic() + seconds
        while True:
            self.type(text)
            try:
                return self.wait_for(expected, seconds=2)
            except AssertionError:
                if time.monotonic() > limit:
                    raise

    def finish(self, seconds: float = 60) -> int:
        """Read to the end; gives the exit status."""
        limit = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < limit, f"the command did not end: {self.text[-500:]!r}"
        return self.process.wait(10)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._here], [], [], 1)
        try:
            came = os.read(self._here, 65536) if ready else b""
        except OSError:  # the other side is closed
            return False
        self.raw += came.decode(errors="replace")
        return bool(came) or self.process.poll() is None


_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
