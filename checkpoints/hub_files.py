"""One file of a repository on the hub, by one request that counts as a download: what it is, or some of its bytes.

The hub lets many more of these through than questions to its API, which only the list of a repository needs.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from checkpoints.errors import CheckpointError
from checkpoints.hub_errors import ask_hub
from checkpoints.ranges import RANGE_NOT_SATISFIABLE, Piece, piece_of

_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that is there.

    Attributes:
        commit: Commit that the revision stands for.
        etag: Its sha256 where it is in large file storage, else git's name of it.
        size: Its bytes.
    """

    commit: str
    etag: str | None
    size: int | None


def find_file(hub: ModuleType, repo: str, revision: str | None, path: str, what: str) -> FoundFile | None:
    """What a file of a repository is, without a byte of it; None where the repository has no such file.

    Args:
        hub: The package huggingface_hub.
        repo: `owner/name`.
        revision: A branch, tag or commit; None for the default branch.
        path: The file's path in the repository.
        what: The repository, for messages.

    Raises:
        CheckpointError: No such repository or revision, no right to read it, or the network failed.
    """

    def call() -> FoundFile | None:
        try:
            found: Any = hub.get_hf_file_metadata(hub.hf_hub_url(repo, path, revision=revision), timeout=_TIMEOUT)
        except hub.errors.EntryNotFoundError as error:
            if isinstance(error, hub.errors.LocalEntryNotFoundError):
                raise  # the network's fault
            return None
        if found.commit_hash is None:
            raise CheckpointError(
                f"{what}: what came is no answer of the hub: it names no commit. "
                "Check HF_ENDPOINT and the proxy, then run the same command again.",
                transient=True,
            )
        return FoundFile(found.commit_hash, found.etag, found.size)

    return ask_hub(hub, what, f"{hub.constants.ENDPOINT}/{repo}", call)


def read_part(hub: ModuleType, repo: str, commit: str, path: str, start: int, stop: int) -> Piece | None:
    """Some bytes of a file; None where the repository has no such file.

    The client gives its token to the hub, not to where that redirects.

    Args:
        hub: The package huggingface_hub.
        repo: `owner/name`.
        commit: Commit of the repository.
        path: The file's path in it.
        start: The first byte.
        stop: The byte behind the last.

    Raises:
        CheckpointError: It cannot be had.
    """
    url = hub.hf_hub_url(repo, path, revision=commit)
    headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}

    def call() -> Piece | None:
        asked = hub.utils.build_hf_headers() | headers
        try:
            with hub.utils.get_session().stream("GET", url, headers=asked, timeout=_TIMEOUT) as response:
                if response.status_code == RANGE_NOT_SATISFIABLE:
                    return Piece(b"", 0 if start == 0 else None)
                hub.utils.hf_raise_for_status(response)
                return piece_of(response.status_code, response.headers, response.iter_raw(), start, stop)
        except hub.errors.RemoteEntryNotFoundError:
            return None

    return ask_hub(hub, f"hub:{repo}@{commit} {path}", f"{hub.constants.ENDPOINT}/{repo}", call)
