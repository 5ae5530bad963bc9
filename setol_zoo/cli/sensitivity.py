"""`setol sensitivity`: what ranks and correlations owe to choices that are seldom reported."""

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import (
    config_option,
    config_words,
    json_option,
    next_command,
    reports_user_errors,
    results_option,
    shown_path,
    typed_command,
)
from setol_zoo.cli.table_options import nothing_scored

if TYPE_CHECKING:
    import pyarrow as pa

    from analysis.samples.missingness import Missingness
    from analysis.studies.sensitivity import Sensitivity
    from catalogs.places import Where


@click.command("sensitivity", short_help="What ranks and correlations owe to how layers are averaged.")
@results_option
@config_option
@click.option("--metric", "metrics", multiple=True, help="Only this column of layers, with all choices; repeatable.")
@click.option("--dataset", help="What scores were measured on; by default where most models can be compared.")
@json_option
@reports_user_errors
def command(results: "Where", config: str | None, metrics: tuple[str, ...], dataset: str | None, as_json: bool) -> None:
    """Compare ways to make a model's number out of its layers: averages, layers left out, options.

    For each metric: how far its tau with the published scores runs, how far ranks of models move, and what is missing.
    Each choice is compared with the mean over all layers, on the same models.
    """
    import numpy as np

    from analysis.opening.results import open_results
    from analysis.samples.missingness import missing_headline, missingness
    from analysis.studies.looks import Look, note
    from analysis.studies.sensitivity import METRICS, headlines, sensitivity
    from catalogs.plain import plain_text
    from setol_zoo.cli.tables import print_json

    opened = open_results([results], config)
    chosen = metrics or METRICS
    found = sensitivity(opened, metrics=chosen, dataset=dataset)
    missing = missingness(opened, metrics=chosen, dataset=dataset, generator=np.random.default_rng(0))
    tests = sum(each.p is not None for each in missing.metrics)
    options = {"config": opened.config}
    looks = note(
        opened.folders,
        Look(command="sensitivity", metrics=tuple(chosen), dataset=dataset, options=options, tests=tests),
    )
    if as_json:
        print_json(asdict(found) | {"missing": asdict(missing)})
        return
    for line in (*headlines(found), missing_headline(missing)):
        if line is not None:
            click.echo(plain_text(line))
    if not found.n_models:
        click.echo("no finished models in these results")
    elif found.target is None:
        click.echo(nothing_scored(opened))
    _print_tables(found, missing, every_choice=bool(metrics))
    if missing.metrics:
        told = f"exploratory (a choice that was made because its tau is larger is a selection). {looks}"
        click.secho(plain_text(told), dim=True)
    _print_notes(found, results)
    if metrics or not found.effects:
        next_command("report", "--results", shown_path(results), *config_words(opened))
    else:
        next_command("sensitivity", "--metric", _widest(found), "--results", shown_path(results), *config_words(opened))


def _print_tables(found: "Sensitivity", missing: "Missingness", *, every_choice: bool) -> None:
    """A row a metric; or, where metrics were named, a row a choice; then what is missing."""
    from analysis.studies.sensitivity import known
    from setol_zoo.cli.tables import print_narrowed

    if every_choice:
        for metric in filter(partial(known, found), found.metrics):
            click.echo()
            droppable = ("n_changed", "agreement_within", "n", "to", "from", "agreement")
            print_narrowed(_choice_table(found, metric), droppable, title=f"{metric}, each choice", limit=1000)
    else:
        if any(each.tau is not None for each in found.effects):
            click.echo()
            print_narrowed(_score_table(found), ("n_choices",), title=_score_title(found), limit=1000)
        if found.n_models > 1:
            click.echo()
            title = f"Ranks of {found.n_models} models, against those by default"
            print_narrowed(_rank_table(found), ("to", "from", "agreement", "least_by"), title=title, limit=1000)
    if missing.metrics:
        click.echo()
        title = "What is missing, and whether it goes with the score"
        print_narrowed(_missing_table(missing), ("layers_for", "models_for", "p"), title=title, limit=1000)


def _score_title(found: "Sensitivity") -> str:
    from catalogs import counted

    assert found.target is not None
    families = max(each.n_families for each in found.effects)
    where = f"within {families} families" if families > 1 else "within one family"
    return (
        f"Tau with {found.target.score_metric} on {found.target.dataset}, {counted(found.n_scored, 'model')}, "
        f"{where if families else 'all together'}; {'higher' if found.target.higher_is_better else 'lower'} is better"
    )


def _score_table(found: "Sensitivity") -> "pa.Table":
    """How far each metric's tau with the score runs, and under which choices."""
    import pyarrow as pa

    from analysis.samples.choices import DEFAULT
    from analysis.studies.sensitivity import score_range

    rows = []
    for metric in found.metrics:
        if span := score_range(found, metric):
            known = [each for each in found.of(metric) if each.tau is not None]
            rows.append(
                {
                    "metric": metric,
                    "default": next((each.tau for each in known if each.choice == DEFAULT), None),
                    "lowest": span[0].tau,
                    "lowest_by": span[0].choice,
                    "highest": span[1].tau,
                    "highest_by": span[1].choice,
                    "n_choices": len(known),
                }
            )
    return pa.Table.from_pylist(rows)


def _rank_table(found: "Sensitivity") -> "pa.Table":
    """The largest move of a model by each metric, and the choice whose ranking is least like that by default."""
    rows = []
    for metric in found.metrics:
        most = max(found.of(metric), key=lambda each: each.moved or 0)
        known = [each for each in found.of(metric) if each.agreement is not None]
        least = min(known, key=lambda each: each.agreement or 0, default=None)
        rows.append(
            {
                "metric": metric,
                "moved": most.moved,
                "model": most.moved_model,
                "from": most.moved_from,
                "to": most.moved_to,
                "of": most.n_common,
                "moved_by": most.choice if most.moved else None,
                "agreement": None if least is None else least.agreement,
                "least_by": None if least is None else least.choice,
            }
        )
    return _whole(rows, "moved", "from", "to")


def _choice_table(found: "Sensitivity", metric: str) -> "pa.Table":
    """Every choice of one metric."""
    rows = [
        {
            "choice": each.choice,
            "n": each.n,
            "n_changed": each.n_changed,
            "agreement": each.agreement,
            "agreement_within": each.agreement_within,
            "moved": each.moved,
            "model": each.moved_model,
            "from": each.moved_from,
            "to": each.moved_to,
            "tau": each.tau,
            "change": each.change,
        }
        for each in found.of(metric)
    ]
    return _whole(rows, "moved", "from", "to")


def _missing_table(missing: "Missingness") -> "pa.Table":
    """What is missing, and how far off tau could be where models are; metrics that lack the same share a row."""
    import pyarrow as pa

    def told(reasons: Any) -> str | None:
        return ", ".join(f"{each.reason} ({each.n})" for each in reasons) or None

    rows: dict[object, dict[str, Any]] = {}
    for each in missing.metrics:
        lacks = bool(each.n_models_missing)
        row = {
            "models": f"{each.n_models_missing} of {each.n_models}",
            "models_for": told(each.model_reasons),
            "layers": f"{each.n_layers_missing} of {each.n_layers}",
            "layers_for": told(each.layer_reasons),
            "with_score": each.association,
            "p": None if each.p is None else round(each.p, 4),
            "tau": each.tau if lacks else None,
            "at_least": each.low if lacks else None,
            "at_most": each.high if lacks else None,
        }
        first = rows.setdefault(tuple(row.values()), {"metric": each.metric, **row})
        if first["metric"] != each.metric:
            first["metric"] += f", {each.metric}"
    if len(rows) == 1 and len(missing.metrics) > 3:
        rows = {None: {**next(iter(rows.values())), "metric": f"all {len(missing.metrics)}"}}
    table = pa.Table.from_pylist(list(rows.values()))
    return table if any(each.n_models_missing for each in missing.metrics) else table.select(table.column_names[:-3])


def _whole(rows: list[dict[str, Any]], *columns: str) -> "pa.Table":
    """Rows as a table; columns of ranks as integers where no two models share one."""
    import pyarrow as pa

    for column in columns:
        known = [row[column] for row in rows if row[column] is not None]
        if all(value.is_integer() for value in known):
            rows = [{**row, column: None if row[column] is None else int(row[column])} for row in rows]
    return pa.Table.from_pylist(rows)


def _print_notes(found: "Sensitivity", results: "Where") -> None:
    """What the choices are where their names do not say it, and which are not there."""
    from catalogs.plain import plain_text

    click.echo()
    for each in found.choices:
        if each.config != found.config:
            click.echo(plain_text(f"{each.name}: {each.meaning}"))
    for note in found.notes:
        click.echo(note)
    for absent in found.not_computed:
        words = [*absent.words, "--results", shown_path(results)]
        click.echo(f"not computed: {absent.name}; for it: {typed_command(words)}")
    if found.other_datasets:
        shown = ", ".join(found.other_datasets[:4]) + (", ..." if len(found.other_datasets) > 4 else "")
        click.echo(plain_text(f"other data sets: {shown}; --dataset compares with the scores on one"))


def _widest(found: "Sensitivity") -> str:
    """The metric that choices matter most to: by its tau with the score, or by ranks where there is none."""
    from analysis.studies.sensitivity import score_range

    spans = {metric: score_range(found, metric) for metric in found.metrics}
    known = {metric: (span[1].tau or 0) - (span[0].tau or 0) for metric, span in spans.items() if span is not None}
    if known:
        return max(known, key=lambda metric: known[metric])
    return max(found.effects, key=lambda each: each.moved or 0).metric
