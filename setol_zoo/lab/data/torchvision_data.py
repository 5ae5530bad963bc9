"""Data sets that torchvision downloads, as the content of IDX files; who asks verifies it."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from checkpoints.downloads import Say
from setol_zoo.lab.data.idx_files import IdxFile
from setol_zoo.lab.errors import DataError


def fetch_idx(kind: str, files: Sequence[IdxFile], cache: Path, say: Say) -> list[bytes]:
    """The IDX files of MNIST or FashionMNIST.

    Args:
        kind: torchvision's name of the data set, and of its folder.
        files: Those that are wanted.
        cache: Where there is room for them while they are read.
        say: Takes a line that they are fetched.

    Raises:
        DataError: They could not be downloaded.
        CheckpointError: torchvision is not installed.
    """
    with torchvision_download(kind, cache, say) as (datasets, folder):
        getattr(datasets, kind)(folder, download=True)
        return [(folder / kind / "raw" / file.names[0]).read_bytes() for file in files]


@contextmanager
def torchvision_download(kind: str, cache: Path, say: Say) -> Iterator[tuple[ModuleType, Path]]:
    """`torchvision.datasets`, and a folder to download into that is removed afterwards.

    Args:
        kind: torchvision's name of the data set.
        cache: Where there is room for it.
        say: Takes a line that it is fetched.

    Raises:
        DataError: The download that is carried out inside failed.
        CheckpointError: torchvision is not installed.
    """
    from checkpoints.torchvision_import import import_torchvision  # which imports torch

    import_torchvision()
    datasets = import_module("torchvision.datasets")
    with tempfile.TemporaryDirectory(dir=cache, prefix=".torchvision-") as folder:
        say(f"fetching {kind} through torchvision")
        try:
            yield datasets, Path(folder)
        except (OSError, RuntimeError) as error:  # no network, no mirror that answers, or another hash
            told = re.sub(r"https?://[^\s,]+", "a mirror", " ".join(str(error).split()))
            raise DataError(f"torchvision could not download {kind}: {told}") from error
