"""What `setol run` and `setol plan` have in common: which models, which metric options, which folder."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import reports_user_errors, results_or_out_option
from setol_zoo.cli.completion import complete_catalog, complete_model, complete_preset

if TYPE_CHECKING:
    from pipeline.drive import RunRequest

preset_option = click.option(
    "--preset",
    "preset_name",
    default="default",
    show_default=True,
    help="Metric options by name.",
    shell_complete=complete_preset,
)

_OPTIONS = (
    click.argument("models", nargs=-1, shell_complete=complete_model),
    click.option(
        "--catalog",
        "catalog_name",
        help="A built-in catalog (such as demo), or the path of your own.",
        shell_complete=complete_catalog,
    ),
    results_or_out_option,
    click.option("--limit", type=click.IntRange(min=1), help="Only the first N models."),
    preset_option,
    click.option("--min-evals", type=int, help="Fewest eigenvalues for a tail fit; overrides the preset."),
    click.option("--kernel-factor", type=float, help="Factor on the eigenvalues of kernels; overrides the preset."),
    click.option("--retry-failed", is_flag=True, help="Try again what failed for good (a bad file, a wrong hash)."),
)


def takes_request(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say what to run; it gets them as `request`, a `RunRequest`.

    What is wrong with them is told as `reports_user_errors` does.
    """

    @reports_user_errors
    @wraps(command)
    def wrapper(**options: Any) -> None:
        names = ("models", "catalog_name", "results", "limit", "preset_name", "min_evals", "kernel_factor")
        selected = {name: options.pop(name) for name in (*names, "retry_failed")}
        command(request=_request(**selected), **options)

    for option in reversed(_OPTIONS):
        option(wrapper)
    return wrapper


def _request(
    models: tuple[str, ...],
    catalog_name: str | None,
    results: Path,
    limit: int | None,
    preset_name: str,
    min_evals: int | None,
    kernel_factor: float | None,
    retry_failed: bool,
) -> "RunRequest":
    from catalogs import load_catalog
    from checkpoints.fetch import cache_directory
    from pipeline.drive import RunRequest
    from pipeline.folder import ResultsFolder
    from pipeline.options import Options, preset
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
    folder = ResultsFolder(results.absolute())
    return RunRequest(catalog, folder, cache_directory(), Options(metrics=metrics), retry_failed=retry_failed)
