"""`setol analyze`: a model's layers as a table, without Ray."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import SOME_FAILED, json_option, next_command, reports_user_errors

if TYPE_CHECKING:
    from analysis.results import Results
    from catalogs import Catalog

LAYERS = """
SELECT layer, part, kind, n_rows AS N, n_cols AS M, n_evals AS evals, alpha, alpha_sigma AS "±", d_ks AS D,
       n_tail AS tail, alpha_hat, log_norm, stable_rank, erg_delta, coalesce(reason, '') AS note
FROM layers WHERE model = '{model}' ORDER BY file, row
"""
SKIPPED = """
SELECT reason, sentence, count(*) AS tensors, sum(n_params) AS params FROM skipped WHERE model = '{model}'
GROUP BY ALL ORDER BY params DESC
"""


@click.command("analyze", short_help="Spectra and metrics of one or a few models, as a table.")
@click.argument("models", nargs=-1, required=True)
@click.option("--preset", "preset_name", default="default", show_default=True, help="Metric options by name.")
@click.option("--device", default="auto", show_default=True, help="torch device; auto is the GPU if there is one.")
@click.option("--rows", type=click.IntRange(min=1), default=60, show_default=True, help="Most layers to show.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), help="Keep the results in this folder.")
@json_option
@reports_user_errors
def command(
    models: tuple[str, ...], preset_name: str, device: str, rows: int, results: Path | None, as_json: bool
) -> None:
    """Analyze MODELS: weight files, folders with one model, or models of the built-in catalogs (see `setol catalog`).

    Prints a line for every matrix, a reading of them, and what was skipped and why. Exit status: 0 all done,
    1 some models failed, 2 the call was wrong.
    """
    from setol_zoo.targets import catalog_of_targets

    catalog = catalog_of_targets(models)
    if results is not None:
        failed = _analyze(catalog, results.absolute(), preset_name, device, rows, as_json)
    else:
        with tempfile.TemporaryDirectory(prefix="setol-") as folder:
            failed = _analyze(catalog, Path(folder), preset_name, device, rows, as_json)
    if failed:
        raise SystemExit(SOME_FAILED)
    if not as_json:
        next_command("run", *models, "--results", results or "results")


def _analyze(catalog: "Catalog", folder: Path, preset_name: str, device: str, rows: int, as_json: bool) -> bool:
    """Run the job in a folder and print it; whether a model failed."""
    from analysis.results import open_results
    from checkpoints.fetch import cache_directory
    from pipeline.drive import RunRequest, drive
    from pipeline.folder import ResultsFolder
    from pipeline.options import Options, preset
    from pipeline.progress import ProgressReporter
    from pipeline.serial import run_serially
    from setol_zoo.cli.tables import console, print_json

    request = RunRequest(
        catalog,
        ResultsFolder(folder),
        cache_directory(),
        Options(metrics=preset(preset_name)),
        device=device,
        threads=os.cpu_count() or 1,
    )
    with ProgressReporter(console(stderr=True)) as reporter:
        summary = drive(request, run_serially, reporter)
    opened = open_results(folder, summary.config)
    if as_json:
        views = ("models", "layers", "model_metrics", "skipped", "failures")
        print_json({view: opened.rows(f"SELECT * FROM {view}") for view in views})
    else:
        for row in opened.rows("SELECT model, name, coverage FROM models WHERE status != 'failed'"):
            _print_model(opened, row, rows)
    return bool(summary.failures)


def _print_model(opened: "Results", model: dict[str, Any], rows: int) -> None:
    from setol_zoo.cli.tables import print_table
    from setol_zoo.reading import reading

    key = model["model"].replace("'", "''")
    print_table(opened.sql(LAYERS.format(model=key)), title=model["name"], limit=rows)
    for row in opened.rows(SKIPPED.format(model=key)):
        click.echo(f"skipped: {row['tensors']} tensors, {row['params']:,} entries, {row['reason']}: {row['sentence']}")
    if model["coverage"] is not None:
        click.echo(f"coverage: {100 * model['coverage']:.1f} % of the parameters in matrices")
    metrics = opened.rows(f"SELECT * FROM model_metrics WHERE model = '{key}'")
    alphas = opened.sql(f"SELECT alpha FROM layers WHERE model = '{key}' AND status = 'ok' AND kind != 'table'")
    click.echo(reading(model["name"], metrics[0] if metrics else None, alphas["alpha"].to_pylist()))
