"""Some bytes of a file on a server, from servers that know ranges and from those that send all of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message

PARTIAL = 206
RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a file.

    Attributes:
        content: The bytes; fewer than were asked for where the file ends.
        size: Bytes of the whole file, None where the server does not say.
    """

    content: bytes
    size: int | None


def piece_of(
    status: int, headers: Mapping[str, str] | Message, chunks: Iterable[bytes], start: int, stop: int
) -> Piece:
    """Take the bytes that were asked for out of an answer, and no more of it than that needs.

    Args:
        status: Of the answer; whatever is not `PARTIAL` begins with the file's first byte.
        headers: Of the answer.
        chunks: Its body; nothing is taken from it once the last byte is there.
        start: The first byte that is wanted.
        stop: The byte behind the last one.
    """
    before = 0 if status == PARTIAL else start
    needed = before + stop - start
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) >= needed:
            break
    return Piece(bytes(content[before:needed]), _size(status, headers))


def _size(status: int, headers: Mapping[str, str] | Message) -> int | None:
    name, form = ("Content-Range", r"bytes \d+-\d+/(\d+)") if status == PARTIAL else ("Content-Length", r"(\d+)")
    found = re.fullmatch(form, headers.get(name) or "")
    return int(found[1]) if found else None
