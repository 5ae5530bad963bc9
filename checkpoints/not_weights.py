"""Files that torch or others wrote, and that are no saved weights: told by how they begin, and by what they hold."""

import zipfile
from pathlib import Path

from checkpoints.errors import CheckpointError

_ZIP, _PICKLE = b"PK", b"\x80"
_SHOWN = 16

_PROGRAMS = {
    "constants.pkl": ("a TorchScript archive", "torch.jit.load"),
    "archive_format": ("an archive of torch.export", "torch.export.load"),
    "serialized_exported_program.json": ("an archive of torch.export", "torch.export.load"),
    ".data/extern_modules": ("an archive of torch.package", "torch.package.PackageImporter"),
}
"""Entries that only a program has, which `torch.save` never writes, and how each is loaded."""


def refuse_other_starts(path: Path) -> None:
    """Refuse a file that starts with neither of the two formats of `torch.save`.

    A text is refused here by its name, as its letters are opcodes to a reader of pickles.

    Raises:
        CheckpointError: It is a text, an image, or anything else that torch did not write.
    """
    with path.open("rb") as file:
        first = file.read(_SHOWN)
    if not first.startswith((_ZIP, _PICKLE)):
        raise CheckpointError(
            f"damaged checkpoint {path.name}: it starts with {first!r}, so it is no torch file: those start with "
            f"{_ZIP!r} (a zip) or {_PICKLE!r} (a pickle). Check that it is the file that you mean, or fetch it again."
        )


def refuse_programs(path: Path) -> None:
    """Refuse a zip in which torch has put a model's code beside its weights. Only the names of its entries are read.

    Raises:
        CheckpointError: It is of TorchScript, torch.export or torch.package.
        zipfile.BadZipFile: It is no zip archive.
    """
    with zipfile.ZipFile(path) as archive:
        inside = {name.partition("/")[2] for name in archive.namelist()}  # below the folder that torch names
    for entry, (what, load) in _PROGRAMS.items():
        if entry in inside:
            raise CheckpointError(
                f"refused {path.name}: it is {what}, a program with its weights, and weights are data: an archive "
                f"with code is not opened. Where you trust it, load it yourself with {load} and save its "
                "state_dict() as safetensors."
            )
