"""Writing to a folder or an object store, each file whole or not at all.

Here a file is written under a hidden name beside its place, synchronized and renamed. In an object store it is one
upload, which is seen when it is complete.
"""

import os
import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.places import Place, Where, filesystem_of
from catalogs.reaching import PlaceError, files_below, reached, read_file

STALE_SECONDS = 3600
"""Age after which a temporary file is taken for what a killed process left behind."""

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")

_PROBE = ".setol"
_PROBE_CONTENT = b"setol-zoo was here, to see whether what it writes is what it reads.\n"


@dataclass(frozen=True, slots=True)
class Store:
    """Files below a place, by their names relative to it.

    Attributes:
        where: The place.
        patient: Whether to wait for an object store that does not answer: it has answered before.
    """

    where: Where
    patient: bool = False

    def names(self, folder: str) -> dict[str, int]:
        """The finished files of a folder, by name, and their sizes in bytes; none where it is not there."""
        found = files_below(self.where, folder, patient=self.patient)
        return {name: int(info.size) for name, info in found.items()}

    def exists(self, name: str) -> bool:
        """Whether a file is there."""
        return bool(reached(self.where, lambda: self._info(name), patient=self.patient))

    def read(self, name: str) -> pa.Buffer:
        """All of a file.

        Raises:
            FileNotFoundError: It is not there.
        """
        return pa.py_buffer(read_file(self.where, name, patient=self.patient))

    def rows(self, name: str) -> int:
        """How many rows a Parquet file has."""

        def count() -> int:
            filesystem, root = filesystem_of(self.where)
            with filesystem.open_input_file(f"{root}/{name}") as file:
                return int(pq.read_metadata(file).num_rows)

        return reached(self.where, count, patient=self.patient)

    def put(self, content: bytes, name: str) -> None:
        """Put a file in place whole; an older one of that name is replaced.

        Raises:
            OSError: It cannot be written; nothing of it is seen.
        """
        if isinstance(self.where, Path):
            write_bytes(content, self.where / name)
        else:
            reached(self.where, lambda: self._upload(content, name), patient=self.patient)

    def rename(self, name: str, other: str) -> None:
        """Give a file another name; nothing happens if it is not there (any more)."""
        if isinstance(self.where, Path):
            with suppress(FileNotFoundError):
                os.replace(self.where / name, self.where / other)
            return
        filesystem, root = filesystem_of(self.where)
        with suppress(FileNotFoundError):
            reached(self.where, lambda: filesystem.move(f"{root}/{name}", f"{root}/{other}"), patient=self.patient)

    def prepare(self, folders: tuple[str, ...]) -> None:
        """Make sure that files can be written, and clear what killed processes left.

        An object store needs no folders and keeps nothing half-written; there a small file is written and read again.

        Raises:
            OSError: They cannot be written, or do not come back as they were.
        """
        if isinstance(self.where, Place):
            self.put(_PROBE_CONTENT, _PROBE)
            if self.read(_PROBE).to_pybytes() != _PROBE_CONTENT:
                raise PlaceError(
                    f"{self.where} gives back other bytes than were written: the server does not know the checksums "
                    "that are sent along. Set AWS_REQUEST_CHECKSUM_CALCULATION=when_required and try again."
                )
            return
        for folder in folders:
            (self.where / folder).mkdir(parents=True, exist_ok=True)
        probe = temporary(self.where / "probe")
        probe.touch()
        probe.unlink()
        for folder in ("", *folders):
            _clear(self.where / folder)

    def _info(self, name: str) -> bool:
        filesystem, root = filesystem_of(self.where)
        return bool(filesystem.get_file_info(f"{root}/{name}").is_file)

    def _upload(self, content: bytes, name: str) -> None:
        filesystem, root = filesystem_of(self.where)
        stream = filesystem.open_output_stream(f"{root}/{name}")
        stream.write(content)
        stream.close()  # this completes it; not in a `with`, which would complete one that was broken off, too


def temporary(path: Path) -> Path:
    """A hidden name beside a file that nothing else has; once it is old, `Store.prepare` clears it."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")


def _clear(folder: Path) -> None:
    """Remove what killed processes left in a folder, and nothing in the folders below it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name[0] == "." and _TEMPORARY.fullmatch(entry.name):
                with suppress(FileNotFoundError):  # another run has just put it in place
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE_SECONDS:
                        os.unlink(entry)


def write_bytes(content: bytes, path: Path) -> None:
    """Put a file of this machine in place whole, its content on the disk before its name.

    A power cut leaves no empty file.
    """
    partial = temporary(path)
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
