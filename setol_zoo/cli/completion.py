"""`setol completion`: names that a shell can complete, and the script that makes it do so."""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from setol_zoo.cli.common import json_option

SHELLS = ("bash", "zsh", "fish")

_INSTALL = {
    "bash": 'eval "$(setol completion bash)"    # put this line into ~/.bashrc',
    "zsh": 'eval "$(setol completion zsh)"    # put this line into ~/.zshrc, after compinit',
    "fish": "mkdir -p ~/.config/fish/completions && setol completion fish > ~/.config/fish/completions/setol.fish",
}


def complete_catalog(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Catalogs that come along, then files."""
    from catalogs import catalog_names

    return _names(catalog_names(), begun) or _files(begun)


complete_scores = complete_catalog
"""Where scores or sizes come from: a catalog, or a file."""


def complete_unit(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Units of scores."""
    from catalogs import UNITS

    return _names(UNITS, begun)


def complete_score_part(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Data sets or families (as the option is called) of the catalog that was named before; nothing without one."""
    from catalogs import CatalogError, load_catalog

    given = [context.params.get("name"), context.params.get("scores"), *context.args]  # args: before an option's value
    named = [name for name in given if name]
    if not named:
        return []
    try:
        catalog = load_catalog(named[0])
    except CatalogError:
        return []
    if "--dataset" in parameter.opts:
        return _names((score.dataset for score in catalog.scores), begun)
    return _names((file.family for file in catalog.files if file.family is not None), begun)


def complete_model(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Models of the catalog that was named, else of those that come along, then files.

    Before anything is typed the models of the first one are enough: there are thousands.
    """
    from catalogs import CatalogError, catalog_names, load_catalog

    chosen = context.params.get("catalog_name")
    names = (chosen,) if chosen else catalog_names() if begun else catalog_names()[:1]
    try:
        catalogs = [load_catalog(name) for name in names]
    except CatalogError:
        return _files(begun)
    return _names((file.name for catalog in catalogs for file in catalog.files), begun) or _files(begun)


def complete_preset(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Metric options by name."""
    from pipeline.options import PRESETS

    return _names(PRESETS, begun)


def complete_result_model(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Models of the results folder that was named, or of the default one."""
    from analysis.errors import AnalysisError
    from analysis.opening.results import open_results

    try:
        models = open_results([context.params["results"]]).rows("SELECT name FROM models")
    except AnalysisError:
        return []
    return _names((model["name"] for model in models), begun)


def complete_view(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Views, for a query that is typed without quotes: `setol sql FROM layers`."""
    from analysis.opening.results import VIEWS

    return _names(VIEWS, begun)


@click.command("completion", short_help="Print the script that lets a shell complete names.")
@click.argument("shell", type=click.Choice(SHELLS))
@json_option
def command(shell: str, as_json: bool) -> None:
    """Print the completion script of a shell; its first line says how to install it.

    Completes commands, options, catalogs, their models, families and data sets, presets, units and views.
    """
    from setol_zoo.cli.completion_scripts import SCRIPTS
    from setol_zoo.cli.tables import print_json

    script = SCRIPTS[shell]
    if as_json:
        print_json({"shell": shell, "install": _INSTALL[shell], "script": script})
    else:
        click.echo(f"# {_INSTALL[shell]}\n{script}", nl=False)


def _names(known: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in dict.fromkeys(known) if name.startswith(begun)]


def _files(begun: str) -> list[CompletionItem]:
    return [CompletionItem(begun, type="file")]
