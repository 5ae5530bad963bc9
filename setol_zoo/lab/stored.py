"""The two tables of an experiment as files: in a results folder, and those that come with the package."""

from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.store.parquet import parquet_of
from pipeline.store.storage import write_bytes
from setol_zoo.lab.errors import SettingError
from setol_zoo.lab.lab_tables import Tables

FOLDER = "lab"
"""In a results folder; `<experiment>-networks.parquet` and `<experiment>-layers.parquet`."""


def write_tables(experiment: str, tables: Tables, results: Path) -> tuple[Path, Path]:
    """Put the tables of an experiment in place of earlier ones.

    Args:
        experiment: Its name.
        tables: What it found.
        results: The results folder.
    """
    folder = results / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / _name(experiment, "networks"), folder / _name(experiment, "layers")
    for path, table in zip(paths, (tables.networks, tables.layers), strict=True):
        write_bytes(parquet_of(table), path)
    return paths


def read_tables(experiment: str, results: Path | None = None) -> Tables:
    """The tables of an experiment.

    Args:
        experiment: Its name.
        results: The results folder; None for the tables that come with the package.

    Raises:
        SettingError: There are none, or they cannot be read.
    """
    folder = resources.files("setol_zoo.lab") / "tables" if results is None else results / FOLDER
    return Tables(_read(folder, experiment, "networks", results), _read(folder, experiment, "layers", results))


def read_all_tables(experiments: Sequence[str], results: Path | None = None) -> Tables:
    """The tables of several experiments as one; a training that is in two of them counts once.

    Args:
        experiments: Their names.
        results: As for `read_tables`.

    Raises:
        SettingError: One has none, or they cannot be read.
    """
    found = [read_tables(each, results) for each in dict.fromkeys(experiments)]
    seen = pa.array([], pa.string())
    networks: list[pa.Table] = []
    layers: list[pa.Table] = []
    for each in found:
        for table, kept in ((each.networks, networks), (each.layers, layers)):
            kept.append(table.filter(pc.invert(pc.is_in(table["training"], seen))))
        seen = pa.concat_arrays([seen, pc.unique(each.networks["training"])])
    return Tables(pa.concat_tables(networks), pa.concat_tables(layers))


def _read(folder: Traversable | Path, experiment: str, table: str, results: Path | None) -> pa.Table:
    path = folder / _name(experiment, table)
    if not path.is_file():
        raise SettingError(_missing(experiment, results))
    try:
        return pq.read_table(pa.BufferReader(path.read_bytes()))
    except (OSError, pa.ArrowException) as error:
        raise SettingError(
            f"{path} cannot be read: {error}. The same `setol lab run {experiment}` writes it again."
        ) from error


def _name(experiment: str, table: str) -> str:
    return f"{experiment}-{table}.parquet"


def _missing(experiment: str, results: Path | None) -> str:
    """Why there are no tables, and what to do."""
    if results is None:
        return (
            f"no tables of the experiment {experiment} come with the package. Make them: setol lab run {experiment} "
            "--results DIR"
        )
    if not results.is_dir():
        return f"need a results folder; there is none at {results}."
    if (results / "trained").is_dir():
        return (
            f"{results} has trained networks, and no tables of the experiment {experiment}: it is another's, or not "
            f"finished. The `setol lab run {experiment}` that it was begun with, with the same options, goes on."
        )
    return (
        f"no tables of the experiment {experiment} are in {results}. Make them: setol lab run {experiment} --results "
        f"{results}"
    )
