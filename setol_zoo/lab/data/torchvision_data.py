"""Data sets that torchvision downloads, as the bytes of IDX files; who asks verifies them."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from checkpoints.downloads import Say
from checkpoints.torchvision_import import import_torchvision
from setol_zoo.lab.data.published import IdxFile
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
    with downloads(kind, cache, say) as (datasets, folder):
        getattr(datasets, kind)(folder, download=True)
        return [(folder / kind / "raw" / file.name).read_bytes() for file in files]


@contextmanager
def downloads(kind: str, cache: Path, say: Say) -> Iterator[tuple[ModuleType, Path]]:
    """`torchvision.datasets` and a folder to download into, which is removed afterwards.

    Args:
        kind: torchvision's name of the data set.
        cache: Where there is room for it.
        say: Takes a line that it is fetched.

    Raises:
        DataError: The download that is carried out inside failed.
        CheckpointError: torchvision is not installed.
    """
    import_torchvision()
    datasets = import_module("torchvision.datasets")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".torchvision-") as folder:
        say(f"fetching {kind} through torchvision")
        try:
            yield datasets, Path(folder)
        except (OSError, RuntimeError) as error:  # no network; none of its mirrors, or another hash
            raise DataError(f"torchvision could not download {kind}: {error}") from error
