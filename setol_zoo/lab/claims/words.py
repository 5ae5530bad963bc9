"""Numbers in the cells and sentences of claims."""

import re
from collections.abc import Sequence

from analysis.formats import DASH, begun, fixed
from analysis.statistics.records import Interval
from catalogs import counted
from setol_zoo.lab.claims.spread import Ranks, Spread


def measured(found: Spread | None, digits: int = 2, *, scale: float = 1.0) -> str:
    """A mean with the standard deviation over seeds, where there are two or more: `3.63 ± 0.02`."""
    if found is None:
        return DASH
    told = fixed(scale * found.mean, digits)
    return told if found.sd is None else f"{told} ± {fixed(scale * found.sd, digits)}"


def percent(found: Spread | None, digits: int = 2) -> str:
    """The same of a fraction, in percent without the sign."""
    return measured(found, digits, scale=100.0)


def percent_of(value: float | None, digits: int = 2) -> str:
    """A fraction in percent, without the sign."""
    return fixed(None if value is None else 100 * value, digits)


def signed(value: float | None, digits: int = 2) -> str:
    """A difference with its sign, plus too."""
    if value is None:
        return DASH
    told = fixed(value, digits)
    return f"+{told}" if told[0] != "−" and float(told.replace(",", "")) else told


def between(ends: Interval | None, digits: int = 2, *, scale: float = 1.0) -> str:
    """An interval in brackets after a blank, or nothing."""
    return "" if ends is None else f" [{fixed(scale * ends.low, digits)}, {fixed(scale * ends.high, digits)}]"


def ranked(found: Ranks | None, of: str = "network") -> str:
    """`Spearman −0.98 [−0.99, −0.95], 18 networks`."""
    if found is None:
        return "too few to rank"
    return f"Spearman {fixed(found.rho)}{between(found.interval)}, {counted(found.n, of)}"


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def alone(layers: Sequence[str]) -> str:
    """`fc1 alone, or fc2 alone`: each of them in networks of its own."""
    return ", or ".join(f"{layer} alone" for layer in layers)


def sentences(told: Sequence[str]) -> str:
    """Each with a full stop, and with a capital where it does not begin with the name of a column or layer."""
    return " ".join(f"{text if _NAME.match(text) else begun(text)}." for text in told)


_NAME = re.compile(r"erg_delta|trap_theta|fc\d")
