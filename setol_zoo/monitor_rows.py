"""The rows of one logged epoch: measured on a module in memory, printed as a small table, kept in a file an epoch."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileType

from catalogs import WeightFile, counted
from catalogs.places import Where, filesystem_of
from catalogs.plain import plain_text
from catalogs.reaching import reached
from pipeline.errors import FolderError, OptionError
from pipeline.measurement.metrics import layers_table
from pipeline.options import Options
from pipeline.store.folder import LAYERS, SPECTRA
from pipeline.store.parquet import parquet_of_rows
from pipeline.store.records import LAYERS_SCHEMA
from pipeline.store.storage import Store
from setol_zoo.cells import html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

_TIMES = pa.schema([("epoch", pa.int64()), ("step", pa.int64()), ("logged", pa.string()), ("seconds", pa.float64())])
_METRICS = pa.schema([each for each in LAYERS_SCHEMA if each.name not in ("model", "file", "weights_sha256")])
_ROWS = pa.schema([*_TIMES, *_METRICS])
_OWN = frozenset(_ROWS.names)

_NAME = re.compile(r"epoch-(\d{6,})\.parquet")

_SHOWN = {
    **{"layer": "layer", "part": "part", "tap": "tap", "n_rows": "N", "n_cols": "M", "alpha": "alpha"},
    **{"alpha_sigma": "±", "n_tail": "tail", "erg_delta": "erg_delta", "phase": "phase", "n_traps": "traps"},
    **{"trap_theta": "trap_theta", "reason": "note"},
}
"""Columns of the printed table, and what stands above them."""

_WHERE_USED = ("part", "tap", "n_traps", "reason")
"""Those that are shown only where they say something."""

_MOST_ROWS = 60


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Logged:
    """What was logged of one epoch. Print it for a table; in a notebook it shows itself.

    Attributes:
        epoch: Which one.
        step: Steps of the optimizer until then, None where the caller did not say.
        measured: The caller's own numbers by name.
        left_out: Why nothing was logged; None where it was.
    """

    epoch: int
    step: int | None
    measured: Mapping[str, float | None]
    left_out: str | None
    _rows: pa.Table = field(default_factory=lambda: _ROWS.empty_table())

    @property
    def layers(self) -> "pd.DataFrame":
        """A row for every matrix, none where nothing was logged; docs/python.md has the columns."""
        return self._rows.to_pandas()

    def to_arrow(self) -> pa.Table:
        """The same as an Arrow table, where NULL is told from NaN."""
        return self._rows

    def _title(self) -> str:
        at = f"epoch {self.epoch}" + ("" if self.step is None else f", step {self.step}")
        if self.left_out is not None:
            return f"{at} not logged: {self.left_out}"
        said = [f"{name} {'·' if value is None else f'{value:.4g}'}" for name, value in self.measured.items()]
        fitted = self._rows["status"].to_pylist().count("ok")
        matrices = f"{counted(len(self._rows), 'matrix', 'matrices')}, {fitted} with a fitted tail"
        return plain_text(f"{at}: {', '.join([*said, matrices])}")

    def _shown(self) -> pa.Table:
        empty = [name for name in _WHERE_USED if self._rows[name].null_count == len(self._rows)]
        shown = self._rows.select([name for name in _SHOWN if name not in empty])
        return shown.rename_columns([_SHOWN[name] for name in shown.column_names])

    def __str__(self) -> str:
        table = [text_table(self._shown(), limit=_MOST_ROWS)] if len(self._rows) else []
        return "\n".join([self._title(), *table])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        table = html_table(self._shown(), limit=_MOST_ROWS) if len(self._rows) else ""
        return f"<div><p>{html.escape(self._title())}</p>{table}</div>"


def measured_rows(model: Any, options: Options, device: str | None, threads: int | None) -> pa.Table:
    """The metrics of every matrix of a module as it is now: the columns of the view `layers` from `config` on.

    Matrices that cannot be decomposed now, because of entries that are NaN or infinite, are rows with a reason.

    Args:
        model: A module or a state dict; it is left as it is.
        options: How spectra are made and metrics computed.
        device: torch device; None for where the weights are.
        threads: Threads of the numerical libraries; None for as many as torch is set to.

    Raises:
        CheckpointError: The weights have no values, or are quantized, sparse or spread over processes.
    """
    import torch

    from pipeline.decomposition.spectra import spectra_table
    from setol_zoo.analyze import with_threads
    from setol_zoo.opened_model import open_live

    # A caller may stand inside autocast, which would round what parametrizations compute.
    with (
        torch.autocast("cpu", enabled=False),
        torch.autocast("cuda", enabled=False),
        with_threads(threads or torch.get_num_threads()),
    ):
        checkpoint = open_live(model)
        file = WeightFile(model="", name=checkpoint.name, file="")
        where = device or checkpoint.device
        spectra = spectra_table(file, checkpoint, where, checkpoint.facts, options.spectrum)
        layers = layers_table(spectra, options.metrics, options.config)
    rows = pa.concat_tables([layers, _not_decomposed(spectra, options.config)])
    return rows.sort_by([("row", "ascending"), ("tap", "ascending")]).select(_METRICS.names)


def _not_decomposed(spectra: pa.Table, config: str) -> pa.Table:
    """A row for every matrix, known as one by shape and module, whose entries could not be decomposed."""
    ledger = spectra.select(["tensor", "layer", "part", "kind", "n_params", "role", "reason"]).to_pylist()
    rows = [
        {**row, "config": config, "row": index, "status": "failed"}
        for index, row in enumerate(ledger)
        if row["role"] == "skipped" and row["kind"] is not None
    ]
    return pa.Table.from_pylist(rows, LAYERS_SCHEMA)


def free_names(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's numbers by names that no column of ours has: `entropy` becomes `measured_entropy`.

    Raises:
        OptionError: A name is empty or no text.
    """
    for name, value in measured.items():
        if not isinstance(name, str) or not name.strip():
            raise OptionError(
                f"each measured number needs a name, which its column gets; got {name!r} for {value!r:.60}."
            )
    return {f"measured_{name}" if name.lower() in _OWN else name: value for name, value in measured.items()}


@dataclass(slots=True)
class EpochFiles:
    """The files of a folder, one for each epoch: `epoch-000012.parquet`. Each is put in place whole.

    All have the same columns, so that they are read as one table: a number that is measured for the first time becomes
    a column of NULLs in the files before.

    Attributes:
        where: The folder.
        fresh: Whether the epochs that are there count for nothing, and are removed when the first is put.
        names: The caller's numbers that have a column, once it is opened.
    """

    where: Where
    fresh: bool = False
    names: list[str] = field(default_factory=list)
    _lacking: set[int] = field(default_factory=set)

    def open(self) -> None:
        """Make the folder, clear what killed processes left, and take up the columns of what is there.

        Raises:
            FolderError: It is a file or a results folder, cannot be made or written to, or a file in it is damaged.
        """
        try:
            self._require_own()
            Store(self.where).prepare(("",))
        except OSError as error:
            told = getattr(error, "strerror", None) or error
            raise FolderError(f"cannot log to {self.where}: {told}. Choose another folder.") from error
        found = {epoch: self._names_in(epoch) for epoch in self.epochs()}
        self.names = list(dict.fromkeys(name for names in found.values() for name in names))
        # Some lack a column where a process was killed while it gave all files a new one.
        self._lacking = {epoch for epoch, names in found.items() if len(names) < len(self.names)}

    def epochs(self) -> list[int]:
        """The epochs that have a file, ascending."""
        return [] if self.fresh else self._found()

    def put(self, epoch: int, measured: Mapping[str, float | None], rows: pa.Table) -> None:
        """Write the rows of an epoch in the place of those that were there.

        Args:
            epoch: Which one.
            measured: The caller's numbers; they stand in every row.
            rows: What `epoch_rows` gives.

        Raises:
            OSError: They cannot be written; what was there stays.
        """
        if self.fresh:
            filesystem, root = filesystem_of(self.where)
            for each in self._found():
                with suppress(FileNotFoundError):
                    reached(self.where, partial(filesystem.delete_file, f"{root}/{_file(each)}"), patient=True)
            self.fresh = False
        if new := [name for name in measured if name not in self.names]:
            self.names += new
            self._lacking = set(self.epochs())
        for each in sorted(self._lacking):
            self._write(each, self._widened(self._read(each), {}))
        self._lacking = set()
        self._write(epoch, self._widened(rows, measured))

    def read(self) -> pa.Table:
        """All epochs, ascending; within one, matrices in the order of the state dict.

        Raises:
            FolderError: A file is damaged.
        """
        empty = self._widened(_ROWS.empty_table(), {})
        return pa.concat_tables([empty, *map(self._read, self.epochs())], promote_options="default")

    @property
    def _store(self) -> Store:
        return Store(self.where, patient=True)  # a training is not ended by a server that pauses

    def _found(self) -> list[int]:
        return sorted(int(found[1]) for name in self._store.names("") if (found := _NAME.fullmatch(name)))

    def _require_own(self) -> None:
        """Refuse what is no folder, and one whose files are read as results of `setol run`."""
        if isinstance(self.where, Path) and self.where.is_file():
            raise FolderError(f"{self.where} is a file; need a folder.")
        filesystem, root = filesystem_of(self.where)
        for name in ("catalog", SPECTRA, LAYERS):
            info = reached(self.where, partial(filesystem.get_file_info, f"{root}/{name}"), patient=False)
            if info.type == FileType.Directory:
                raise FolderError(
                    f"{self.where} is a results folder of setol (it has {name}/): give a folder of its own."
                )

    def _widened(self, rows: pa.Table, measured: Mapping[str, float | None]) -> pa.Table:
        """Rows with a column for each of the caller's numbers."""
        for place, name in enumerate(self.names, start=len(_TIMES)):
            if name not in rows.column_names:
                column = pa.array([measured.get(name)] * len(rows), pa.float64())
                rows = rows.add_column(min(place, rows.num_columns), name, column)
        return rows

    def _names_in(self, epoch: int) -> list[str]:
        with self._damage_told(epoch):
            names: list[str] = pq.read_schema(pa.BufferReader(self._store.read(_file(epoch)))).names
        return [name for name in names if name not in _OWN]

    def _read(self, epoch: int) -> pa.Table:
        with self._damage_told(epoch):
            content = pa.BufferReader(self._store.read(_file(epoch)))
            return pq.read_table(content, page_checksum_verification=True)

    def _write(self, epoch: int, rows: pa.Table) -> None:
        self._store.put(parquet_of_rows(rows), _file(epoch))

    @contextmanager
    def _damage_told(self, epoch: int) -> Iterator[None]:
        try:
            yield
        except pa.ArrowException as error:
            told = " ".join(str(error).split()).rstrip(".")
            raise FolderError(
                f"{_file(epoch)} in {self.where} is damaged ({told}): delete it; the other epochs stand by themselves."
            ) from error


def epoch_rows(epoch: int, step: int | None, logged: str, seconds: float, metrics: pa.Table) -> pa.Table:
    """Metrics with when they were logged in every row: the columns that a file has besides the caller's numbers."""
    values: Iterable[Any] = (epoch, step, logged, seconds)
    columns = [pa.array([value] * len(metrics), each.type) for value, each in zip(values, _TIMES, strict=True)]
    return pa.table([*columns, *metrics.columns], _ROWS)


def _file(epoch: int) -> str:
    return f"epoch-{epoch:06d}.parquet"
