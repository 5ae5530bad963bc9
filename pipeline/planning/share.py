"""A run cut into shares: which one of n takes a weight file, told from its content alone."""

import hashlib
import re
from dataclasses import dataclass

from pipeline.errors import OptionError

_FORM = re.compile(r"\s*(-?\d+)\s*/\s*(-?\d+)\s*")


@dataclass(frozen=True, slots=True)
class Share:
    """One of several shares of the work.

    Every weight file belongs to exactly one of them, whatever else is in the catalog, so machines that never talk to
    each other agree on who does what.

    Attributes:
        number: Which one, counted from 1.
        count: Of how many.
    """

    number: int
    count: int

    def has(self, content: str) -> bool:
        """Whether the file of this content, told by its sha256, belongs to this share."""
        digest = hashlib.sha256(content.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_share(text: str) -> Share:
    """Read `2/8`: the second of eight shares.

    Raises:
        OptionError: It is not of that form, or there is no such share.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise OptionError(f"need a share as number/count, such as 2/8; got {text!r}.")
    number, count = int(form[1]), int(form[2])
    if count < 1:
        raise OptionError(f"need a share of 1 or more, such as 1/1; got {text!r}.")
    if number == 0:
        raise OptionError(
            f"need a share from 1/{count} to {count}/{count}, as they are counted from 1; got {text!r}. A Slurm array "
            f"that begins with 0 becomes one that begins with 1: --array=1-{count}."
        )
    if not 1 <= number <= count:
        raise OptionError(f"need a share from 1/{count} to {count}/{count}; got {text!r}.")
    return Share(number, count)
