"""One file out of a zip that others made: never more bytes than it says, and never many times those of the zip."""

import shutil
import zipfile
import zlib
from pathlib import Path

from catalogs.plain import no_file_name
from checkpoints.errors import CheckpointError

MOST_COMPRESSED = 20
"""How many times the bytes of its archive a member may have. Trained weights hardly compress at all."""

_ENCRYPTED = 0x1
_SHOWN = 3


def unpack_member(archive: Path, member: str, copy: Path) -> None:
    """Copy a member of a zip to a file.

    Args:
        archive: The zip.
        member: The member's path in it.
        copy: The file that is written.

    Raises:
        KeyError: There is no such member.
        zipfile.BadZipFile: It is no zip, or damaged.
        CheckpointError: The member would unpack to `MOST_COMPRESSED` times the bytes of the zip.
    """
    with zipfile.ZipFile(archive) as opened:
        _copy(opened, opened.getinfo(member), archive.stat().st_size, copy)


def unpack_only(archive: Path, copy: Path, where: str) -> None:
    """Copy the only file of a zip to a file. What it is called there does not count.

    Args:
        archive: The zip.
        copy: The file that is written.
        where: What the zip is called.

    Raises:
        CheckpointError: It is damaged, or encrypted, holds several files, one with a name that leads elsewhere, or one
            that would unpack to `MOST_COMPRESSED` times the bytes of the zip.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            _copy(opened, _only_file(opened, where), archive.stat().st_size, copy)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise CheckpointError(
            f"damaged zip {where}: {error or 'it ends too early'}. It is cut short or no zip; check the address."
        ) from error


def _only_file(opened: zipfile.ZipFile, where: str) -> zipfile.ZipInfo:
    files = [each for each in opened.infolist() if not each.is_dir()]
    if len(files) != 1:
        names = ", ".join(repr(each.filename) for each in files[:_SHOWN])
        told = f"{len(files)} files ({names}{', ...' if len(files) > _SHOWN else ''})" if files else "no file"
        raise CheckpointError(
            f"refused {where}: the zip holds {told}, and one weight file is needed. Where you trust it, unpack it "
            "yourself and name the file by path:"
        )
    (only,) = files
    if problem := no_file_name(only.filename):
        raise CheckpointError(f"refused {where}: the file in the zip is called {only.filename!r}, and {problem}.")
    if only.flag_bits & _ENCRYPTED:
        raise CheckpointError(f"refused {where}: the file in the zip is encrypted. Unpack it, and name it by path:")
    return only


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, archive: int, copy: Path) -> None:
    if member.file_size > MOST_COMPRESSED * archive:
        raise CheckpointError(
            f"refused {member.filename!r}: it would unpack to {member.file_size} bytes, more than {MOST_COMPRESSED} "
            f"times the {archive} of its archive. Weights do not compress like that."
        )
    with opened.open(member) as source, copy.open("wb") as sink:  # never more than the size that was told
        shutil.copyfileobj(source, sink, length=2**20)
