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
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from checkpoints.downloads import Say, announce, may_draw, say_here
from checkpoints.errors import CheckpointError
from checkpoints.hashing import digest_of, intact_in_cache, sha256_of, verify_sha256
from checkpoints.ranges import PARTIAL, RANGE_NOT_SATISFIABLE, Piece, piece_of
from checkpoints.retry import Interrupted, requested_wait, with_retries
from checkpoints.zipped import unpack_only

_ZIP = ".zip"
_TIMEOUT = 60.0
_CHUNK = 2**20
_RIGHTS = (401, 403)
_BUSY = (408, 425, 429)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class _BeyondTheEnd(Exception):
    """The file ends before the bytes that were asked for."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a download turned out to be: the sha256 of the weight file, and its bytes."""

    sha256: str
    size: int


def file_name(url: str) -> str:
    """The name of an address's weight file: the last part of its path, without the `.zip` that it comes in."""
    name = _last_part(url)
    return name.removesuffix(_ZIP) if _is_zip(url) else name


def fetch_url(url: str, sha256: str, cache: Path, say: Say = say_here) -> Path:
    """Download a file of known content, through a cache keyed by it.

    Several processes may ask at once; one downloads, the others wait. What was damaged in the cache is fetched again.
    Of a zip the only file in it is meant.

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
        if resumed and not _holds(partial, url, sha256):  # the file on the web may have changed between the two runs
            partial.unlink()
            _download(url, partial)
        try:
            with _weights_in(partial, url) as weights:
                verify_sha256(weights, sha256, _without_query(url))
                _put_in_place(weights, target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def identify_url(url: str, prefix: str, cache: Path, algorithm: str = "sha256") -> Found:
    """Download a file whose content is not known beforehand, hash it, and note that down: the next time nothing comes.

    Args:
        url: An http or https address. Of a zip the only file in it is meant.
        prefix: First digits of its hash; may be empty where nobody published any.
        cache: Cache directory, made if missing. The file is put where `fetch_url` finds it.
        algorithm: The hash that the digits are of, `sha256` or `sha1`.

    Raises:
        CheckpointError: It cannot be had, or its hash begins otherwise.
    """
    with _lock(url, cache):
        note = cache / "urls" / _digest(url if algorithm == "sha256" else f"{url}#{algorithm}={prefix}")
        noted = _read_note(note, url, cache)
        if noted is not None and (algorithm != "sha256" or noted.sha256.startswith(prefix)):
            return noted
        partial = partial_of(url, cache)
        partial.unlink(missing_ok=True)  # what another run left may be of a file that was replaced since
        try:
            _download(url, partial)
            with _weights_in(partial, url) as weights:
                came = digest_of(weights, algorithm)
                if not came.startswith(prefix):
                    raise CheckpointError(
                        f"wrong hash: {_without_query(url)} must have a {algorithm} that begins with {prefix}, "
                        f"but what came has {came}. It was not opened."
                    )
                found = Found(came if algorithm == "sha256" else sha256_of(weights), weights.stat().st_size)
                _put_in_place(weights, cache / "files" / found.sha256 / file_name(url))
        finally:
            partial.unlink(missing_ok=True)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{found.sha256} {found.size}")
    return found


def _read_note(note: Path, url: str, cache: Path) -> Found | None:
    """What was found at an address before."""
    if not note.is_file():
        return None
    sha256, *size = note.read_text().split()
    if size:
        return Found(sha256, int(size[0]))
    there = cache / "files" / sha256 / file_name(url)  # an earlier version noted no size
    return Found(sha256, there.stat().st_size) if there.exists() else None


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


def _last_part(url: str) -> str:
    return PurePosixPath(unquote(urlsplit(url).path)).name


def _is_zip(url: str) -> bool:
    """Whether the address says that a zip comes, and what is in it: `net.pth.zip`."""
    name = _last_part(url)
    return name.endswith(_ZIP) and bool(PurePosixPath(name.removesuffix(_ZIP)).suffix)


@contextmanager
def _weights_in(partial: Path, url: str) -> Iterator[Path]:
    """The weight file of a download: what came, or the only file in it."""
    if not _is_zip(url):
        yield partial
        return
    copy = partial.with_suffix(".unpacked")
    try:
        unpack_only(partial, copy, _without_query(url))
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _holds(partial: Path, url: str, sha256: str) -> bool:
    try:
        with _weights_in(partial, url) as weights:
            return sha256_of(weights) == sha256
    except CheckpointError:  # a zip of two halves
        return False


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
    announce(_last_part(url))
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
        task = progress.add_task(_last_part(url), total=None)

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
