"""Amounts as a reader is told them: bytes and seconds, in the unit that fits."""

_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_TIMES = ((86_400, "days"), (3600, "h"), (60, "min"))
_MOST_OF_THE_SMALLER = 2
"""From twice a unit on, it is used: 90 s, 3 min."""


def size_in_words(count: float) -> str:
    """A number of bytes, in powers of 1,000: `812 MB`, `3.4 GB`."""
    for unit, name in _SIZES:
        if count >= unit:
            return f"{count / unit:.{1 if count < 10 * unit else 0}f} {name}"
    return f"{count:.0f} B"


def time_in_words(seconds: float) -> str:
    """A time: `0.4 s`, `41 s`, `3.5 min`, `5.2 h`, `2.1 days`."""
    for unit, name in _TIMES:
        if seconds >= _MOST_OF_THE_SMALLER * unit:
            return f"{seconds / unit:.{1 if seconds < 10 * unit else 0}f} {name}"
    return f"{seconds:.{1 if seconds < 10 else 0}f} s"
