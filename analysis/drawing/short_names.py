"""Names of models short enough to be written beside points."""

import re
from collections.abc import Sequence

LONGEST = 26
"""Characters of a label; of a longer one the middle is left out."""

_WORD = re.compile(r"[^\s/]+[\s/]*")


def short_names(names: Sequence[str]) -> list[str]:
    """The names without the words that all begin or end with, those still too long without their middle.

    Words end at spaces and slashes. Each name keeps a word at least, and different names stay different unless they
    differ in the middle of a long one alone.

    Args:
        names: Of one figure, in any order.
    """
    words = {name: _WORD.findall(name) for name in names}
    spare = min(map(len, words.values()), default=1) - 1
    if len(words) == 1:
        spare = 0
    first = _shared(list(words.values()), spare)
    last = _shared([each[::-1] for each in words.values()], spare - first)
    shortened = ("".join(words[name][first : len(words[name]) - last]).strip(" /") or name for name in names)
    return [_without_middle(each) for each in shortened]


def _shared(several: Sequence[Sequence[str]], most: int) -> int:
    """How many items all sequences begin with, at most so many."""
    count = 0
    while count < most and len({each[count].strip() for each in several}) == 1:
        count += 1
    return count


def _without_middle(text: str) -> str:
    half = (LONGEST - 1) // 2
    return text if len(text) <= LONGEST else f"{text[:half].rstrip()}…{text[-half:].lstrip()}"
