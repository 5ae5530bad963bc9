"""Which code this is: a hash of the sources that results depend on, to be compared between machines."""

import hashlib
from functools import cache
from pathlib import Path

PACKAGES = ("catalogs", "checkpoints", "pipeline", "setol")
"""What a worker imports. The commands and the analysis run where the driver is, and may differ elsewhere."""


@cache
def code_version() -> str:
    """Twelve hexadecimal digits of the hash of all modules, by name and content, as they are on this machine.

    The same for a checkout and an installed wheel of the same code. Read once a process, in some ten milliseconds.
    """
    root = Path(__file__).resolve().parent.parent
    found = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            content = path.read_bytes()
            found.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
            found.update(content)
    return found.hexdigest()[:12]
