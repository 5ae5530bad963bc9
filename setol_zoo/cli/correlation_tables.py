"""Correlations as tables for a terminal: what is added to size, all families together, each family."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.tables import print_narrowed

if TYPE_CHECKING:
    from analysis.statistics.records import Interval
    from analysis.studies.correlation_records import Correlation, Correlations, Group
    from analysis.studies.size import SizeStudy

SCREENFUL = 20
"""Rows of the tables of families on a screen, where not all are asked for."""


def print_size(study: "SizeStudy") -> None:
    """What each metric adds to the number of parameters; nothing where no metric has a family's partial tau."""
    rows: list[dict[str, Any]] = [
        {
            "metric": row.metric,
            "families": row.partial.families,
            "tau": row.raw.tau,
            "given_size": row.partial.tau,
            "interval": _ends(row.partial.interval),
            "adjusted_p": row.p_adjusted,
            "error_removed": row.differences.removed,
            "verdict": str(row.verdict),
        }
        for row in study.rows
        if row.partial.families
    ]
    _print(rows, ("tau", "error_removed", "families", "interval"))


def print_together(found: "Correlations", *, everything: bool) -> None:
    """Each metric over all families."""
    rows = []
    for each in found.together:
        if not each.tau.families and not everything:
            continue
        row = {
            "metric": each.metric,
            "families": each.tau.families,
            "n": each.n,
            "tau": each.tau.tau,
            "interval": _ends(each.tau.interval),
            "p": each.tau.p,
            "adjusted_p": each.adjusted_p,
            "r_squared": each.r_squared,
            "rmse": each.rmse,
        }
        if found.against is not None:
            more = each.difference
            row["stronger_by"] = None if more is None else more.tau
            row["by_interval"] = None if more is None else _ends(more.interval)
            row["by_p"] = None if more is None else more.p
        rows.append(row)
    _print(rows, ("rmse", "n", "r_squared", "p", "families", "adjusted_p", "by_p"), None if everything else SCREENFUL)


def print_group(group: "Group", *, everything: bool) -> None:
    """Each metric in one family."""
    rows = [_row(each) for each in group.correlations if each.kendall_tau is not None or everything]
    _print(rows, _DROPPABLE, None if everything else SCREENFUL)


def print_groups(groups: Sequence["Group"], *, everything: bool, limit: int = SCREENFUL) -> None:
    """The strongest metric of each family, the largest family first; or every metric of every family.

    Args:
        groups: The families.
        everything: Whether every metric is shown.
        limit: Families that are shown, where it is not.
    """
    from analysis.studies.size import BASELINES

    if everything:
        _print([{"family": group.family} | _row(each) for group in groups for each in group.correlations], _DROPPABLE)
        return
    rows = []
    for group in sorted(groups, key=lambda group: -group.n):
        known = [each for each in group.correlations if each.kendall_tau is not None]
        judged = [each for each in known if each.metric not in BASELINES]
        if not known:
            continue
        best = max(judged or known, key=lambda each: abs(each.kendall_tau or 0))
        size = next((each.kendall_tau for each in known if each.metric == BASELINES[0]), None)
        rows.append({"family": group.family, "strongest": best.metric} | _row(best) | {"size_tau": size})
    for row in rows:
        row.pop("metric")
    columns = ["family", "n", "strongest", "tau", "interval", "p", "adjusted_p", "size_tau", "smallest_tau", "verdict"]
    if all(row["strongest"] in BASELINES for row in rows):  # no metric was asked about
        columns = [name for name in columns if name not in ("strongest", "size_tau", "verdict")]
    shown = [{name: row[name] for name in columns} for row in rows]
    _print(shown, ("smallest_tau", "interval", "p", "adjusted_p", "verdict", "size_tau"), limit)


_DROPPABLE = ("ceiling_tau", "spearman", "pearson", "smallest_tau", "interval", "rmse", "p", "r_squared", "verdict")


def _row(each: "Correlation") -> dict[str, Any]:
    return {
        "metric": each.metric,
        "n": each.n,
        "tau": each.kendall_tau,
        "interval": _ends(each.tau_interval),
        "p": each.kendall_p,
        "adjusted_p": each.adjusted_p,
        "r_squared": each.r_squared,
        "rmse": each.rmse,
        "spearman": each.spearman_rho,
        "pearson": each.pearson_r,
        "smallest_tau": each.smallest_tau,
        "ceiling_tau": each.ceiling_tau,
        "verdict": str(each.verdict),
    }


def _print(rows: Sequence[dict[str, Any]], droppable: Sequence[str], limit: int | None = None) -> None:
    """Print rows without the columns that none of them has."""
    import pyarrow as pa

    if not rows:
        return
    known = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    click.echo()
    table = pa.Table.from_pylist([{name: row[name] for name in known} for row in rows])
    print_narrowed(table, [name for name in droppable if name in known], limit=len(rows) if limit is None else limit)


def _ends(interval: "Interval | None") -> str | None:
    return None if interval is None else f"{interval.low:.2f} .. {interval.high:.2f}"
