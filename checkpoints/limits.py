"""What a file of others may take of this machine: memory, modules, and tensors no larger than what holds them."""

import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.module import register_module_module_registration_hook

from checkpoints.errors import CheckpointError

MEMORY_TO_OPEN = 4 * 2**30
"""Bytes that opening a pickle may take beyond the file's own."""

MEMORY_TO_BUILD = 8 * 2**30
"""Bytes that the libraries of architectures may take for themselves, and as much for what is built."""

MOST_MODULES = 500_000
"""Modules of an architecture; one with 256 experts in each of 61 layers has fewer than 100,000."""

SMALL_TENSOR = 16 * 2**20
"""Bytes of a tensor that may be larger than its file: a mask of one entry that is repeated."""

_LIMIT = threading.Lock()
_STATM = Path("/proc/self/statm")


@contextmanager
def bounded_memory(own: int = 0) -> Iterator[None]:
    """Let this process take `own` + `MEMORY_TO_OPEN` bytes more and no others, where the system can be told so.

    A file that claims more than there is then ends in a MemoryError, in the place of the whole machine.

    Args:
        own: Bytes that are expected: those of a file that is read whole.
    """
    if not _STATM.exists():  # only Linux tells it
        yield
        return
    import resource  # which Windows has not

    with _LIMIT:  # the limit is of the process, so one thread at a time may set it
        taken = int(_STATM.read_text().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = [taken + own + MEMORY_TO_OPEN, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
        resource.setrlimit(resource.RLIMIT_AS, (min(wanted), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def bounded_modules() -> Iterator[None]:
    """Let modules be built, and no more than `MOST_MODULES` of them: a configuration may ask for any number of layers.

    Raises:
        CheckpointError: More were asked for.
    """
    count = 0

    def one_more(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > MOST_MODULES:
            raise CheckpointError(f"refused: its configuration asks for more than {MOST_MODULES} modules.")

    handle = register_module_module_registration_hook(one_more)
    try:
        yield
    finally:
        handle.remove()


def refuse_compressed(path: Path) -> None:
    """Refuse a zip of torch whose entries are compressed, or overlap: torch writes and maps them as they are.

    Raises:
        CheckpointError: It is a bomb, or was packed by another program: its bytes would be no weights.
        zipfile.BadZipFile: It is no zip archive.
    """
    with zipfile.ZipFile(path) as archive:
        entries = [each for each in archive.infolist() if "/code/" not in each.filename]  # a program of TorchScript
    packed = next((each for each in entries if each.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise CheckpointError(
            f"refused {path.name}: its entry {packed.filename!r} is compressed, {packed.compress_size} bytes for "
            f"{packed.file_size}, and torch stores entries as they are. Unpack it and zip it again without "
            "compression, or save it with torch.save."
        )
    total, size = sum(each.file_size for each in entries), path.stat().st_size
    if total > size:
        raise CheckpointError(f"refused {path.name}: its entries have {total} bytes, and the file has {size}.")


def refuse_overgrown(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Refuse a pickle with a tensor that is larger than the file, and so repeats a few numbers or has none.

    Raises:
        CheckpointError: There is one.
    """
    size = max(path.stat().st_size, SMALL_TENSOR)
    for name, tensor in tensors.items():
        if (claimed := tensor.numel() * tensor.element_size()) > size:
            raise CheckpointError(
                f"refused {path.name}: its tensor {name} of shape {list(tensor.shape)} would take {claimed} bytes, "
                f"and the file has {path.stat().st_size}. Its numbers are not in it."
            )
