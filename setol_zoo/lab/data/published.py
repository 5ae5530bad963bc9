"""A data set as four IDX files of pinned sha256: looked for in folders, else made by a source and kept in the cache."""

import gzip
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from checkpoints.downloads import Say
from checkpoints.errors import CheckpointError
from setol_zoo.lab.data.examples import DataSet, Examples
from setol_zoo.lab.data.idx import read_idx
from setol_zoo.lab.data.idx_files import IdxFile, path_of, read_verified, verify
from setol_zoo.lab.errors import DataError

Source = Callable[[Path, Say], Sequence[bytes]]
"""Makes the content of the four files, in their order; takes the cache directory and what takes a line to read."""


@dataclass(frozen=True, slots=True)
class Published:
    """A data set that others published.

    Attributes:
        name: What it is asked for by, and its folder's name.
        files: Images and labels to learn from, then to test.
        sources: Tried in this order where no folder has the files.
        torchvision: The folder in which torchvision keeps the same files, if it does.
        instead: What to take where it cannot be had.
    """

    name: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    sources: Sequence[Source]
    torchvision: str | None = None
    instead: str = ""


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
        if _begun(folder, data):
            return _data_set(data, [read_verified(folder, file) for file in data.files])
    kept = cache / "data" / data.name
    kept.mkdir(parents=True, exist_ok=True)
    (cache / "locks").mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "locks" / f"data-{data.name}.lock"):
        contents = _kept(kept, data, say)
        if contents is None:
            contents = _fetched(data, cache, kept, say)
            for file, content in zip(data.files, contents, strict=True):
                _put(content, kept / file.names[0])
    return _data_set(data, contents)


def _user_folders(data: Published) -> list[Path]:
    chosen = os.environ.get("SETOL_DATA")
    if not chosen:
        return []
    root = Path(chosen).expanduser()
    return [root / data.name, *([root / data.torchvision / "raw"] if data.torchvision else [])]


def _begun(folder: Path, data: Published) -> bool:
    return any(path_of(folder, file) for file in data.files)


def _kept(kept: Path, data: Published, say: Say) -> Sequence[bytes] | None:
    if not _begun(kept, data):
        return None
    try:
        return [read_verified(kept, file) for file in data.files]
    except DataError as error:
        say(f"{data.name} is damaged in the cache, and is fetched again: {error}")
        return None


def _fetched(data: Published, cache: Path, kept: Path, say: Say) -> Sequence[bytes]:
    reasons = []
    for source in data.sources:
        try:
            contents = source(cache, say)
            for file, content in zip(data.files, contents, strict=True):
                verify(content, file, f"{file.names[0]} of {data.name}")
            return contents
        except (CheckpointError, DataError) as error:
            reasons.append(str(error).rstrip("."))
    names = ", ".join(file.names[0] for file in data.files)
    raise DataError(
        f"the data set {data.name} cannot be had: {'; '.join(reasons)}. Put its files ({names}) into {kept}, or copy "
        f"that folder from a machine that has it{data.instead}."
    )


def _put(content: bytes, target: Path) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _data_set(data: Published, contents: Sequence[bytes]) -> DataSet:
    arrays = [
        read_idx(gzip.decompress(content) if file.packed else content, file.name)
        for file, content in zip(data.files, contents, strict=True)
    ]
    train, test = (
        Examples(images if images.ndim == 4 else images[:, None], labels.astype(np.int64))
        for images, labels in (arrays[:2], arrays[2:])
    )
    return DataSet(data.name, train, test, n_classes=10)
