"""Identity of a file: the sha256 of its bytes."""

import hashlib
from pathlib import Path

from checkpoints.errors import CheckpointError


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        CheckpointError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}. Check the path.") from error


def verify_sha256(path: Path, expected: str, what: str) -> None:
    """Make sure that a file is the one that was asked for.

    Raises:
        CheckpointError: It is another, or cannot be read.
    """
    actual = sha256_of(path)
    if actual != expected:
        raise CheckpointError(
            f"wrong hash: {what} must have sha256 {expected}, but the file here has {actual}. "
            "It was changed or damaged since its hash was written down; fetch it again or correct the catalog."
        )
