"""Words for messages: names that nobody knows with the nearest known ones, and things that are counted."""

from collections.abc import Iterable
from difflib import SequenceMatcher

# Below this similarity (0 to 1) a suggestion is more of a puzzle than a help; difflib's own default.
_SIMILAR = 0.6
# Shorter pieces are found inside almost any name.
_SHORTEST_PIECE = 3
# Up to this many known names are listed in full.
_FEW = 10


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Known names that resemble `name`, the most alike first.

    Upper and lower case count as the same. Names of which one contains the other resemble each other.

    Args:
        name: What somebody wrote.
        known: The names that exist.
        n: The most names to return.

    Returns:
        At most `n` of the known names, none if nothing comes near.
    """
    wanted = name.strip().casefold()
    ranked = []
    for candidate in dict.fromkeys(known):
        other = candidate.casefold()
        similarity = SequenceMatcher(None, wanted, other, autojunk=False).ratio()
        contained = min(len(wanted), len(other)) >= _SHORTEST_PIECE and (wanted in other or other in wanted)
        if contained or similarity >= _SIMILAR:
            ranked.append((similarity + contained, candidate))
    ranked.sort(key=lambda pair: -pair[0])
    return [candidate for _, candidate in ranked[:n]]


def unknown_name(kind: str, name: str, known: Iterable[str], few: int = _FEW) -> str:
    """The message for a name that is not known.

    Args:
        kind: What is being named, in the singular: `column`, `model`, `option`.
        name: What somebody wrote.
        known: The names that exist.
        few: Up to this many known names are given in full.

    Returns:
        One line such as `unknown unit 'percnt'; nearest: percent; known: percent, fraction`. The known names
        are given where they are few, or where none comes near.
    """
    names = list(dict.fromkeys(known))
    near = nearest(name, names)
    message = f"unknown {kind} {name!r}"
    if near:
        message += f"; nearest: {', '.join(near)}"
    if len(names) <= few or not near:
        more = f" and {len(names) - few} more" if len(names) > few else ""
        message += f"; known: {', '.join(names[:few]) or 'none'}{more}"
    return message


def counted(n: int, one: str, many: str | None = None) -> str:
    """A number and what is counted, in the singular or the plural.

    Args:
        n: How many.
        one: What one of them is called: `weight file`.
        many: What several are called, where that is not `one` with an s: `matrices`.

    Returns:
        Such as `1 weight file`, `0 weight files` or `1,202 matrices`.
    """
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"
