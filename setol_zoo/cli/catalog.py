"""`setol catalog`: list, show and check catalogs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors
from setol_zoo.cli.completion import complete_catalog, complete_score_part
from setol_zoo.cli.group import NamingGroup

if TYPE_CHECKING:
    from catalogs import Catalog, WeightFile

MOST_SHOWN = 40
"""Models that are shown one by one without being asked for."""

_MOST_DATASETS = 10


@click.group("catalog", cls=NamingGroup, short_help="List, show or check catalogs of models.")
def command() -> None:
    """Catalogs of models: which there are, what is in one, whether your own is in order."""


@command.command("list")
@json_option
@reports_user_errors
def list_catalogs(as_json: bool) -> None:
    """Catalogs that come with setol-zoo. `fetchable` are the models whose weights can be had."""
    import pyarrow as pa

    from catalogs import catalog_names, load_catalog
    from setol_zoo.cli.catalog_views import listed
    from setol_zoo.cli.tables import print_json, print_narrowed

    rows = [listed(load_catalog(name)) for name in catalog_names()]
    if as_json:
        print_json(rows)
    else:
        print_narrowed(pa.Table.from_pylist(rows), ["title", "families"], limit=len(rows))
        next_command("catalog", "show", rows[0]["catalog"])


@command.command("show", short_help="What is in a catalog: its families, or its models with their scores.")
@click.argument("name", shell_complete=complete_catalog)
@click.option(
    "--family",
    "families",
    multiple=True,
    shell_complete=complete_score_part,
    help="Only the models of this family; may be given several times.",
)
@click.option(
    "--dataset", shell_complete=complete_score_part, help="Scores on this data set, and only models that have one."
)
@click.option("--models", "every_model", is_flag=True, help="A row a model, however many there are.")
@json_option
@reports_user_errors
def show(name: str, families: tuple[str, ...], dataset: str | None, every_model: bool, as_json: bool) -> None:
    """What is in a catalog (a built-in name or a path): its families, or its models with their primary scores.

    Up to 40 models, those of one family, and all with --models, are shown one by one.
    """
    from catalogs import load_catalog
    from setol_zoo.cli.catalog_views import chosen_part
    from setol_zoo.cli.tables import print_json

    whole = load_catalog(name)
    catalog = chosen_part(whole, families, dataset)
    if as_json:
        print_json({"files": [asdict(f) for f in catalog.files], "scores": [asdict(s) for s in catalog.scores]})
    elif every_model or families or len(catalog.models) <= MOST_SHOWN:
        _print_models(catalog, dataset)
        _next(name, whole, catalog)
    else:
        largest = _print_families(catalog, dataset)
        next_command("catalog", "show", name, "--family", largest)


def _next(name: str, whole: "Catalog", shown: "Catalog") -> None:
    """What to type next: a run of a whole that is small, else of the first model; the list where nothing can be run."""
    from setol_zoo.cli.catalog_views import fetchable

    files = fetchable(shown)
    if not files:
        next_command("catalog", "list")
    elif shown == whole and len(files) <= MOST_SHOWN:
        next_command("run", "--catalog", name)
    else:
        next_command("run", "--catalog", name, files[0].name)


def _print_models(catalog: "Catalog", dataset: str | None) -> None:
    import pyarrow as pa

    from setol_zoo.cli.catalog_views import model_rows, score_kinds
    from setol_zoo.cli.tables import print_narrowed

    rows = model_rows(catalog, dataset)
    print_narrowed(
        pa.Table.from_pylist(rows),
        ["recipe", "licence", "pretrain", "more", "family"],
        title=catalog.title,
        limit=len(rows),
    )
    if len(kinds := score_kinds(catalog, dataset)) == 1:
        click.echo(f"score: {kinds[0]}")


def _print_families(catalog: "Catalog", dataset: str | None) -> str:
    """Print a row a family, the largest first; the largest."""
    import pyarrow as pa

    from catalogs import counted
    from setol_zoo.cli.catalog_views import family_rows, main_dataset, score_kinds
    from setol_zoo.cli.tables import print_narrowed

    main = dataset or main_dataset(catalog)
    rows = family_rows(catalog, main)
    print_narrowed(pa.Table.from_pylist(rows), ["architectures", "scored"], title=catalog.title, limit=len(rows))
    datasets = list(dict.fromkeys(score.dataset for score in catalog.scores))
    click.echo(f"{counted(len(catalog.models), 'model')}, score: {'; '.join(score_kinds(catalog, main)) or 'none'}")
    if len(datasets) > 1 and dataset is None:
        shown = ", ".join(datasets[:_MOST_DATASETS])
        more = f" and {len(datasets) - _MOST_DATASETS} more" if len(datasets) > _MOST_DATASETS else ""
        click.echo(f"data sets (--dataset): {shown}{more}")
    return str(rows[0]["family"])


@command.command("check", short_help="Say what is wrong with a catalog, row by row.")
@click.argument("path", shell_complete=complete_catalog)
@json_option
@reports_user_errors
def check(path: str, as_json: bool) -> None:
    """Read a catalog (a path or a built-in name) and say what is wrong with it, row by row. Exit status 2 if it is.

    Files of yours have to be there, with the sha256 that the catalog has of them; what is downloaded is checked when a
    run fetches it. What the catalog leaves open is told as remarks: models without parameters, licence or family,
    families too small to test, data sets without a primary score, models that look the same.
    """
    from catalogs import CatalogError, counted, load_catalog, parse_model_key
    from catalogs.plain import plain_text
    from catalogs.remarks import remarks
    from setol_zoo.cli.tables import print_json

    catalog = load_catalog(path)
    local = [file for file in catalog.files if parse_model_key(file.model).source == "path"]
    if wrong := _wrong_files(local):
        raise CatalogError(
            "\n  ".join(
                [f"catalog {catalog.name}: {counted(len(wrong), 'file is', 'files are')} not as it says", *wrong]
            )
        )
    found = {
        "catalog": catalog.name,
        "models": len(catalog.models),
        "scores": len(catalog.scores),
        "local_files": len(local),
        "remarks": (left_open := list(remarks(catalog))),
    }
    if as_json:
        print_json(found)
    else:
        models, scores = counted(len(catalog.models), "model"), counted(len(catalog.scores), "score")
        pinned = sum(file.weights_sha256 is not None for file in local)
        hashed = f", {pinned} of them with the sha256 that the catalog has" if pinned else ""
        there = f", {counted(len(local), 'local file is', 'local files are')} there{hashed}" if local else ""
        click.echo(f"catalog {catalog.name} is in order: {models}, {scores}{there}")
        for remark in left_open:
            click.echo(f"  {plain_text(remark)}")
        _next(path, catalog, catalog)


def _wrong_files(files: "Sequence[WeightFile]") -> list[str]:
    """A sentence for each local file that is not there, or is another."""
    wrong = []
    if files:
        from checkpoints.errors import CheckpointError
        from checkpoints.fetch import check_local

        for file in files:
            try:
                check_local(file)
            except CheckpointError as error:
                wrong.append(f"{file.name}: {error}")
    return wrong
