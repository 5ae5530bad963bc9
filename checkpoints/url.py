"""Files on the web: streamed into the cache, resumed after a break, checked, put in place whole."""

import errno
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from checkpoints.downloads import Say, announce, may_draw, say_here
from checkpoints.errors import CheckpointError
from checkpoints.hashing import intact_in_cache, sha256_of, verify_sha256
from checkpoints.ranges import PARTIAL, RANGE_NOT_SATISFIABLE, Piece, piece_of
from checkpoints.retry import Interrupted, requested_wait, with_retries

_TIMEOUT = 60.0
_CHUNK = 2**20
_RIGHTS = (401, 403)
_BUSY = (408, 425, 429)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class _BeyondTheEnd(Exception):
    """The file ends before the bytes that were asked for."""


def file_name(url: str) -> str:
    """The last part of an address's path."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


def fetch_url(url: str, sha256: str, cache: Path, say: Say = say_here) -> Path:
    """Download a file of known content, through a cache keyed by it.

    Several processes may ask at once; one downloads, the others wait. What was damaged in the cache is fetched again.

    Args:
        url: An http or https address.
        sha256: The content.
        cache: Cache directory, made if missing.
        say: Takes a line about what was damaged in the cache.

    Returns:
        Path of the verified file in the cache.

    Raises:
        CheckpointError: It cannot be had (transient where the network is to blame), or is another file.
    """
    target = cache / "files" / sha256 / file_name(url)
    with _lock(url, cache):
        if intact_in_cache(target, sha256, target.name, say):
            return target
        partial = partial_of(url, cache)
        resumed = partial.exists()
        _download(url, partial)
        if resumed and sha256_of(partial) != sha256:  # the file on the web may have changed between the two runs
            partial.unlink()
            _download(url, partial)
        try:
            verify_sha256(partial, sha256, _without_query(url))
            _put_in_place(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def identify_url(url: str, prefix: str, cache: Path) -> tuple[str, Path]:
    """Download a file whose content is not known beforehand, unless it was before, and hash it.

    Args:
        url: An http or https address.
        prefix: First digits of its sha256; may be empty where nobody published any.
        cache: Cache directory, made if missing.

    Returns:
        The sha256, and the path of the file in the cache, where `fetch_url` finds it.

    Raises:
        CheckpointError: It cannot be had, or its sha256 begins otherwise.
    """
    with _lock(url, cache):
        note = cache / "urls" / _digest(url)
        if note.is_file():
            known = note.read_text().strip()
            there = cache / "files" / known / file_name(url)
            if there.exists() and known.startswith(prefix):
                return known, there
        partial = partial_of(url, cache)
        partial.unlink(missing_ok=True)  # what another run left may be of a file that was replaced since
        try:
            _download(url, partial)
            sha256 = sha256_of(partial)
            if not sha256.startswith(prefix):
                raise CheckpointError(
                    f"wrong hash: {_without_query(url)} must have a sha256 that begins with {prefix}, "
                    f"but what came has {sha256}. It was not opened."
                )
            target = cache / "files" / sha256 / file_name(url)
            _put_in_place(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(sha256)
    return sha256, target


def read_url(url: str, start: int, stop: int) -> Piece:
    """Read some bytes of a file on the web, and no more of it, also where the server knows no ranges.

    Args:
        url: An http or https address.
        start: The first byte.
        stop: The byte behind the last one.

    Raises:
        CheckpointError: They cannot be had (transient where the network is to blame).
    """

    def once() -> Piece:
        try:
            with _answer(url, f"{start}-{stop - 1}") as response:
                chunks = iter(lambda: response.read1(min(_CHUNK, stop)), b"")
                piece = piece_of(response.status, response.headers, chunks, start, stop)
        except _BeyondTheEnd:
            return Piece(b"", 0 if start == 0 else None)
        came = start + len(piece.content)
        if piece.size is not None and came < min(stop, piece.size):
            raise _cut_short(_without_query(url), came, piece.size)
        return piece

    return with_retries(once)


def published_prefix(url: str) -> str:
    """The first digits of the sha256 that a file name of timm or torchvision carries: `x-14fe96d1.pth`; else blank."""
    found = re.search(r"[-_]([0-9a-f]{8,64})\.(?:pth|pt|bin|tar|safetensors)$", file_name(url))
    return found[1] if found else ""


def _lock(url: str, cache: Path) -> FileLock:
    (cache / "locks").mkdir(parents=True, exist_ok=True)
    return FileLock(cache / "locks" / f"{_digest(url)}.lock")


def partial_of(url: str, cache: Path) -> Path:
    """Where the part of a file lies that has come so far."""
    return cache / "partial" / _digest(url)


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def _put_in_place(partial: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)


def _download(url: str, partial: Path) -> None:
    """Bring a whole file to a partial one, beginning where that ends."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    announce(file_name(url))
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        disable=not may_draw(),
        transient=True,
    )
    with progress, partial.open("ab") as sink:
        task = progress.add_task(file_name(url), total=None)

        def show(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        with_retries(lambda: _continue(url, sink, show))


def _continue(url: str, sink: BinaryIO, show: Callable[[int, int | None], None]) -> None:
    start = sink.seek(0, os.SEEK_END)
    where = _without_query(url)
    try:
        with _answer(url, f"{start}-" if start else None) as response:
            if start and response.status != PARTIAL:  # the server sends all of it again
                sink.truncate(0)
                start = 0
            length = response.headers.get("Content-Length")
            total = start + int(length) if length else None
            done = start
            while chunk := response.read1(_CHUNK):  # what is there; a break then costs nothing that came
                done += sink.write(chunk)
                show(done, total)
            sink.flush()
    except _BeyondTheEnd:
        sink.truncate(0)
        raise Interrupted(f"{where} is shorter than what was downloaded of it before.") from None
    if total is not None and done < total:
        raise _cut_short(where, done, total)


@contextmanager
def _answer(url: str, span: str | None) -> Iterator[Any]:
    """What the server sends for a span of bytes (`0-99`, `100-`) or for all; what goes wrong is told in our words."""
    where = _without_query(url)
    request = urllib.request.Request(url, headers={"User-Agent": "setol-zoo", "Accept-Encoding": "identity"})
    if span:
        request.add_header("Range", f"bytes={span}")
    try:
        with _opener().open(request, timeout=_TIMEOUT) as response:
            yield response
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == RANGE_NOT_SATISFIABLE and span:
            raise _BeyondTheEnd from None
        raise _refusal(where, error.code, requested_wait(error.headers)) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        if isinstance(error, OSError) and error.errno in _DISK:
            raise  # not the network's fault
        raise Interrupted(
            f"the connection to {urlsplit(url).hostname} failed while {where} was downloaded "
            f"({type(error).__name__}). Check the network, then run the same command again."
        ) from None


def _cut_short(where: str, done: int, total: int) -> Interrupted:
    return Interrupted(f"{where} came cut short: {done} of {total} bytes. Run the same command again.")


def _refusal(where: str, status: int, wait: float | None) -> CheckpointError:
    if status in _BUSY or status >= 500:
        return Interrupted(f"the server answers {status} for {where}. Run the same command again later.", wait=wait)
    if status in _RIGHTS:
        return CheckpointError(f"{where} may not be read ({status}). Download it yourself and name it by path:")
    return CheckpointError(f"no such file: the server answers {status} for {where}. Check the address.")


def _opener() -> urllib.request.OpenerDirector:
    """An opener for http and https alone, so that no redirect leads to a file or to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
