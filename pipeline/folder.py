"""The results folder: where every file lies, and how it is put in place whole.

    catalog.parquet  scores.parquet      the models planned so far, and their scores
    options/<config>.json                what was chosen, a file a configuration
    spectra/v1/<spectra_id>.parquet      spectra, a file a weight file
    layers/v1/<fit_id>.parquet           metrics, a file a weight file and choice of options
    attempts/<uuid>.parquet              the log, a file a try

A file is written under a hidden name beside its place and renamed, so a reader sees all of it or nothing,
and a file that is there is finished. One that was damaged afterwards is set aside, and made anew.
"""

import json
import os
import time
import uuid
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from catalogs import CATALOG_SCHEMA, WeightFile, from_arrow
from pipeline.damage import SUFFIX, Damage, damage_in
from pipeline.errors import FolderError
from pipeline.records import ATTEMPTS_SCHEMA, AttemptRow, table_of

STALE_SECONDS = 3600
"""Age after which a temporary file is taken for what a killed process left behind."""


_STAGES = ("spectra/v1", "layers/v1")


@dataclass(frozen=True, slots=True)
class ResultsFolder:
    """Paths and atomic writes below one root."""

    root: Path

    def prepare(self) -> None:
        """Make the folder, make sure it can be written to, and clear what killed processes left.

        Raises:
            FolderError: It cannot be made or written to.
        """
        try:
            for name in ("options", *_STAGES, "attempts"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            probe = self.root / f".{uuid.uuid4().hex}.tmp"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise FolderError(
                f"cannot write results to {self.root}: {error.strerror or error}. "
                "Choose another folder with --results, or mend its permissions."
            ) from error
        for left_over in self.root.rglob(".*.tmp"):
            with suppress(FileNotFoundError):  # another run has just put it in place
                if time.time() - left_over.stat().st_mtime > STALE_SECONDS:
                    left_over.unlink()

    def spectra_path(self, spectra_id: str) -> Path:
        """Where the spectra of that name lie, or will."""
        return self.root / "spectra" / "v1" / f"{spectra_id}.parquet"

    def layers_path(self, fit_id: str) -> Path:
        """Where the metrics of that name lie, or will."""
        return self.root / "layers" / "v1" / f"{fit_id}.parquet"

    def finished(self) -> frozenset[str]:
        """Ids of the spectra and fits that are there."""
        return frozenset(path.stem for stage in _STAGES for path in (self.root / stage).glob("*.parquet"))

    def damaged(self, needed: Collection[str]) -> tuple[Damage, ...]:
        """The files that cannot be read.

        Args:
            needed: Ids of spectra and fits that are read from beginning to end. Of others only the end is: there may
                be many of them.
        """
        others = [path for folder in (".", "attempts") for path in sorted((self.root / folder).glob("*.parquet"))]
        staged = [path for stage in _STAGES for path in sorted((self.root / stage).glob("*.parquet"))]
        found = [damage_in(path, whole=True) for path in others]
        found += [damage_in(path, whole=path.stem in needed) for path in staged]
        return tuple(each for each in found if each is not None)

    def set_aside(self, damaged: Iterable[Damage]) -> None:
        """Take damaged files out of the way, under another name beside their place."""
        for each in damaged:
            with suppress(FileNotFoundError):  # another run was faster
                os.replace(each.path, each.path.with_name(f"{each.path.name}{SUFFIX}"))

    def record(self, attempt: AttemptRow) -> None:
        """Add a row to the log."""
        write_table(table_of([attempt], ATTEMPTS_SCHEMA), self.root / "attempts" / f"{uuid.uuid4().hex}.parquet")

    def permanently_failed(self, damaged: Collection[Path] = ()) -> frozenset[str]:
        """Units whose last try failed for a reason that trying again does not mend; damaged files are passed over."""
        paths = sorted(path for path in (self.root / "attempts").glob("*.parquet") if path not in damaged)
        last: dict[str, dict[str, Any]] = {}
        for path in paths:
            row = pq.read_table(path, schema=ATTEMPTS_SCHEMA).to_pylist()[0]
            if row["unit"] and (row["unit"] not in last or row["started"] > last[row["unit"]]["started"]):
                last[row["unit"]] = row
        return frozenset(unit for unit, row in last.items() if row["outcome"] == "failed" and row["transient"] is False)

    def save_options(self, config: str, options: dict[str, Any]) -> None:
        """Write down what a configuration is; its file's time says when it was last asked for."""
        write_bytes(json.dumps(options, indent=1, sort_keys=True).encode(), self.root / "options" / f"{config}.json")

    def known(self) -> tuple[WeightFile, ...]:
        """The weight files of the models planned so far; none where the catalog is not there or cannot be read."""
        path = self.root / "catalog.parquet"
        if not path.exists() or damage_in(path, whole=True) is not None:
            return ()
        return from_arrow(pq.read_table(path, schema=CATALOG_SCHEMA), WeightFile)

    def merge(self, name: str, table: pa.Table, models: Collection[str]) -> None:
        """Put rows about some models into `<name>.parquet`, in the place of all earlier ones about them."""
        path = self.root / f"{name}.parquet"
        with FileLock(self.root / f".{name}.lock"):
            if path.exists():
                earlier = pq.read_table(path, schema=table.schema)
                kept = pa.array([model not in models for model in earlier["model"].to_pylist()], pa.bool_())
                table = pa.concat_tables([earlier.filter(kept), table])
            write_table(table, path)


def write_table(table: pa.Table, path: Path) -> None:
    """Put a Parquet file in place: zstd, floats split into byte streams, strings in a dictionary, sums of pages."""
    floats = list(_float_columns(table.schema))
    others = [column for column in table.schema.names if not pa.types.is_floating(table.schema.field(column).type)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=[name for name in others if not pa.types.is_list(table.schema.field(name).type)],
        column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
        write_page_checksum=True,
    )
    write_bytes(sink.getvalue().to_pybytes(), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Put a file in place whole, its content on the disk before its name: a power cut leaves no empty one."""
    partial = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _float_columns(schema: pa.Schema) -> Iterable[str]:
    """Names by which Parquet knows the columns of floats, those inside lists included."""
    for field in schema:
        if pa.types.is_list(field.type) and pa.types.is_floating(field.type.value_type):
            yield f"{field.name}.list.element"
        elif pa.types.is_floating(field.type):
            yield field.name
