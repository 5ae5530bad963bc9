"""Identity of a file: the sha256 of its bytes."""

import hashlib
from pathlib import Path

from checkpoints.downloads import Say
from checkpoints.errors import CheckpointError


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        CheckpointError: The file cannot be read.
    """
    return digest_of(path, "sha256")


def digest_of(path: Path, algorithm: str) -> str:
    """A hash of a file's bytes in hexadecimal digits.

    Args:
        path: The file.
        algorithm: `sha256`, or `sha1` where others have published that: it tells damage and mistakes, not malice.

    Raises:
        CheckpointError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
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


def intact_in_cache(path: Path, expected: str, what: str, say: Say) -> bool:
    """Whether a file is in the cache as it was put there. A damaged one is removed, and that is said.

    Args:
        path: Where it is kept.
        expected: Its sha256.
        what: What it is called.
        say: Takes the line about a damaged one.

    Raises:
        CheckpointError: It is there and cannot be read.
    """
    if not path.exists():
        return False
    if sha256_of(path) == expected:
        return True
    path.unlink(missing_ok=True)
    say(f"{what} was damaged in the cache (wrong hash), and is fetched again")
    return False
