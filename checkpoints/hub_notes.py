"""What the hub said about a commit, kept in the cache: it stays true, so it is asked once."""

import json
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HubFile:
    """A weight file of a repository, and its content."""

    path: str
    sha256: str
    size: int


def noted(repo: str, commit: str, wanted: str | None, cache: Path | None) -> tuple[HubFile, ...]:
    """The weight files of a commit, if they were asked about before; none if not.

    Args:
        repo: `owner/name`.
        commit: Commit of the repository.
        wanted: Path of a weight file or index; None for those that stand for the model.
        cache: Cache directory; None where nothing is kept.
    """
    if cache is None:
        return ()
    try:
        entries = json.loads(_path(repo, commit, wanted, cache).read_bytes())
        return tuple(HubFile(str(each["path"]), str(each["sha256"]), int(each["size"])) for each in entries)
    except (OSError, ValueError, TypeError, KeyError):
        return ()


def keep_note(repo: str, commit: str, wanted: str | None, files: Sequence[HubFile], cache: Path | None) -> None:
    """Keep the weight files of a commit for later; a cache that cannot be written to stops nobody."""
    if cache is None:
        return
    path = _path(repo, commit, wanted, cache)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps([asdict(each) for each in files]))
        os.replace(partial, path)


def _path(repo: str, commit: str, wanted: str | None, cache: Path) -> Path:
    asked = sha256(json.dumps([repo, commit, wanted]).encode()).hexdigest()
    return cache / "hub" / asked[:2] / f"{asked}.json"
