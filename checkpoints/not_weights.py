"""Files that torch or others wrote, and that are no saved weights: told by how they begin, and by what they hold."""

import zipfile
from pathlib import Path

from checkpoints.errors import CheckpointError

_ZIP, _PICKLE = b"PK", b"\x80"
_SHOWN = 16
_READ = 80
_GIT_LFS = b"version https://git-lfs.github.com/spec/"

_PROGRAMS = {
    "constants.pkl": ("a TorchScript archive", "torch.jit.load"),
    "archive_format": ("an archive of torch.export", "torch.export.load"),
    "serialized_exported_program.json": ("an archive of torch.export", "torch.export.load"),
    ".data/extern_modules": ("an archive of torch.package", "torch.package.PackageImporter"),
}
"""Entries that only a program has, which `torch.save` never writes, and how each is loaded."""


def kind_of(path: Path) -> str:
    """What a weight file is called in messages."""
    return "safetensors file" if path.suffix.lower() == ".safetensors" else "checkpoint"


def refuse_stand_ins(path: Path) -> None:
    """Refuse what servers and git leave in the place of a file: a page that says why, or a pointer to it.

    Raises:
        CheckpointError: It is a web page, or a pointer of Git LFS.
    """
    first = _start(path, _READ).lstrip()
    if first.startswith(_GIT_LFS):
        raise CheckpointError(
            f"{path.name} is a pointer of Git LFS: its weights were not fetched with the repository. "
            "Run `git lfs pull` there."
        )
    if first.startswith(b"<"):
        begins = first.split(b">")[0].decode(errors="replace") + ">"
        raise CheckpointError(
            f"damaged {kind_of(path)} {path.name}: it starts with {begins!r}, so it is a web page. "
            "Open it to see what the server said, and fetch it again."
        )


def refuse_other_starts(path: Path) -> None:
    """Refuse a file that starts with neither of the two formats of `torch.save`.

    A text is refused here by its name, as its letters are opcodes to a reader of pickles.

    Raises:
        CheckpointError: It is a text, an image, or anything else that torch did not write.
    """
    first = _start(path, _SHOWN)
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


def _start(path: Path, n_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(n_bytes)
