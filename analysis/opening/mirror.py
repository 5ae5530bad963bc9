"""The files of a results folder, here: a folder of this machine as it is, an object store's through copies.

Copies lie in the cache under `mirror/`. Files of results never change, so each is fetched once; what there is is
listed each time, a thousand files a request. Only what a question needs is fetched, several files at one time.
"""

import os
import sys
import time
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.errors import AnalysisError
from catalogs.names import counted
from catalogs.places import Place, Where, cache_directory, filesystem_of
from catalogs.plain import no_file_name
from catalogs.reaching import PlaceError, at_once, check_bucket, files_below, reached, read_file

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

FOLDERS = ("catalog", "scores", "options", "attempts", "spectra/v1", "layers/v1")

_OLD_TABLES = ("catalog.parquet", "scores.parquet")

ORIGIN = ".origin"
"""File of a mirror that says what it is a copy of."""

_SECONDS = 5.0
"""Between lines about how far fetching is."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """The files of one results folder.

    Attributes:
        where: The results folder.
        root: Where its files, or copies of them, lie on this machine.
        files: What there is, by name relative to the folder.
    """

    where: Where
    root: Path
    files: Mapping[str, "FileInfo"]

    def below(self, folder: str, suffix: str) -> dict[str, Path]:
        """The files of a folder with a suffix, by their stems: where they lie, once they are fetched."""
        names = [name for name in self.files if name.startswith(f"{folder}/") and name.endswith(suffix)]
        return {Path(name).stem: self.root / name for name in names}

    def fetch(self, paths: Collection[Path]) -> None:
        """See to it that files are here; those that belong to other folders are passed over.

        Raises:
            AnalysisError: They cannot be had.
        """
        if isinstance(self.where, Path):
            return
        names = [path.relative_to(self.root).as_posix() for path in paths if path.is_relative_to(self.root)]
        missing = [name for name in names if not self._is_here(name)]
        if not missing:
            return
        (self.root / ORIGIN).parent.mkdir(parents=True, exist_ok=True)
        _put(str(self.where).encode(), self.root / ORIGIN)
        total = sum(int(self.files[name].size) for name in missing)
        started = told = time.monotonic()
        try:
            for number, _ in enumerate(at_once(self._fetch, missing), 1):
                if time.monotonic() - told > _SECONDS:
                    told = time.monotonic()
                    what = f"{number:,} of {counted(len(missing), 'file')} ({total / 1e6:,.0f} MB)"
                    print(f"fetched {what} from {self.where} in {told - started:.0f} s", file=sys.stderr)  # noqa: T201
        except PlaceError as error:
            raise AnalysisError(str(error)) from error
        except FileNotFoundError as error:
            raise AnalysisError(f"a file of {self.where} has just gone: {error}. Call the same again.") from error

    def _is_here(self, name: str) -> bool:
        if name.endswith(".json"):  # the only files that change
            return False
        try:
            here = (self.root / name).stat()
        except FileNotFoundError:
            return False
        return here.st_size == self.files[name].size and here.st_mtime_ns == self.files[name].mtime_ns

    def _fetch(self, name: str) -> None:
        content = read_file(self.where, name, patient=True)
        whole = content[:4] == content[-4:] == b"PAR1"
        if name.endswith(".parquet") and not whole and not name.startswith("attempts/"):
            raise AnalysisError(
                f"{name} of {self.where} cannot be read: it is no Parquet file, or cut short. Delete it there; the "
                "`setol run` that made it makes it anew."
            )
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _put(content, path, self.files[name].mtime_ns)


def mirror_of(where: Where) -> Mirror:
    """List a results folder; nothing is fetched yet.

    Raises:
        AnalysisError: It cannot be reached.
    """
    try:
        files = old_tables(where)
        for found in at_once(lambda folder: files_below(where, folder, patient=True), FOLDERS):  # it has answered
            files |= {name: info for name, info in found.items() if _is_ours(name)}
        if not files and isinstance(where, Place):
            check_bucket(where)
    except PlaceError as error:
        raise AnalysisError(str(error)) from error
    if isinstance(where, Path):
        return Mirror(where, where, files)
    name = sha256(f"{where.endpoint} {where}".encode()).hexdigest()[:12]
    return Mirror(where, cache_directory().absolute() / "mirror" / f"{where.name}-{name}", files)


def _is_ours(name: str) -> bool:
    """Whether a file lies directly in a known folder, under a name that may become one here.

    Who fills a bucket chooses its keys, and a copy is written under the same name.
    """
    folder, _, file = name.rpartition("/")
    return folder in FOLDERS and bool(file) and file[0] != "." and no_file_name(file) is None


def old_tables(where: Where) -> dict[str, "FileInfo"]:
    """The tables of a folder from before they were journals."""
    from pyarrow.fs import FileType

    def found() -> list["FileInfo"]:
        filesystem, root = filesystem_of(where)
        infos: list[FileInfo] = filesystem.get_file_info([f"{root}/{name}" for name in _OLD_TABLES])
        return infos

    infos = zip(_OLD_TABLES, reached(where, found, patient=False), strict=True)
    return {name: info for name, info in infos if info.type == FileType.File}


def _put(content: bytes, path: Path, mtime_ns: int | None = None) -> None:
    """A copy, whole. No `fsync`: a power cut costs no more than fetching it again."""
    partial = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        partial.write_bytes(content)
        if mtime_ns is not None:
            os.utime(partial, ns=(mtime_ns, mtime_ns))
        os.replace(partial, path)
    except OSError as error:
        raise AnalysisError(
            f"cannot keep a copy in {path.parent}: {error.strerror or error}. Name another cache with SETOL_CACHE."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
