"""What a run did, on what, how long and how much: a line when it ends, the whole in `setol status`."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.opening.literals import sql_text
from catalogs import counted
from catalogs.amounts import size_in_words, time_in_words

if TYPE_CHECKING:
    from analysis.opening.results import Results

SLOWEST = 5
"""Weight files that are named as those which took longest."""

_LAST = "FROM runs ORDER BY started DESC LIMIT 1"
_NAMED = "FROM runs WHERE run = {run}"
_SLOWEST = """
SELECT coalesce(name, model) AS name, max(seconds) AS seconds FROM attempts
WHERE run = {run} AND seconds > 0 GROUP BY ALL ORDER BY seconds DESC, name LIMIT {count}
"""
_FAILURES = "SELECT model, file, error_type, error, transient FROM failures ORDER BY model, file"
_HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class Cause:
    """Failures of which the same is said but for names.

    Attributes:
        error: What is said, with an ellipsis for the names.
        error_type: The kind of error.
        transient: Whether the same command may succeed later.
        models: Whose weight files failed so, each as often as it has such files.
    """

    error: str
    error_type: str
    transient: bool
    models: tuple[str, ...]


def run_record(opened: "Results", run: str | None) -> dict[str, Any] | None:
    """The row of the view `runs` about a run; None where it tried nothing.

    Args:
        opened: The results that it wrote to.
        run: Its name.
    """
    found = opened.rows(_NAMED.format(run=sql_text(run))) if run else []
    return found[0] if found else None


def run_line(opened: "Results", run: str | None) -> str | None:
    """The same in a line."""
    row = run_record(opened, run)
    if row is None:
        return None
    where = f"{time_in_words(row['seconds'])} on {_machines(row)}"
    return ": ".join(filter(None, (where, "; ".join(filter(None, (_shares(row), _bytes(row)))))))


def record_lines(opened: "Results", price: float | None = None) -> list[str]:
    """The last run as a few aligned lines; none where no run is known.

    Args:
        opened: The open results.
        price: Of a core for an hour, None for a run without a price.
    """
    found = opened.rows(_LAST)
    if not found:
        return []
    row = found[0]
    earlier = opened.rows("SELECT count(*) AS n FROM runs")[0]["n"] - 1
    slowest = opened.rows(_SLOWEST.format(run=sql_text(row["run"]), count=SLOWEST))
    tries = row["n_tries"]
    told = {
        "last run": f"{row['started'][:16].replace('T', ' ')} UTC, {time_in_words(row['seconds'])}, setol-zoo "
        + f"{row['code_version']}"
        + (f"; {counted(earlier, 'run')} before it, see the view runs" if earlier else ""),
        "did": f"{counted(row['n_files'], 'weight file')}"
        + (f" in {tries} tries" if tries > row["n_files"] else "")
        + (f", {row['n_failed']} failed" if row["n_failed"] else ""),
        "on": ", ".join(filter(None, (_machines(row), row["devices"], f"{row['most_at_once']} at a time"))),
        "time": "; ".join(filter(None, (_shares(row), f"{time_in_words(row['core_seconds'])} of a core", _lost(row)))),
        "price": _price(row, price),
        "bytes": _bytes(row),
        "slowest": ", ".join(f"{each['name']} {time_in_words(each['seconds'])}" for each in slowest),
    }
    return [f"{name:<9} {text}" for name, text in told.items() if text]


def causes(opened: "Results") -> list[Cause]:
    """Failures that stand, by their causes, the most frequent first."""
    groups: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for row in opened.rows(_FAILURES):
        groups[row["error_type"] or "", _nameless(row), bool(row["transient"])].append(row["model"])
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [Cause(error, kind, transient, tuple(models)) for (kind, error, transient), models in ordered]


def cause_lines(found: Sequence[Cause], most_named: int = 3) -> list[str]:
    """A line for each cause: how many, what, and the first of them by name."""
    lines = []
    for cause in found:
        models = list(dict.fromkeys(cause.models))
        named = ", ".join(models[:most_named]) + (", ..." if len(models) > most_named else "")
        lines.append(f"{counted(len(cause.models), 'weight file')} ({named}): {cause.error}")
    return lines


def _nameless(row: dict[str, Any]) -> str:
    """An error without the names of what it befell; in full where it names nothing."""
    error, model = str(row["error"] or ""), str(row["model"])
    identity = model.partition(":")[2]
    bare = identity.partition("@")[0]
    for name in (row["file"], model, identity, model.partition("@")[0], bare):
        error = error.replace(name, _HIDDEN) if name else error
    return error


def _machines(row: dict[str, Any]) -> str:
    cores = counted(row["cores"], "core") if row["cores"] else ""
    return f"{counted(row['hosts'], 'machine')}, {cores}" if row["hosts"] > 1 else cores or "1 machine"


def _shares(row: dict[str, Any]) -> str:
    """How the tries' time was spent."""
    stages = {
        "fetching": row["seconds_fetch"] or 0.0,
        "waiting": row["seconds_wait"] or 0.0,
        "computing": (row["seconds_spectra"] or 0.0) + (row["seconds_metrics"] or 0.0),
    }
    whole = sum(stages.values())
    return ", ".join(
        f"{name} {100 * part / whole:.0f} %" for name, part in stages.items() if whole and part / whole > 0.005
    )


def _price(row: dict[str, Any], price: float | None) -> str:
    if price is None or row["core_hours"] is None:
        return ""
    told = price * row["core_hours"]
    return f"{told:,.{2 if told >= 0.1 else 4}f} for {row['core_hours']:,.2f} core-hours at {price:g}"


def _lost(row: dict[str, Any]) -> str:
    return f"{time_in_words(row['seconds_lost'])} lost to failures" if row["seconds_lost"] else ""


def _bytes(row: dict[str, Any]) -> str:
    told = []
    if row["bytes_fetched"]:
        told.append(f"{size_in_words(row['bytes_fetched'])} fetched")
    if row["bytes_spectra"]:
        told.append(f"{size_in_words(row['bytes_spectra'])} of spectra")
    if row["peak_rss_anon"]:
        told.append(f"at most {size_in_words(row['peak_rss_anon'])} of memory")
    return ", ".join(told)
