"""Amounts as a reader is told them: bytes, seconds and operations, in the unit that fits."""

from collections.abc import Callable, Sequence
from itertools import pairwise

_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_OPERATIONS = ((1e18, "EFLOP"), (1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP"))
_COUNTS = ((1e9, "B"), (1e6, "M"), (1e3, "k"))
_TIMES = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))
_SHORT_TIMES = ((0.0995, 1.0, "s"), (0.000_995, 1e-3, "ms"), (0, 1e-6, "µs"))

_ALMOST = 0.9995
"""From this share of a unit on, it is used: in the smaller one the number would be rounded to 1,000."""


def size_in_words(count: float) -> str:
    """A number of bytes, in powers of 1,000: `812 MB`, `3.4 GB`."""
    return _in_unit(count, _SIZES, _two_digits) or f"{count:.0f} B"


def time_in_words(seconds: float) -> str:
    """A time: `7 ms`, `0.4 s`, `41 s`, `3.5 min`, `5.2 h`, `2.1 days`; from twice a unit on it is used."""
    for (unit, name), (smaller, _) in pairwise(_TIMES):
        if seconds >= 2 * unit - smaller / 2:  # what would be rounded to it is it
            return f"{_two_digits(seconds / unit)} {name}"
    if seconds <= 0:
        return "0 s"
    fraction, name = next((fraction, name) for least, fraction, name in _SHORT_TIMES if seconds >= least)
    return f"{_two_digits(seconds / fraction)} {name}"


def count_in_words(count: float) -> str:
    """A number of things, such as parameters, with three digits: `25.6M`."""
    return _in_unit(count, _COUNTS, _three_digits, "") or f"{count:.0f}"


def operations_in_words(count: float) -> str:
    """Operations with three digits: `12.1 TFLOP`."""
    return _in_unit(count, _OPERATIONS, _three_digits) or f"{count:.0f} FLOP"


def _in_unit(
    count: float, units: Sequence[tuple[float, str]], digits: Callable[[float], str], between: str = " "
) -> str | None:
    """The count in the largest unit that it reaches; None where it reaches none."""
    for unit, name in units:
        if count >= _ALMOST * unit:
            return f"{digits(count / unit)}{between}{name}"
    return None


def _two_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 9.95 else f"{number:.1f}"


def _three_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 99.95 else f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"
