"""Numbers as a reader likes them."""

import math
import re

from analysis.statistics.records import Interval

DASH = "–"


def fixed(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals and a real minus sign; a dash where there is none."""
    if value is None:
        return DASH
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else f"{0:.{digits}f}"


def precise(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals, or as many more as it takes to show two of its significant digits."""
    if not value:
        return fixed(value, digits)
    if abs(value) < 1e-6:
        return f"{value:.1e}".replace("-", "−", 1) if value < 0 else f"{value:.1e}"
    return fixed(value, max(digits, 1 - math.floor(math.log10(abs(value)))))


def with_error(value: float | None, error: float | None, digits: int = 2) -> str:
    """A mean and its standard error, where there is one."""
    if value is None or error is None:
        return fixed(value, digits)
    return f"{fixed(value, digits)} ± {fixed(error, digits)}"


def interval(ends: Interval | None, digits: int = 2) -> str:
    """An interval in brackets, nothing where there is none."""
    return "" if ends is None else f"[{fixed(ends.low, digits)}, {fixed(ends.high, digits)}]"


def share(value: float | None) -> str:
    """A fraction in percent; 100 % and 0 % only where it is all or nothing."""
    if value is None:
        return DASH
    if 0.9995 <= value < 1:
        return "> 99.9 %"
    return f"{value:.0%}".replace("%", " %") if value in (0, 1) else f"{100 * value:.1f} %"


def change(removed: float | None) -> str:
    """A share that went away, as a change in percent."""
    return DASH if removed is None else f"{fixed(-100 * removed, 0)} %"


def begun(text: str) -> str:
    """A sentence that begins with a capital."""
    return text[:1].upper() + text[1:]


def count(value: float | None) -> str:
    """A large number with three digits and K, M or G; below ten thousand as it stands."""
    if value is None:
        return DASH
    if value < 10_000:
        return f"{value:,.0f}"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= 0.9995 * size:
            return f"{value / size:#.3g}".rstrip(".") + f" {letter}"
    return f"{value:,.0f}"


def size(value: float | None) -> str:
    """Bytes in powers of 1000."""
    return DASH if value is None else f"{count(value)}B".replace("K", "k") if value >= 10_000 else f"{value:,.0f} B"


def duration(seconds: float | None) -> str:
    """Seconds as s, min or h."""
    if seconds is None:
        return DASH
    if 0 < seconds < 0.1:
        return "under 0.1 s"
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def p_value(value: float | None) -> str:
    """A p-value with two digits."""
    if value is None:
        return DASH
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def unbroken(text: str) -> str:
    """A sentence whose equations stay on one line, with real minus signs."""
    signed = re.sub(r"(?<=[\s(\[])-(?=\d)", "−", text)
    return re.sub(r" ([=<]) (?=[−\d])", "\u00a0\\1\u00a0", signed)
