"""What the commands share: options, errors and exit status, the last line."""

import shlex
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from analysis.results import Results

P = ParamSpec("P")
R = TypeVar("R")

SOME_FAILED = 1
"""Exit status where some models failed or are partial; 2, click's own, is for a call that was wrong."""

INTERRUPTED = 130


def _results_option(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return click.option(
        *names,
        "results",
        envvar="SETOL_RESULTS",
        default="results",
        show_default="$SETOL_RESULTS or ./results",
        type=click.Path(path_type=Path, file_okay=False),
        help="Results folder.",
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
    from pipeline.errors import FolderError, MissingRay, OptionError

    try:
        return command(*args, **kwargs)
    except (AnalysisError, CatalogError, FolderError, MissingRay, OptionError) as error:
        raise WrongCall(str(error)) from error


def shown_path(path: Path) -> str:
    """A path as one would type it: relative where it lies below the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def config_words(opened: "Results") -> list[str]:
    """`--config NAME`, where a command without it would show another configuration than the open one."""
    from analysis.configurations import choose

    return [] if choose(opened.configs, None).name == opened.config else ["--config", opened.config]


def typed_command(words: Iterable[Any]) -> str:
    """A command as a shell takes it; `words` are those behind `setol`."""
    return shlex.join(["setol", *map(str, words)])


def next_command(*words: Any) -> None:
    """Print the command to type next: always the last line."""
    click.echo("next: " + click.style(typed_command(words), bold=True))
