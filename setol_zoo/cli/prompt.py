"""The prompt of `setol sql`: queries typed on a terminal, or read from standard input, one after the other."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

import click
import pyarrow as pa

from analysis.errors import AnalysisError
from analysis.opening.results import VIEWS, Results
from catalogs import unknown_name
from catalogs.plain import plain_text
from setol_zoo.cli.tables import WIDE

Print = Callable[[pa.Table], None]

EXAMPLES = (
    "SELECT name, alpha_median, alpha_hat_mean, n_layers FROM model_metrics ORDER BY alpha_median;",
    "SELECT name, layer, alpha, n_tail FROM layers WHERE status = 'ok' ORDER BY alpha LIMIT 5;",
    "SELECT reason, count(*) AS tensors FROM skipped GROUP BY reason ORDER BY tensors DESC;",
    "SELECT name, dataset, score, alpha_hat_mean FROM scored_models ORDER BY dataset, score;",
    "SELECT kind, count(*) AS n, median(alpha) AS alpha FROM layers WHERE status = 'ok' GROUP BY kind ORDER BY n DESC;",
    "SELECT name, outcome, host, seconds_spectra FROM attempts ORDER BY started;",
)
"""Queries that have an answer on any results; the first three are shown at the start."""

_ORDER = (
    *("models", "layers", "model_metrics", "scored_models", "scores", "spectra"),
    *("skipped", "failures", "attempts", "runs"),
)

_HELP = """.tables         views
.schema [VIEW]  views and their columns; with a view, what they mean
.examples       queries to begin with
.quit           leave, as Ctrl-D does
Queries may have several lines and end with a semicolon. Ctrl-C drops what was typed."""

_DOT_COMMANDS = (".tables", ".schema", ".examples", ".help", ".quit", ".exit")
_LEAVE = (".quit", ".exit")

_COMMENTS = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_PIECES = re.compile(r"'(?:[^']|'')*(?:'|\Z)|\"(?:[^\"]|\"\")*(?:\"|\Z)|--[^\n]*|/\*.*?(?:\*/|\Z)|;", re.DOTALL)


def split_statements(text: str) -> tuple[list[str], str]:
    """Cut SQL at its semicolons, not at those in texts, names and comments.

    Returns:
        The complete statements, and what is left behind the last semicolon; both without what is empty or nothing but
        comments.
    """
    statements, start = [], 0
    for piece in _PIECES.finditer(text):
        if piece[0] == ";":
            statements.append(text[start : piece.start()].strip())
            start = piece.end()
    rest = text[start:].strip()
    return [each for each in statements if not _COMMENTS.fullmatch(each)], "" if _COMMENTS.fullmatch(rest) else rest


def answer_all(results: Results, text: str, show: Print) -> int:
    """Answer every statement of a text in turn, and the prompt's commands on lines of their own.

    Errors go to standard error and stop none of the others.

    Returns:
        How many could not be answered.
    """
    failed, pending = 0, ""
    for line in text.splitlines():
        if not pending and line.strip() in _LEAVE:
            return failed
        if not pending and line.strip().startswith("."):
            failed += not _dot_command(results, line.split())
            continue
        statements, pending = split_statements(f"{pending}\n{line}" if pending else line)
        failed += sum(not _answer(results, statement, show) for statement in statements)
    return failed + (bool(pending) and not _answer(results, pending, show))


def run_prompt(results: Results, show: Print) -> None:
    """Answer what is typed until the end of input or `.quit`.

    Args:
        results: Open results.
        show: Prints an answer.
    """
    click.echo(f"Results of configuration {results.config}; .help for help, .quit to leave")
    _print_schema(results, brief=True)
    click.echo("Examples:")
    for example in EXAMPLES[:3]:
        click.echo(f"  {example}")
    pending = ""
    with _line_editing(results):
        while True:
            try:
                line = input("   ...> " if pending else "setol> ")
            except EOFError:
                click.echo()
                return
            except KeyboardInterrupt:
                click.echo()
                pending = ""
                continue
            if line.strip() in _LEAVE:
                return
            if not pending and line.strip().startswith("."):
                _dot_command(results, line.split())
                continue
            statements, pending = split_statements(f"{pending}\n{line}" if pending else line)
            for statement in statements:
                with _interruptible():
                    _answer(results, statement, show)


def _answer(results: Results, statement: str, show: Print) -> bool:
    try:
        show(results.sql(statement))
    except AnalysisError as error:
        click.secho(plain_text(f"Error: {error}", keep="\n\t"), fg="red", err=True)
        return False
    return True


def _dot_command(results: Results, words: list[str]) -> bool:
    """Carry out a command of the prompt; whether it could be."""
    match words:
        case [".tables"]:
            click.echo("\n".join(_ORDER))
        case [".schema"]:
            _print_schema(results)
        case [".schema", view] if view.rstrip(";") in VIEWS:
            source = (resources.files("analysis") / "sql" / f"{view.rstrip(';')}.sql").read_text()
            click.echo("\n".join(line[3:] for line in source.splitlines() if line.startswith("-- ")))
            for column, kind in _columns(results, view.rstrip(";")):
                click.echo(f"  {column:<24} {kind.lower()}")
        case [".schema", view]:
            click.secho(f"Error: {unknown_name('view', view, VIEWS)}", fg="red", err=True)
            return False
        case [".examples"]:
            click.echo("\n".join(EXAMPLES))
        case [".help"]:
            click.echo(_HELP)
        case _:
            click.secho(f"Error: {unknown_name('command', words[0], _DOT_COMMANDS)}", fg="red", err=True)
            return False
    return True


def _print_schema(results: Results, *, brief: bool = False) -> None:
    """Views and their columns; `brief` keeps to a line each, as wide as the terminal."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE
    for view in sorted(VIEWS, key=_ORDER.index):
        columns = ", ".join(name for name, _ in _columns(results, view))
        head = f"  {click.style(f'{view:<14}', bold=True)} "
        room = width - 18
        if not brief:
            columns = click.wrap_text(columns, room, initial_indent="", subsequent_indent=" " * 17)
        elif len(columns) > room:
            columns = columns[: max(room - 3, 1)].rpartition(",")[0] + ", …"
        click.echo(head + columns)


def _columns(results: Results, view: str) -> list[tuple[str, str]]:
    return [(row["column_name"], row["column_type"]) for row in results.rows(f"DESCRIBE {view}")]


@contextmanager
def _line_editing(results: Results) -> Iterator[None]:
    """Arrow keys, a history that is kept, and names of views and columns on Tab, where there is readline."""
    try:
        import readline
    except ImportError:  # Windows
        yield
        return
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    history = state / "setol-zoo" / "sql_history"
    with suppress(OSError):
        readline.read_history_file(history)
    words = sorted({*VIEWS, *(name for view in VIEWS for name, _ in _columns(results, view))})

    def complete(begun: str, state: int) -> str | None:
        fitting = [word for word in words if word.startswith(begun)]
        return fitting[state] if state < len(fitting) else None

    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(1000)
    try:
        yield
    finally:
        with suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(history)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C stops a long answer and not the prompt."""
    try:
        yield
    except KeyboardInterrupt:
        click.secho("interrupted", fg="red", err=True)
