"""`setol run`: the main job. `pipeline/run.py` is the same."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import SOME_FAILED, json_option, next_command, reports_user_errors, results_or_out_option

if TYPE_CHECKING:
    from pipeline.identify import Unidentified
    from pipeline.plan import Plan


@click.command("run", short_help="Bring a results folder up to date with a catalog of models.")
@click.argument("models", nargs=-1)
@click.option("--catalog", "catalog_name", help="A built-in catalog (such as demo), or the path of your own.")
@results_or_out_option
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N models.")
@click.option("--preset", "preset_name", default="default", show_default=True, help="Metric options by name.")
@click.option("--min-evals", type=int, help="Fewest eigenvalues for a tail fit; overrides the preset.")
@click.option("--kernel-factor", type=float, help="Factor on the eigenvalues of kernels; overrides the preset.")
@click.option(
    "--executor",
    type=click.Choice(["ray", "serial"]),
    default="ray",
    show_default=True,
    help="serial: in one process, without Ray.",
)
@click.option("--address", envvar="RAY_ADDRESS", help="Ray cluster to use; by default one is started here.")
@click.option("--cpus", type=click.IntRange(min=1), help="Cores to use where Ray is started here; by default all.")
@click.option("--device", default="auto", show_default=True, help="torch device; auto is the GPU if there is one.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed for good (a bad file, a wrong hash).")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
@reports_user_errors
def command(
    models: tuple[str, ...],
    catalog_name: str | None,
    results: Path,
    limit: int | None,
    preset_name: str,
    min_evals: int | None,
    kernel_factor: float | None,
    executor: str,
    address: str | None,
    cpus: int | None,
    device: str,
    retry_failed: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compute spectra and metrics of models, and keep them in a results folder.

    With --catalog, MODELS are names in it (all of them if none is given); without, they are weight files, folders
    with one model, or models of the built-in catalogs. What is in the results folder is not computed again: after an
    interruption, the same command goes on.

    Exit status: 0 all done, 1 some models failed, 2 the call was wrong.
    """
    from functools import partial

    from catalogs import load_catalog
    from checkpoints.fetch import cache_directory
    from pipeline.cluster import run_on_ray
    from pipeline.drive import RunRequest, drive, prepare
    from pipeline.folder import ResultsFolder
    from pipeline.options import Options, preset
    from pipeline.progress import ProgressReporter
    from pipeline.serial import run_serially
    from setol_zoo.cli.status import print_models
    from setol_zoo.cli.tables import console, print_json
    from setol_zoo.targets import catalog_of_targets

    if catalog_name is None and not models:
        raise click.UsageError("need --catalog NAME (such as demo), or paths of models.")
    catalog = load_catalog(catalog_name) if catalog_name else catalog_of_targets(models)
    if catalog_name and models:
        catalog = catalog.select(models)
    if limit:
        catalog = catalog.limit(limit)
    metrics = preset(preset_name)
    if min_evals is not None:
        metrics = replace(metrics, min_evals=min_evals)
    if kernel_factor is not None:
        metrics = replace(metrics, kernel_factor=kernel_factor)
    request = RunRequest(
        catalog,
        ResultsFolder(results.absolute()),
        cache_directory(),
        Options(metrics=metrics),
        device=device,
        retry_failed=retry_failed,
    )
    if dry_run:
        _print_plan(*prepare(request), as_json=as_json)
        return
    execute = run_serially if executor == "serial" else partial(run_on_ray, address=address, cpus=cpus)
    with ProgressReporter(console(stderr=True)) as reporter:
        summary = drive(request, execute, reporter)
    if as_json:
        print_json(asdict(summary))
    else:
        print_models(results, config=summary.config)
        click.echo(
            f"{len(catalog.models)} models: {summary.computed} weight files computed, {summary.reused} there already, "
            f"{len(summary.failures)} failed"
        )
        next_command("status" if summary.failures else "report", "--results", results)
    if summary.failures:
        raise SystemExit(SOME_FAILED)


def _print_plan(plan: "Plan", unidentified: "tuple[Unidentified, ...]", *, as_json: bool) -> None:
    import pyarrow as pa

    from setol_zoo.cli.tables import print_json, print_table

    rows = [
        {"model": unit.file.model, "file": unit.file.file, "bytes": unit.file.size, "to do": state}
        for state, units in (("compute", plan.units), ("nothing", plan.finished), ("failed before", plan.held_back))
        for unit in units
    ]
    rows += [
        {"model": row.file.model, "file": row.file.file, "bytes": None, "to do": f"fails: {row.error}"}
        for row in unidentified
    ]
    table = pa.Table.from_pylist(rows)
    print_json(table) if as_json else print_table(table)
