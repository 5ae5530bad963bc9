"""`setol catalog`: list, show and check catalogs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors
from setol_zoo.cli.completion import complete_catalog

if TYPE_CHECKING:
    from catalogs import WeightFile


@click.group("catalog", short_help="List, show or check catalogs of models.")
def command() -> None:
    """Catalogs of models: which there are, what is in one, whether your own is in order."""


@command.command("list")
@json_option
@reports_user_errors
def list_catalogs(as_json: bool) -> None:
    """Catalogs that come with setol-zoo."""
    import pyarrow as pa

    from catalogs import catalog_names, load_catalog
    from setol_zoo.cli.tables import print_json, print_table

    catalogs = [load_catalog(name) for name in catalog_names()]
    rows = [{"catalog": c.name, "models": len(c.models), "scores": len(c.scores)} for c in catalogs]
    print_json(rows) if as_json else print_table(pa.Table.from_pylist(rows))
    if not as_json:
        next_command("catalog", "show", catalogs[0].name)


@command.command("show")
@click.argument("name", shell_complete=complete_catalog)
@json_option
@reports_user_errors
def show(name: str, as_json: bool) -> None:
    """Models of a catalog (a built-in name or a path), with their primary scores."""
    import pyarrow as pa

    from catalogs import load_catalog
    from setol_zoo.cli.tables import print_json, print_table

    catalog = load_catalog(name)
    if as_json:
        print_json({"files": [asdict(f) for f in catalog.files], "scores": [asdict(s) for s in catalog.scores]})
        return
    rows = []
    for file in catalog.files:
        scores = [s for s in catalog.scores if s.model == file.model and s.primary]
        told = ", ".join(f"{s.dataset} {s.metric} {s.value:g} {s.unit}" for s in scores[:2])
        more = f" and {len(scores) - 2} more" if len(scores) > 2 else ""
        size = None if file.size is None else file.size / 1e6
        rows.append(
            {"model": file.name, "family": file.family, "MB": size, "licence": file.licence, "scores": told + more}
        )
    print_table(pa.Table.from_pylist(rows))
    next_command("run", "--catalog", name)


@command.command("check")
@click.argument("path")
@json_option
@reports_user_errors
def check(path: str, as_json: bool) -> None:
    """Read a catalog and say what is wrong with it, row by row. Exit status 2 if anything is.

    Files of yours have to be there, with the sha256 that the catalog has of them; what is downloaded is checked when a
    run fetches it.
    """
    from catalogs import CatalogError, counted, load_catalog, parse_model_key
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
    }
    if as_json:
        print_json(found)
    else:
        models, scores = counted(len(catalog.models), "model"), counted(len(catalog.scores), "score")
        pinned = sum(file.weights_sha256 is not None for file in local)
        hashed = f", {pinned} of them with the sha256 that the catalog has" if pinned else ""
        there = f", {counted(len(local), 'local file is', 'local files are')} there{hashed}" if local else ""
        click.echo(f"catalog {catalog.name} is in order: {models}, {scores}{there}")
        next_command("run", "--catalog", path)


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
