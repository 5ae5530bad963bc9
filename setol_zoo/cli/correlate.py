"""`setol correlate`: metrics against scores, of a results folder or of any two tables."""

from collections.abc import Mapping
from dataclasses import asdict
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
)
from setol_zoo.cli.completion import complete_score_part
from setol_zoo.cli.table_options import SHOWN, nothing_scored, table_options

if TYPE_CHECKING:
    from analysis.samples.sample import Sample
    from analysis.studies.claim import Claim
    from analysis.studies.correlation_records import Correlations
    from analysis.studies.size import SizeStudy
    from catalogs.places import Where

LEGEND = (
    "tau: 1 where scores order the models as the metric does, -1 the other way round; at 0.5, of 100 pairs 75 agree. "
    "p: how often chance alone looks as strong. Other columns: setol correlate --help"
)


@click.command("correlate", short_help="Metrics against published scores, within each family.")
@results_option
@config_option
@table_options
@click.option(
    "--higher-is-better/--lower-is-better", default=None, help="Which way scores go, where their name misleads."
)
@click.option("--metric", "metrics", multiple=True, help="Only this metric; may be repeated.")
@click.option("--against", help="A metric that the others are set against, family by family.")
@click.option("--dataset", shell_complete=complete_score_part, help="Only scores on this data set.")
@click.option("--family", shell_complete=complete_score_part, help="Only this family.")
@click.option("--all", "everything", is_flag=True, help="All scores, families and metrics, not a screenful.")
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
    higher_is_better: bool | None,
    params: str | None,
    metrics: tuple[str, ...],
    against: str | None,
    dataset: str | None,
    family: str | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Ask whether metrics add anything to size, then how far they order models as their scores do.

    Without --scores, of a results folder; with it, of two tables, joined on the column `model`; with a catalog and no
    --metrics, of the catalog's number of parameters alone, which is the baseline. Families are compared within
    themselves and never pooled into one line. 4 models are described, 5 are tested, 8 have intervals.

    Columns: `tau`, 1 where scores order the models as the metric does, -1 the other way round; `given_size`, what is
    left of it among models of one size; `interval`, of 95 %; `p`, how often chance alone looks as strong, and
    `adjusted_p` as the best of all metrics; `error_removed`, the share of the squared error of differences
    within unseen families that the metric takes away; `smallest_tau`, the least that so many models can tell from
    chance; `ceiling_tau`, what a perfect metric could reach; `size_tau`, that of the number of parameters;
    `stronger_by`, beside --against.
    """
    from analysis.opening.results import Results, open_results
    from analysis.samples.samples_from_files import Question, samples_from_files
    from analysis.samples.samples_from_results import samples_from_results
    from analysis.studies.claim import claim
    from analysis.studies.correlate import METRICS
    from analysis.studies.looks import Look
    from catalogs.plain import plain_text
    from setol_zoo.cli.correlation_tables import SCREENFUL

    next_words: list[Any] = []
    notes: tuple[str, ...] = ()
    opened: Results | None = None
    samples: tuple[Sample, ...]
    if scores is None:
        alone = {"--metrics": metrics_file, "--by": by, "--score": score, "--unit": unit, "--params": params}
        _refuse(alone, "needs --scores: the table or catalog that has the scores")
        opened = open_results([results], config)
        judged = metrics or METRICS
        samples = samples_from_results(opened, dataset=dataset, family=family, metrics=_with(judged, against))
        next_words = ["report", "--results", results, *config_words(opened)]
    else:
        _refuse({"--config": config}, "is for results, and --scores asks of tables")
        refuse_results_beside_tables()
        _refuse_metrics_of_no_table(metrics_file, scores, metrics, against)
        columns = tuple(filter(None, (name.strip() for name in (by or "").split(","))))
        question = Question(
            by=columns,
            metrics=_with(metrics, against) if metrics else (),
            score=score,
            unit=unit,
            higher_is_better=higher_is_better,
            dataset=dataset,
            family=family,
        )
        joined = samples_from_files(metrics_file, scores, question, params=params)
        samples, judged, notes = joined.samples, joined.metrics, joined.notes
    judged = _with(judged, against)
    everything = everything or dataset is not None or family is not None
    large, shown, small = _chosen(samples, everything=everything or as_json)
    pairs = [_computed(each, judged, against) for each in (samples if as_json else shown)]
    options = {"against": against, "config": opened.config if opened else None}
    look = Look(
        command="correlate",
        metrics=tuple(judged),
        dataset=dataset,
        family=family,
        options={name: value for name, value in options.items() if value is not None},
        tests=0,
    )
    behind = claim(opened, pairs, look)
    if as_json:
        _print_json(pairs, notes, behind)
        return
    if not samples:
        click.echo(nothing_scored(opened))
    for place, (found, study) in enumerate(pairs):
        if place:
            click.echo()
        _print_sample(found, study, everything=everything, limit=SCREENFUL // len(pairs))
    _print_rest(large[len(shown) :], small, notes, below=bool(pairs))
    if pairs:
        click.secho(LEGEND, dim=True)
        click.secho(plain_text(behind.told), dim=True)
    if not next_words:
        given: dict[str, object] = {
            "--metrics": metrics_file,
            "--scores": scores,
            "--by": by,
            "--score": score,
            "--unit": unit,
        }
        given |= {"--params": params, "--dataset": dataset}
        own = {"--against": against, "--family": family}
        sized = any(study.models for _, study in pairs)
        if not pairs:
            next_words = ["correlate", "--help"]
        elif everything and sized and metrics_file is not None and higher_is_better is None and family is None:
            next_words = _again("regress", given, metrics, None)
        else:
            more = "--json" if everything else "--all"
            next_words = [*_again("correlate", given | own, metrics, higher_is_better), more]
    next_command(*next_words)


def _refuse(given: Mapping[str, object], why: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise WrongCall(f"{name} {why}.")


def _refuse_metrics_of_no_table(
    metrics_file: Path | None, scores: str, metrics: tuple[str, ...], against: str | None
) -> None:
    if metrics_file is None:
        asked = {"--metric": ", ".join(metrics) or None, "--against": against}
        _refuse(asked, f"needs --metrics: a table with a row a model and that column. {scores} has scores alone")


def _with(metrics: tuple[str, ...], against: str | None) -> tuple[str, ...]:
    return metrics if against is None else tuple(dict.fromkeys([*metrics, against]))


def _again(command: str, given: Mapping[str, object], metrics: tuple[str, ...], higher: bool | None) -> list[Any]:
    """A command about the same tables."""
    words = [command, *(word for pair in given.items() if pair[1] is not None for word in pair)]
    words += [word for metric in metrics for word in ("--metric", metric)]
    if higher is not None:
        words.append("--higher-is-better" if higher else "--lower-is-better")
    return words


def _computed(sample: "Sample", metrics: tuple[str, ...], against: str | None) -> tuple["Correlations", "SizeStudy"]:
    from analysis.studies.correlate import correlate
    from analysis.studies.size import BASELINES, size_study

    judged = [metric for metric in metrics if metric not in BASELINES]
    return correlate(sample, metrics, against=against), size_study(sample, judged)


def _chosen(
    samples: tuple["Sample", ...], *, everything: bool
) -> tuple[list["Sample"], list["Sample"], list["Sample"]]:
    """The scores that can be described, those of them that are shown, and those of too few models."""
    from analysis.statistics.described import FEWEST_DESCRIBED

    large = [each for each in samples if _largest(each) >= FEWEST_DESCRIBED]
    small = [each for each in samples if _largest(each) < FEWEST_DESCRIBED]
    return large, large if everything else large[:SHOWN], small


def _print_rest(more: list["Sample"], small: list["Sample"], notes: tuple[str, ...], *, below: bool) -> None:
    """What was not shown, and why; below something, or on top."""
    from analysis.statistics.described import FEWEST_DESCRIBED
    from catalogs import counted
    from catalogs.plain import plain_text

    if below and (more or small or notes):
        click.echo()
    if more:
        names = ", ".join(f"{each.target.dataset} ({each.n})" for each in more[:8]) + (", ..." if len(more) > 8 else "")
        click.echo(plain_text(f"not shown: {counted(len(more), 'score')}: {names}; --dataset or --all shows them"))
    if small:
        sizes = sorted({_largest(each) for each in small})
        told = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        models = "model" if sizes[-1] == 1 else "models"
        scores = counted(len(small), "score")
        fewest = f"a family takes {FEWEST_DESCRIBED}"
        click.echo(f"too few to judge: {scores} with {told} {models} in the largest family; {fewest}")
    for note in notes:
        click.echo(plain_text(note))


def _largest(sample: "Sample") -> int:
    import numpy as np

    codes = sample.family_codes
    return int(np.bincount(codes[codes >= 0]).max()) if sample.family_names else sample.n


def _print_sample(found: "Correlations", study: "SizeStudy", *, everything: bool, limit: int) -> None:
    """One score: what is added to size, then the correlations."""
    from analysis.statistics.described import FEWEST_DESCRIBED
    from analysis.studies.reading import reading
    from analysis.studies.size_records import FEWEST_FAMILIES
    from analysis.studies.size_words import families_tested
    from catalogs import counted
    from catalogs.plain import plain_text
    from setol_zoo.cli.correlation_tables import print_group, print_groups, print_size, print_together

    target, several = found.target, bool(found.together)
    families = f" in {counted(len(found.groups), 'family', 'families')}" if found.groups[0].family is not None else ""
    way = "higher" if target.higher_is_better else "lower"
    split = f" ({target.split})" if target.split else ""
    click.echo(
        click.style(
            plain_text(
                f"{target.score_metric} in {target.unit} on {target.dataset}{split}: "
                f"{counted(found.n, 'model')}{families}, {way} is better"
            ),
            bold=True,
        )
    )
    asked = "Does it add anything to size?" if study.rows or not study.models else "What there is to add to:"
    click.echo(plain_text(f"{asked} {_size_sentence(found, study)}"))
    if families_tested(study) >= FEWEST_FAMILIES:
        print_size(study)
    if several:
        print_together(found, everything=everything)
        print_groups(found.groups, everything=everything, limit=limit)
    else:
        click.echo(plain_text(f"{found.groups[0].family or 'all models'}: {reading(found.groups[0])}"))
        print_group(found.groups[0], everything=everything)
    small = [group for group in found.groups if group.n < FEWEST_DESCRIBED]
    if small and not everything and several:
        models = sum(group.n for group in small)
        one = counted(len(small), "family has", "families have")
        click.echo(f"too few to judge: {one} fewer than {FEWEST_DESCRIBED} models ({models} together)")
    if found.n_without_family:
        click.echo(f"left out: {counted(found.n_without_family, 'model')} of no family")


def _size_sentence(found: "Correlations", study: "SizeStudy") -> str:
    """What the study says, and where size may come from if it is not known."""
    from analysis.studies.size_words import brief

    known = any(row.metric in study.controls for group in found.groups for row in group.correlations)
    if study.models or known:
        return brief(study)
    return f"{brief(study)} A column params says it, or --params with a table or catalog that has one."


def _print_json(pairs: list[tuple["Correlations", "SizeStudy"]], notes: tuple[str, ...], behind: "Claim") -> None:
    from setol_zoo.cli.tables import print_json

    print_json(
        {
            "size": [asdict(study) for _, study in pairs],
            "together": [
                asdict(found.target) | {"against": found.against} | asdict(row)
                for found, _ in pairs
                for row in found.together
            ],
            "correlations": [
                asdict(found.target) | {"family": group.family} | asdict(row)
                for found, _ in pairs
                for group in found.groups
                for row in group.correlations
            ],
            "claim": asdict(behind),
            "notes": list(notes),
        }
    )
