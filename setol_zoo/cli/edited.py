"""What the commands that act on weights share: their options, errors and exit status, and what they print."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from setol_zoo.cli.common import SOME_FAILED, WrongCall, json_option, next_command, shown_path
from setol_zoo.cli.completion import complete_model

if TYPE_CHECKING:
    from setol_zoo.edit import Edited

model_argument = click.argument("model", shell_complete=complete_model)
device_option = click.option(
    "--device", default="auto", show_default=True, help="torch device; auto is the GPU if there is one."
)
rows_option = click.option(
    "--rows", type=click.IntRange(min=1), default=60, show_default=True, help="Most matrices to show."
)

_OPTIONS = (
    click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write, .safetensors."),
    click.option("--force", is_flag=True, help="Replace the file if it is there; never the model itself."),
    device_option,
    rows_option,
    json_option,
)


def writes_model(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the model to read, and the options of one that writes a model."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return model_argument(command)


@contextmanager
def reports_model_errors() -> Iterator[None]:
    """Exit status 2 where a file may not be written as asked, 1 where weights cannot be had, read or written."""
    from catalogs.plain import plain_text
    from checkpoints.errors import CheckpointError
    from checkpoints.write import DestinationError

    try:
        yield
    except DestinationError as error:
        raise WrongCall(str(error)) from error
    except CheckpointError as error:
        click.echo(plain_text(f"Error: {error}", keep="\n"), err=True)
        raise SystemExit(SOME_FAILED) from error


def print_edited(edited: "Edited", columns: Mapping[str, str], *, done: str, rows: int, as_json: bool) -> None:
    """Print what became of a model's matrices, what stayed as it was and why, and the file.

    Args:
        edited: The model.
        columns: Which of the changes' fields to show, and what stands above them.
        done: A line on all matrices together.
        rows: Most matrices to show.
        as_json: Whether to print JSON in the place of all that.
    """
    from dataclasses import asdict

    import pyarrow as pa

    from setol_zoo.cli.tables import print_json, print_narrowed

    changes = [asdict(change) for change in edited.changes]
    if as_json:
        print_json({"model": edited.name, "file": str(edited.path), "matrices": changes, "tied": dict(edited.tied)})
        return
    if changes:
        cells = {title: [change[name] for change in changes] for name, title in columns.items()}
        filled = {title: cells[title] for title in cells if any(value is not None for value in cells[title])}
        droppable = [title for title in ("part", "kind") if title in filled]
        print_narrowed(pa.table(filled), droppable, title=edited.name, limit=rows)
    print_left(changes, "left as they were")
    if edited.tied:
        click.echo(f"tied, changed with it: {', '.join(f'{name} to {other}' for name, other in edited.tied.items())}")
    click.echo(done)
    size = edited.path.stat().st_size
    click.echo(f"wrote {shown_path(edited.path.absolute())} ({size / 1e6:.1f} MB); all other tensors are copies")
    next_command("analyze", shown_path(edited.path.absolute()))


def print_left(matrices: list[dict[str, Any]], what: str) -> None:
    """Print a line for each reason why something was not done to matrices, with the names of their layers."""
    from catalogs import counted
    from setol.reasons import Reason

    sentences = {each.value: each.sentence for each in Reason}
    for reason in dict.fromkeys(matrix["reason"] for matrix in matrices if matrix["reason"]):
        names = list(dict.fromkeys(matrix["layer"] for matrix in matrices if matrix["reason"] == reason))
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        count = counted(sum(matrix["reason"] == reason for matrix in matrices), "matrix", "matrices")
        click.echo(f"{what}: {count}, {reason} ({shown}): {sentences[reason]}")
