"""What the commands share: options, errors and exit status, the last line."""

import shlex
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from analysis.opening.results import Results
    from catalogs.places import Where

P = ParamSpec("P")
R = TypeVar("R")

SOME_FAILED = 1
"""Exit status where some models failed or are partial; 2, click's own, is for a call that was wrong."""

INTERRUPTED = 130

_DUCKDB_INTERRUPTED = "Query interrupted"
"""What DuckDB makes of Ctrl-C: an error with these words, and no KeyboardInterrupt."""


class ResultsPlace(click.ParamType):
    """A folder of this machine, or a URL of an object store."""

    name = "directory"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Where":
        """A path or a place, from what was typed."""
        if isinstance(value, str) and "://" in value:
            from catalogs.errors import CatalogError
            from catalogs.places import Place, place_of

            try:
                place = place_of(value)
            except CatalogError as error:
                self.fail(str(error), param, ctx)
            if isinstance(place, Place):
                return place
            value = str(place)
        return cast("Where", click.Path(path_type=Path, file_okay=False).convert(value, param, ctx))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Folders, as the shell knows them."""
        return click.Path(file_okay=False).shell_complete(ctx, param, incomplete)


def _results_option(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return click.option(
        *names,
        "results",
        envvar="SETOL_RESULTS",
        default="results",
        show_default="$SETOL_RESULTS or ./results",
        type=ResultsPlace(),
        help="Results folder: a path, or a URL such as s3://bucket/run1.",
    )


results_option = _results_option("--results")
results_or_out_option = _results_option("--results", "--out")
config_option = click.option("--config", help="Configuration to look at, by name; by default the newest complete one.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class WrongCall(click.ClickException):
    """A call that cannot be carried out as it stands: message and exit status 2."""

    exit_code = 2


def reports_user_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors that a user can mend into a message and exit status 2, without a traceback."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:  # around the imports too, which take seconds
            return _with_messages(command, *args, **kwargs)
        except KeyboardInterrupt:
            click.echo("interrupted: nothing half-done is left, and the same command goes on", err=True)
            raise SystemExit(INTERRUPTED) from None

    return wrapper


def _with_messages(command: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    from analysis.errors import AnalysisError
    from catalogs import CatalogError
    from catalogs.plain import plain_text
    from catalogs.reaching import PlaceError
    from pipeline.errors import FolderError, MissingRay, NodeError, OptionError
    from setol.errors import SetolError

    try:
        return command(*args, **kwargs)
    except (
        *(AnalysisError, CatalogError, FolderError, MissingRay),
        *(NodeError, OptionError, PlaceError, SetolError),
    ) as error:
        raise WrongCall(plain_text(str(error), keep="\n\t")) from error
    except RuntimeError as error:
        if str(error) != _DUCKDB_INTERRUPTED:
            raise
        raise KeyboardInterrupt from error


def beside(results: "Where", name: str) -> Path:
    """Where a file about results goes by default: into their folder, or, where that is in an object store, here."""
    return results / name if isinstance(results, Path) else Path(f"{results.name}-{name}")


def shown_path(path: "Where") -> str:
    """A path as one would type it, relative where it lies below the current folder; a URL without its secrets."""
    if not isinstance(path, Path):
        return str(path)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def config_words(opened: "Results") -> list[str]:
    """`--config NAME`, where a command without it would show another configuration than the open one."""
    from analysis.opening.configurations import choose

    return [] if choose(opened.configs, None).name == opened.config else ["--config", opened.config]


def refuse_results_beside_tables() -> None:
    """Refuse a call that names results beside the tables or the catalog of `--scores`.

    Raises:
        WrongCall: `--results` was typed; the default and the environment do not count.
    """
    if click.get_current_context().get_parameter_source("results") is ParameterSource.COMMANDLINE:
        raise WrongCall(
            "--results and --scores are two sources, and a call takes one. Results have the scores of the catalog that "
            "they were run with; for others, make a table of their metrics and give it as --metrics: setol sql "
            '"SELECT name AS model, * EXCLUDE (model, name) FROM model_metrics" --format csv > metrics.csv'
        )


def typed_command(words: Iterable[Any]) -> str:
    """A command as a shell takes it; `words` are those behind `setol`."""
    return shlex.join(["setol", *map(str, words)])


def next_command(*words: Any) -> None:
    """Print the command to type next: always the last line."""
    click.echo("next: " + click.style(typed_command(words), bold=True))
