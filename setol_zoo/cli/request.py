"""What `setol run` and `setol plan` have in common: which models, which metric options, which folder."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import reports_user_errors, results_or_out_option
from setol_zoo.cli.completion import complete_catalog, complete_model
from setol_zoo.cli.options import (
    METRIC_OPTIONS,
    SPECTRUM_OPTIONS,
    base_option,
    chosen,
    metric_options,
    spectrum_options,
)

if TYPE_CHECKING:
    from catalogs import Catalog
    from catalogs.places import Where
    from pipeline.base_model import BaseModel
    from pipeline.drive import RunRequest

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
    metric_options,
    spectrum_options,
    base_option,
    click.option("--shard", "share", metavar="I/N", help="Only the I-th of N shares of the work, from 1/N to N/N."),
    click.option("--retry-failed", is_flag=True, help="Try again what failed for good (a bad file, a wrong hash)."),
)


def takes_request(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say what to run; it gets them as `request`, a `RunRequest`.

    What is wrong with them is told as `reports_user_errors` does.
    """

    @reports_user_errors
    @wraps(command)
    def wrapper(**options: Any) -> None:
        metrics, spectrum = chosen(options, METRIC_OPTIONS), chosen(options, SPECTRUM_OPTIONS)
        names = ("models", "catalog_name", "results", "limit", "preset_name", "base", "share", "retry_failed")
        selected = {name: options.pop(name) for name in names}
        command(request=_request(**selected, metrics=metrics, spectrum=spectrum), **options)

    for option in reversed(_OPTIONS):
        option(wrapper)
    return wrapper


def base_named(base: str, cache: Path, catalog: "Catalog | None" = None) -> "BaseModel":
    """The model that is to be subtracted, by what was typed for it.

    Args:
        base: A name of the catalog, or what `setol analyze` takes.
        cache: Cache directory.
        catalog: The catalog that was named; all of it.

    Raises:
        CatalogError: No model has that name.
        OptionError: It cannot be had.
    """
    from pipeline.planning.identify import identify_base
    from setol_zoo.targets import catalog_of_targets

    own = tuple(file for file in catalog.files if base in (file.model, file.name)) if catalog else ()
    return identify_base(own or catalog_of_targets([base]).files, cache)


def _request(
    models: tuple[str, ...],
    catalog_name: str | None,
    results: "Where",
    limit: int | None,
    preset_name: str,
    base: str | None,
    share: str | None,
    retry_failed: bool,
    metrics: dict[str, Any],
    spectrum: dict[str, Any],
) -> "RunRequest":
    if catalog_name is None and not models:
        raise click.UsageError("need --catalog NAME (such as demo), or paths of models.")
    click.echo("looking up what there is to do", err=True)  # the imports alone take seconds

    from catalogs import load_catalog
    from catalogs.places import cache_directory
    from pipeline.drive import RunRequest
    from pipeline.options import options_of
    from pipeline.planning.share import parse_share
    from pipeline.store.folder import ResultsFolder
    from setol_zoo.targets import catalog_of_targets

    catalog = load_catalog(catalog_name) if catalog_name else catalog_of_targets(models)
    if catalog_name and models:
        catalog = catalog.select(models)
    if limit:
        catalog = catalog.limit(limit)
    cache = cache_directory()
    subtracted = None if base is None else base_named(base, cache, load_catalog(catalog_name) if catalog_name else None)
    options = options_of(preset_name, **metrics, **spectrum, base=subtracted)
    return RunRequest(
        catalog,
        ResultsFolder(results),
        cache,
        options,
        retry_failed=retry_failed,
        share=parse_share(share) if share is not None else None,
    )
