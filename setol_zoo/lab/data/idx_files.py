"""The four files of a data set in IDX: their names, sizes and pinned digests, and how a folder's are read."""

import gzip
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from setol_zoo.lab.data.idx import read_idx
from setol_zoo.lab.errors import DataError


@dataclass(frozen=True, slots=True)
class IdxFile:
    """One of the four files.

    Attributes:
        name: In its folder, without `.gz`.
        shape: Of its array.
        sha256: Of its bytes, unpacked; of the packed ones where `packed`.
        packed: It is known by its packed bytes only, and kept like that.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str
    packed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called in a folder; the first is how it is kept."""
        return (f"{self.name}.gz",) if self.packed else (self.name, f"{self.name}.gz")

    @property
    def size(self) -> int:
        """Bytes of the file, unpacked."""
        return 4 + 4 * len(self.shape) + prod(self.shape)


def idx_files(
    shape: tuple[int, ...], n_train: int, n_test: int, sha256: Sequence[str], *, packed: bool = False
) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
    """The four files by the names of MNIST's.

    Args:
        shape: Of an image: (height, width) or (channels, height, width).
        n_train: Examples to learn from.
        n_test: Examples to test.
        sha256: Of train images, train labels, test images, test labels.
        packed: The digests are of the files with `.gz`.
    """
    images = f"images-idx{1 + len(shape)}-ubyte"
    labels = "labels-idx1-ubyte"
    return (
        IdxFile(f"train-{images}", (n_train, *shape), sha256[0], packed),
        IdxFile(f"train-{labels}", (n_train,), sha256[1], packed),
        IdxFile(f"t10k-{images}", (n_test, *shape), sha256[2], packed),
        IdxFile(f"t10k-{labels}", (n_test,), sha256[3], packed),
    )


def path_of(folder: Path, file: IdxFile) -> Path | None:
    """Where a folder has a file, packed or not; None where it does not."""
    return next((folder / name for name in file.names if (folder / name).is_file()), None)


def read_verified(folder: Path, file: IdxFile) -> bytes:
    """The bytes of a file that its digest is of.

    Raises:
        DataError: The folder has no such file, or another one, or it is damaged.
    """
    path = path_of(folder, file)
    if path is None:
        raise DataError(f"need {' or '.join(file.names)} in {folder}, which has other files of this data set.")
    try:
        if file.packed:
            content = path.read_bytes()
        else:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
                content = opened.read(file.size + 1)  # a packed file may be a thousand times as long
            read_idx(content, str(path))  # for what its message tells more than a hash
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error or 'it ends too early'}. Get it again.") from error
    verify(content, file, str(path))
    return content


def verify(content: bytes, file: IdxFile, what: str) -> None:
    """Make sure that bytes are those of a file.

    Raises:
        DataError: They are others.
    """
    actual = hashlib.sha256(content).hexdigest()
    if actual != file.sha256:
        raise DataError(
            f"wrong hash: {what} must have sha256 {file.sha256}, and has {actual}. It is damaged, or of another data "
            "set: remove it, or get it again."
        )
