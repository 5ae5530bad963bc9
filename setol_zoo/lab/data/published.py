"""A data set as four IDX files of pinned sha256: looked for in folders, else made by a source and kept in the cache."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from filelock import FileLock

from checkpoints.downloads import Say
from checkpoints.errors import CheckpointError
from setol_zoo.lab.data.examples import DataSet, Examples
from setol_zoo.lab.data.idx import read_idx
from setol_zoo.lab.errors import DataError

Source = Callable[[Path, Say], Sequence[bytes]]
"""Makes the content of the four files, in their order; takes the cache directory and what takes a line to read."""


@dataclass(frozen=True, slots=True)
class IdxFile:
    """One of the four files.

    Attributes:
        name: In its folder, where it may also have `.gz` behind.
        shape: Of its array.
        sha256: Of its bytes, not compressed.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return 4 + 4 * len(self.shape) + prod(self.shape)


@dataclass(frozen=True, slots=True)
class Published:
    """A data set that others published.

    Attributes:
        name: What it is asked for by, and its folder's name.
        files: Images and labels to learn from, then to test.
        sources: Tried in this order where no folder has the files.
        torchvision: The folder in which torchvision keeps the same files, if it does.
        instead: What to use where it cannot be had.
    """

    name: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    sources: Sequence[Source]
    torchvision: str | None = None
    instead: str = ""


def idx_files(
    shape: tuple[int, int, int], n_train: int, n_test: int, sha256: tuple[str, str, str, str]
) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
    """The four files by the names of MNIST's.

    Args:
        shape: Of an image: (channels, height, width). One channel is no dimension in the file.
        n_train: Examples to learn from.
        n_test: Examples to test.
        sha256: Of train images, train labels, test images, test labels.
    """
    inner = shape if shape[0] > 1 else shape[1:]
    images = f"images-idx{1 + len(inner)}-ubyte"
    return (
        IdxFile(f"train-{images}", (n_train, *inner), sha256[0]),
        IdxFile("train-labels-idx1-ubyte", (n_train,), sha256[1]),
        IdxFile(f"t10k-{images}", (n_test, *inner), sha256[2]),
        IdxFile("t10k-labels-idx1-ubyte", (n_test,), sha256[3]),
    )


def read_published(data: Published, cache: Path, say: Say) -> DataSet:
    """Read a data set, fetching it first where it is in no folder.

    Looked for in `$SETOL_DATA/<name>`, in torchvision's folder below $SETOL_DATA, and in `<cache>/data/<name>`, where
    what was fetched is kept. Several processes may ask at once; one fetches, the others wait.

    Args:
        data: Which.
        cache: Cache directory, made if missing.
        say: Takes lines about what is fetched, and what was damaged.

    Raises:
        DataError: It cannot be had, or a folder of the user's holds other files.
    """
    for folder in _user_folders(data):
        if any(_existing(folder, file) for file in data.files):
            return _data_set(data, [_read(folder, file) for file in data.files])
    kept = cache / "data" / data.name
    kept.mkdir(parents=True, exist_ok=True)
    (cache / "locks").mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "locks" / f"data-{data.name}.lock"):
        contents = _kept(data, kept, say)
        if contents is None:
            contents = _fetched(data, cache, kept, say)
            for file, content in zip(data.files, contents, strict=True):
                _put(content, kept / file.name)
    return _data_set(data, contents)


def _user_folders(data: Published) -> list[Path]:
    chosen = os.environ.get("SETOL_DATA")
    if not chosen:
        return []
    root = Path(chosen).expanduser()
    return [root / data.name, *([root / data.torchvision / "raw"] if data.torchvision else [])]


def _existing(folder: Path, file: IdxFile) -> Path | None:
    return next((path for path in (folder / file.name, folder / f"{file.name}.gz") if path.is_file()), None)


def _read(folder: Path, file: IdxFile) -> bytes:
    path = _existing(folder, file)
    if path is None:
        raise DataError(f"need {file.name} or {file.name}.gz in {folder}, where other files of this data set are.")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
            content = opened.read(file.size + 1)  # a .gz may hold a thousand times its size
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error or 'it ends too early'}. Get it again.") from error
    read_idx(content, str(path)) if len(content) <= file.size else None
    _verify(content, file, str(path))
    return content


def _verify(content: bytes, file: IdxFile, what: str) -> None:
    actual = hashlib.sha256(content).hexdigest()
    if actual != file.sha256:
        raise DataError(
            f"wrong hash: {what} must hold the bytes with sha256 {file.sha256}, and those here have {actual}. It is "
            "damaged, or the file of another data set; remove it, or get it again."
        )


def _kept(data: Published, kept: Path, say: Say) -> list[bytes] | None:
    if not any(_existing(kept, file) for file in data.files):
        return None
    try:
        return [_read(kept, file) for file in data.files]
    except DataError as error:
        say(f"{error} Until then {data.name} is fetched again.")
        return None


def _fetched(data: Published, cache: Path, kept: Path, say: Say) -> Sequence[bytes]:
    reasons = []
    for source in data.sources:
        try:
            contents = source(cache, say)
            for file, content in zip(data.files, contents, strict=True):
                _verify(content, file, f"{file.name} of {data.name}")
            return contents
        except (CheckpointError, DataError) as error:
            reasons.append(str(error).rstrip("."))
    names = ", ".join(file.name for file in data.files)
    raise DataError(
        f"the data set {data.name} cannot be had: {'; '.join(reasons)}. Put its files ({names}; or each with .gz) into "
        f"{kept}{data.instead}"
    )


def _put(content: bytes, target: Path) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _data_set(data: Published, contents: Sequence[bytes]) -> DataSet:
    arrays = [read_idx(content, file.name) for file, content in zip(data.files, contents, strict=True)]
    train, test = (
        Examples(
            np.ascontiguousarray(images if images.ndim == 4 else images[:, None]),
            labels.astype(np.int64),
        )
        for images, labels in (arrays[:2], arrays[2:])
    )
    return DataSet(data.name, train, test, n_classes=10)
