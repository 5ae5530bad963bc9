"""Reading from a folder or an object store: lists and files, and one sentence where that fails."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from catalogs.places import Place, Where, filesystem_of

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 16
"""Requests to an object store at one time."""

_WAITS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each further try, where the store has answered before; pyarrow's three, within one, come first."""

_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|NoSuchBucket|bucket does not exist|Bucket .* not found", re.IGNORECASE)
_REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|INVALID_SIGNATURE|EXPIRED|INVALID_CLIENT_TOKEN"
    r"|UNRECOGNIZED_CLIENT|MISSING_AUTHENTICATION|HTTP status 40[13]|credential|OAuth|InvalidAccessKeyId|AccessDenied"
    r"|SignatureDoesNotMatch|PERMISSION_DENIED|UNAUTHENTICATED",
    re.IGNORECASE,
)
_WORDY = re.compile(
    r"^.*?AWS Error |^.*Status\(\w+: (Retry policy exhausted, with a last message of )?| error_info=.*$"
    r"| The request was not sent.*error message was"
)
"""What clients say around what happened."""

_SILENT = re.compile(
    r"NETWORK_CONNECTION|curlCode|resolve host|Could not connect|timed? ?out|UNAVAILABLE", re.IGNORECASE
)


class PlaceError(OSError):
    """An object store that cannot be used; the message says why and what to do."""


def reached(where: Where, action: Callable[[], T], *, patient: bool) -> T:
    """The value of an action on a file system, tried again where that may help.

    Args:
        where: What it acts on. A local folder is tried once, and its errors are as they are.
        action: What is done; doing it twice must be the same as once.
        patient: Whether to wait for half a minute in all for a store that does not answer, because it has before.

    Raises:
        FileNotFoundError: What it asks for is not there.
        PlaceError: The store refuses or does not answer.
    """
    if isinstance(where, Path):
        return action()
    waits = list(_WAITS) if patient else []
    while True:
        try:
            return action()
        except FileNotFoundError:
            raise
        except OSError as error:
            if "NO_SUCH_KEY" in str(error):
                raise FileNotFoundError(where.hidden(str(error))) from error
            if not waits or _is_refused(str(error)):
                raise PlaceError(_told(where, error)) from error
            time.sleep(waits.pop(0))


def files_below(where: Where, folder: str = "", *, patient: bool = False) -> dict[str, "FileInfo"]:
    """The files of a folder and of the folders in it, by their names relative to the place; none if it is not there.

    Hidden files, such as those that are being written, are left out. A thousand files are one request.

    Raises:
        PlaceError: The store refuses or does not answer.
    """
    from pyarrow.fs import FileSelector, FileType

    def listed() -> list["FileInfo"]:
        filesystem, root = filesystem_of(where)
        selector = FileSelector(f"{root}/{folder}".rstrip("/"), allow_not_found=True, recursive=True)
        found: list[FileInfo] = filesystem.get_file_info(selector)
        return found

    skipped = len(_root(where)) + 1
    found = [each for each in reached(where, listed, patient=patient) if each.type == FileType.File]
    return {
        each.path[skipped:]: each for each in sorted(found, key=lambda each: each.path) if each.base_name[:1] != "."
    }


def read_file(where: Where, name: str, *, patient: bool = False) -> bytes:
    """All of a file.

    Raises:
        FileNotFoundError: It is not there.
        PlaceError: The store refuses or does not answer.
    """

    def read() -> bytes:
        filesystem, root = filesystem_of(where)
        with filesystem.open_input_stream(f"{root}/{name}") as stream:
            content: bytes = stream.read()
        return content

    return reached(where, read, patient=patient)


def at_once(action: Callable[[T], R], each: Iterable[T]) -> Iterator[R]:
    """The values of an action on several things, in their order, several at one time."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield from pool.map(action, each)
    finally:
        pool.shutdown(cancel_futures=True)  # what has not begun when one fails, or at Ctrl-C, need not


def check_bucket(place: Place) -> None:
    """Make sure that there is such a bucket: what is listed in one that is not there is empty, too.

    Raises:
        PlaceError: There is none, or the store refuses or does not answer.
    """
    from pyarrow.fs import FileType

    def found() -> bool:
        filesystem, _ = filesystem_of(place)
        return bool(filesystem.get_file_info(place.bucket).type != FileType.NotFound)

    if not reached(place, found, patient=False):
        raise PlaceError(_no_bucket(place))


def _root(where: Where) -> str:
    """How the file system names a place."""
    return str(where.absolute()) if isinstance(where, Path) else where.root


def _is_refused(message: str) -> bool:
    return bool(_NO_BUCKET.search(message) or _REFUSED.search(message))


def _no_bucket(place: Place) -> str:
    return f"there is no bucket {place.bucket} for {place}. Mend its name, or make it: setol makes none."


def _told(place: Place, error: OSError) -> str:
    """One line: what happened, and what to do."""
    message = place.hidden(" ".join(str(error).split()))
    if _NO_BUCKET.search(message):
        return _no_bucket(place)
    detail = _WORDY.sub("", message).rstrip(".")
    if place.url.startswith("s3://"):
        keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the machine"
        server = "AWS_ENDPOINT_URL, or endpoint_override and scheme in the URL"
    else:
        keys = "GOOGLE_APPLICATION_CREDENTIALS, or the account of the machine"
        server = "the URL"
    if _REFUSED.search(message):
        return f"{place} lets nobody in with these credentials ({detail}). They are taken from {keys}."
    if _SILENT.search(message):
        return f"the server of {place} does not answer ({detail}). Check the network, and {server}."
    return f"{place} fails: {detail}."
