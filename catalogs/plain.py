"""Names that others chose, before they are shown or become files: no hidden character, no way out, no device."""

import re
from pathlib import PurePosixPath, PureWindowsPath

LONGEST_KEY = 4096
"""Characters of a model key: as long as the longest path of Linux."""

LONGEST_FILE_NAME = 255
"""Bytes of a file's name, without its folders: what file systems take."""

# Control characters (the escapes of terminals among them), halves of surrogate pairs, and format characters: those
# that turn the direction of writing make a name read as another, the others make two names look alike.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_DEVICES = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3]) *(?:\..*)?", re.I)


def hidden_character(text: str, allowed: str = "") -> str | None:
    """The first character of a text that cannot be seen, as it is written: `U+202E`; None if there is none.

    Args:
        text: What somebody wrote.
        allowed: Such characters that may be there.
    """
    found = next((each[0] for each in _HIDDEN.finditer(text) if each[0] not in allowed), None)
    return None if found is None else f"U+{ord(found):04X}"


def plain_text(text: str, keep: str = "") -> str:
    r"""A text with its hidden characters written out: what would clear a screen is shown as `\x1b[2J`.

    Args:
        text: What is to be shown.
        keep: Hidden characters that stay, such as the line ends of a message.
    """
    if text.isprintable():  # so are most, and that takes a tenth of the search
        return text
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else _written_out(found[0]), text)


def no_file_name(path: str) -> str | None:
    """Why a path with `/` that others chose must not become one below a folder of ours; None if it may.

    Args:
        path: One or several names: the member of an archive, a file of a repository, the end of an address.
    """
    windows = PureWindowsPath(path)
    if PurePosixPath(path).is_absolute() or windows.drive or "\\" in path or ".." in path.split("/"):
        return "it leads out of its folder"
    if hidden := hidden_character(path):
        return f"it holds the character {hidden}"
    for name in path.split("/"):
        if len(name.encode()) > LONGEST_FILE_NAME:
            return f"a file's name has at most {LONGEST_FILE_NAME} bytes"
        if _DEVICES.fullmatch(name):
            return f"{name} is a device of Windows"
    return None


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
