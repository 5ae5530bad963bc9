"""`setol regress`: slopes of scores on metrics, of a results folder or of any two tables."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import (
    WrongCall,
    config_option,
    config_words,
    json_option,
    next_command,
    refuse_results_beside_tables,
    reports_user_errors,
    results_option,
    typed_command,
)
from setol_zoo.cli.completion import complete_score_part
from setol_zoo.cli.table_options import SHOWN, nothing_scored, table_options

if TYPE_CHECKING:
    from analysis.opening.results import Results
    from analysis.samples.sample import Sample
    from analysis.studies.regression_records import Regressed
    from catalogs.places import Where

NO_CONTROL = "none"


@click.command("regress", short_help="Slopes of scores on metrics that may differ by family.")
@results_option
@config_option
@table_options
@click.option("--metric", "metrics", multiple=True, help="Only this metric, by all methods; may be repeated.")
@click.option("--dataset", shell_complete=complete_score_part, help="Only scores on this data set.")
@click.option(
    "--control",
    "controls",
    multiple=True,
    default=("log10_params",),
    show_default=True,
    help="What is held fixed, such as log10_params or depth; may be repeated; `none` for nothing.",
)
@click.option(
    "--link",
    type=click.Choice(["identity", "logit", "log"]),
    default="identity",
    show_default=True,
    help="What the score is turned into: logit for accuracies and errors, log for perplexities.",
)
@json_option
@reports_user_errors
def command(
    results: "Where",
    config: str | None,
    metrics_file: Path | None,
    scores: str | None,
    by: str | None,
    score: str | None,
    unit: str | None,
    params: str | None,
    metrics: tuple[str, ...],
    dataset: str | None,
    controls: tuple[str, ...],
    link: str,
    as_json: bool,
) -> None:
    """Regress published scores on metrics within families, without assuming that all families have one slope.

    The default is in two stages: a slope a family, then the mean over families. Beside it stand tau, random slopes,
    fixed effects, the slope without the metric's own error, and that between families. 5 families are tested.
    """
    from analysis.statistics.links import Link
    from analysis.studies.regress import regress
    from catalogs.plain import plain_text
    from setol_zoo.cli.regression_tables import print_regressed
    from setol_zoo.cli.tables import print_json

    held = tuple(name for name in dict.fromkeys(controls) if name != NO_CONTROL)
    tables = {"--metrics": metrics_file, "--scores": scores, "--by": by, "--score": score, "--unit": unit}
    tables |= {"--params": params}
    if scores is None:
        asked = _of_results(results, config, tables, metrics, held, dataset)
    else:
        asked = _of_tables(config, tables, metrics, held, dataset)
    shown = asked.samples if as_json or dataset is not None else asked.samples[:SHOWN]
    found = [regress(sample, asked.metrics, controls=held, link=Link(link)) for sample in shown]
    looks = _looks(asked, found, dataset, {"controls": ",".join(held), "link": link})
    if as_json:
        print_json({"regressions": [asdict(each) for each in found], "notes": list(asked.notes)})
        return
    if not asked.samples:
        click.echo(nothing_scored(asked.opened))
    for place, each in enumerate(found):
        if place:
            click.echo()
        print_regressed(each, every_method=bool(metrics))
    rest = [each.target.dataset for each in asked.samples[len(shown) :]]
    if rest:
        more = ", ..." if len(rest) > 8 else ""
        click.echo(plain_text(f"not shown: {', '.join(rest[:8])}{more}; --dataset shows one"))
    for note in asked.notes:
        click.echo(plain_text(note))
    if found:
        click.secho(looks, dim=True)
    if asked.opened is not None:
        next_command("sensitivity", "--results", results, *config_words(asked.opened))
    else:
        given = {**tables, "--dataset": dataset}
        next_command("correlate", *(word for pair in given.items() if pair[1] is not None for word in pair))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Samples, the metrics to judge on each, what was left out, and the results that they are of, if of any."""

    samples: tuple["Sample", ...]
    metrics: tuple[str, ...]
    notes: tuple[str, ...]
    opened: "Results | None"


def _of_results(
    results: "Where",
    config: str | None,
    tables: Mapping[str, object],
    metrics: tuple[str, ...],
    held: tuple[str, ...],
    dataset: str | None,
) -> _Asked:
    from analysis.opening.results import open_results
    from analysis.samples.samples_from_results import samples_from_results
    from analysis.studies.correlate import METRICS

    for name, value in tables.items():
        if value is not None:
            raise WrongCall(f"{name} needs --scores: the table or catalog that has the scores.")
    opened = open_results([results], config)
    judged = metrics or METRICS
    samples = samples_from_results(opened, dataset=dataset, metrics=list(dict.fromkeys([*judged, *held])))
    return _Asked(samples, judged, (), opened)


def _of_tables(
    config: str | None,
    tables: Mapping[str, Any],
    metrics: tuple[str, ...],
    held: tuple[str, ...],
    dataset: str | None,
) -> _Asked:
    from analysis.samples.samples_from_files import Question, samples_from_files

    if config is not None:
        raise WrongCall("--config is for results, and --scores asks of tables.")
    refuse_results_beside_tables()
    if tables["--metrics"] is None:
        scores = tables["--scores"]
        raise WrongCall(
            f"--scores needs --metrics: a table with a row a model. What size alone says of the scores: "
            f"{typed_command(['correlate', '--scores', scores])}"
        )
    columns = tuple(filter(None, (name.strip() for name in (tables["--by"] or "").split(","))))
    others = [name for name in held if name not in ("log10_params", "depth")]
    named = tuple(dict.fromkeys([*metrics, *others])) if metrics else ()
    question = Question(by=columns, metrics=named, score=tables["--score"], unit=tables["--unit"], dataset=dataset)
    joined = samples_from_files(tables["--metrics"], tables["--scores"], question, params=tables["--params"])
    judged = metrics or tuple(name for name in joined.metrics if name not in held)
    return _Asked(joined.samples, judged, joined.notes, None)


def _looks(asked: _Asked, found: list["Regressed"], dataset: str | None, options: dict[str, str]) -> str:
    """Note the look, and say how many tests there were."""
    from analysis.studies.looks import Look, Selections, note

    tests = sum(each.tests for each in found)
    made = Selections(1, tests, noted=False)
    if asked.opened is not None:
        options = {**options, "config": asked.opened.config}
        look = Look(command="regress", metrics=asked.metrics, dataset=dataset, options=options, tests=tests)
        made = note(asked.opened.folders, look)
    return f"exploratory (the primary claim is one that setol correlate tests). {made}"
