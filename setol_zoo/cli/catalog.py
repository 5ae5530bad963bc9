"""`setol catalog`: list, show and check catalogs."""

from dataclasses import asdict

import click

from setol_zoo.cli.common import json_option, next_command, reports_user_errors
from setol_zoo.cli.completion import complete_catalog


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
        next_command("catalog show", catalogs[0].name)


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
    next_command("run --catalog", name)


@command.command("check")
@click.argument("path")
@json_option
@reports_user_errors
def check(path: str, as_json: bool) -> None:
    """Read a catalog and say what is wrong with it, row by row. Exit status 2 if anything is."""
    from catalogs import load_catalog
    from setol_zoo.cli.tables import print_json

    catalog = load_catalog(path)
    found = {"catalog": catalog.name, "models": len(catalog.models), "scores": len(catalog.scores)}
    if as_json:
        print_json(found)
    else:
        click.echo(f"catalog {catalog.name} is in order: {len(catalog.models)} models, {len(catalog.scores)} scores")
        next_command("run --catalog", path)
