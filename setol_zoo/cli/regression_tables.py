"""Regressions on a terminal: sentences, tables, and what was left out."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pyarrow as pa

    from analysis.studies.regression_records import MetricRegression, Regressed


def print_regressed(found: "Regressed", *, every_method: bool) -> None:
    """Print one score: what can be said in words, the table, and what was left out.

    Args:
        found: The regressions of the score.
        every_method: A table a metric with a row a method, instead of one table with a row a metric.
    """
    from catalogs import counted
    from catalogs.plain import plain_text
    from setol_zoo.cli.tables import print_narrowed

    target = found.target
    split = f" ({target.split})" if target.split else ""
    way = "higher" if target.higher_is_better else "lower"
    scale = target.unit if found.scale == target.unit else f"{target.unit}, as {found.scale}"
    head = f"{target.score_metric} in {scale} on {target.dataset}{split}: {counted(found.models, 'model')}"
    click.secho(plain_text(f"{head}, {way} is better"), bold=True)
    judged = [each for each in found.metrics if each.rows[0].p is not None]
    first = sorted(judged, key=lambda each: each.rows[0].p_adjusted or 0.0)
    told = found.metrics if every_method else [each for each in found.metrics if each.reversed] or first[:1]
    for each in dict.fromkeys([*first[:1], *told]):
        click.echo(plain_text(each.sentence))
    if every_method:
        for each in found.metrics:
            if all(row.estimate is None for row in each.rows):  # its sentence says why
                continue
            print_narrowed(
                _methods(each), ("positive", "spread", "standard_error", "models"), title=each.metric, limit=20
            )
            _print_reasons(each)
    elif judged:
        print_narrowed(
            _metrics(judged), ("models", "tau_p", "random", "no_error", "fixed_p", "p_t", "between"), limit=1000
        )
        _print_legend(found)
    absent = [each for each in found.metrics if each.rows[0].p is None]
    if absent and not every_method:
        by_reason: dict[str, list[str]] = {}
        for each in absent:
            by_reason.setdefault(str(each.rows[0].reason), []).append(each.metric)
        for reason, names in by_reason.items():
            whom = f"all {len(names)} metrics" if len(names) == len(found.metrics) > 3 else ", ".join(names)
            few = "only " if reason[:1].isdigit() else ""
            click.echo(plain_text(f"cannot be judged: {whom}: {few}{reason}"))
    if found.without_family:
        click.echo(f"left out: {counted(found.without_family, 'model')} of no family")
    _print_left_out(found)


def _print_legend(found: "Regressed") -> None:
    from catalogs import counted
    from catalogs.plain import plain_text

    given = f"; held fixed: {', '.join(found.controls)}" if found.controls else ""
    click.echo(
        plain_text(
            f"slopes in {found.scale} per standard deviation of the metric within families{given}; p: how often "
            f"chance alone looks as strong, p_adjusted for {counted(len(found.metrics), 'metric')}; --metric shows one "
            f"by all methods"
        )
    )


def _print_left_out(found: "Regressed") -> None:
    """What cannot take part, once where it is the same for all metrics."""
    from catalogs import counted
    from catalogs.plain import plain_text

    lines: dict[str, list[str]] = {}
    for each in found.metrics:
        parts = []
        if each.missing:
            parts.append(f"{counted(each.missing, 'model')} without the metric or a control")
        if each.too_small:
            parts.append(f"{_named(each.too_small)} too small for a slope")
        if each.flat:
            parts.append(f"{_named(each.flat)} where the metric does not vary beyond the controls")
        if parts:
            lines.setdefault("; ".join(parts), []).append(each.metric)
    for line, names in lines.items():
        of = "" if len(names) == len(found.metrics) else f"{', '.join(names)}: "
        click.echo(plain_text(f"left out: {of}{line}"))


def _named(families: tuple[str, ...]) -> str:
    from catalogs import counted

    shown = ", ".join(families[:4]) + (", ..." if len(families) > 4 else "")
    return f"{counted(len(families), 'family', 'families')} ({shown})"


def _metrics(found: list["MetricRegression"]) -> "pa.Table":
    """A row a metric: the two-stage slope, and the others per standard deviation beside it."""
    import pyarrow as pa

    from analysis.studies.regression_records import Method

    rows = []
    for each in found:
        slope, tau, fixed = each.row(Method.TWO_STAGE), each.row(Method.TAU), each.row(Method.FIXED)
        ratio = (slope.per_sd or 0.0) / slope.estimate if slope.estimate else 0.0
        rows.append(
            {
                "metric": each.metric,
                "models": slope.models,
                "families": slope.families,
                "slope": slope.per_sd,
                "low": slope.interval.low * ratio if slope.interval else None,
                "high": slope.interval.high * ratio if slope.interval else None,
                "p": slope.p,
                "p_t": slope.p_t,
                "p_adjusted": slope.p_adjusted,
                "tau": tau.estimate,
                "tau_p": tau.p,
                "random": each.row(Method.RANDOM).per_sd,
                "fixed": fixed.per_sd,
                "fixed_p": fixed.p,
                "no_error": each.row(Method.CORRECTED).per_sd,
                "between": each.row(Method.BETWEEN).per_sd,
            }
        )
    return pa.Table.from_pylist(rows)


def _methods(found: "MetricRegression") -> "pa.Table":
    """A row a method."""
    import pyarrow as pa

    return pa.Table.from_pylist(
        [
            {
                "method": row.method.value,
                "models": row.models,
                "families": row.families,
                "slope": row.estimate,
                "low": row.interval.low if row.interval else None,
                "high": row.interval.high if row.interval else None,
                "per_sd": row.per_sd,
                "standard_error": row.standard_error,
                "p": row.p,
                "p_t": row.p_t,
                "spread": row.spread,
                "positive": row.positive,
                "reliability": row.reliability,
            }
            for row in found.rows
        ]
    )


def _print_reasons(found: "MetricRegression") -> None:
    from catalogs.plain import plain_text

    for row in found.rows:
        if row.reason:
            click.echo(plain_text(f"{row.method.value}: {row.reason}"))
