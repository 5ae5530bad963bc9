"""`setol refit`: metrics anew from stored spectra."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import (
    SOME_FAILED,
    config_words,
    json_option,
    next_command,
    reports_user_errors,
    results_option,
    shown_path,
)
from setol_zoo.cli.options import (
    METRIC_OPTIONS,
    SPECTRUM_OPTIONS,
    base_option,
    chosen,
    metric_options,
    spectrum_options,
)
from setol_zoo.cli.request import base_named

if TYPE_CHECKING:
    from catalogs.places import Where
    from pipeline.display.summary import Failure

MOST_NAMED = 5
"""Models that are named beside what is wrong with all of them."""


@click.command("refit", short_help="Metrics anew from stored spectra, without weights.")
@results_option
@metric_options
@spectrum_options
@base_option
@click.option("--cpus", type=click.IntRange(min=1), help="Cores to use; by default all.")
@json_option
@reports_user_errors
def command(
    results: "Where", preset_name: str, base: str | None, cpus: int | None, as_json: bool, **options: Any
) -> None:
    """Compute metrics of all spectra in a results folder, with other options than before.

    Needs neither weights nor network. Each choice of options is a configuration of its own beside the earlier ones;
    what is there is not computed again. Options about spectra say which of them are taken, by default those of
    the last run; spectra that are not there need the weights, and `setol run`.

    Exit status: 0 all done, 1 some models have no such spectra, 2 the call was wrong, 130 interrupted.
    """
    from analysis.opening.results import open_results
    from catalogs import counted
    from catalogs.places import cache_directory
    from catalogs.plain import plain_text
    from pipeline.cores import usable_cores
    from pipeline.display.progress import ProgressReporter
    from pipeline.execution.processes import run_in_processes
    from pipeline.options import SpectrumOptions, preset
    from pipeline.refit import RefitRequest, refit
    from pipeline.store.folder import ResultsFolder
    from setol_zoo.cli.status import print_models
    from setol_zoo.cli.tables import console, print_json

    metrics = preset(preset_name, **chosen(options, METRIC_OPTIONS))
    asked = chosen(options, SPECTRUM_OPTIONS)
    if base is not None:
        asked["base"] = base_named(base, cache_directory())
    request = RefitRequest(ResultsFolder(results), metrics, SpectrumOptions(**asked) if asked else None)
    with ProgressReporter(console(stderr=True)) as reporter:
        summary = refit(request, partial(run_in_processes, cpus=cpus or usable_cores()), reporter)
    if as_json:
        print_json(asdict(summary))
    else:
        opened = open_results(request.folder.root, summary.config)
        print_models(opened)
        for error, models in _by_error(summary.failures).items():
            named = f"{', '.join(models[:MOST_NAMED])}{', ...' * (len(models) > MOST_NAMED)}"
            click.secho(plain_text(f"{named}: {error}", keep="\n"), fg="red")
        click.echo(
            f"configuration {summary.config}: {counted(summary.computed, 'weight file')} computed, "
            f"{summary.reused} there already, {len(summary.failures)} without spectra or failed"
        )
        place = shown_path(request.folder.root)
        next_command("status" if summary.failures else "report", "--results", place, *config_words(opened))
    if summary.failures:
        raise SystemExit(SOME_FAILED)


def _by_error(failures: "Sequence[Failure]") -> dict[str, list[str]]:
    """Models by what is said of them: many of them lack the same."""
    models: dict[str, list[str]] = {}
    for failure in failures:
        models.setdefault(failure.error, []).append(failure.model)
    return models
