"""A table kept as a journal: files that are added and never changed, each with the last word on its own models.

    <table>/<utc time>-<hash of the content>.parquet

Several runs may add to it at once, here or in an object store, without a lock and without losing what the other wrote.
A `<table>.parquet` of a folder that was made before there was a journal counts as its oldest entry.
"""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_TIME = "%Y%m%dT%H%M%S%f"
_NAME = re.compile(r"(\d{8}T\d{12})-[0-9a-f]{12}\.parquet$")
_MODELS = b"models"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one file of a journal says.

    Attributes:
        models: The models that it has the last word on, until a later one has; some may have no rows.
        rows: All rows about them.
    """

    models: frozenset[str]
    rows: pa.Table


def marked(rows: pa.Table, models: Collection[str]) -> pa.Table:
    """The table of an entry as it is written: what models it is about stands in its metadata."""
    return rows.replace_schema_metadata({_MODELS: json.dumps(sorted(models))})


def entry_of(source: Any, schema: pa.Schema) -> Entry:
    """An entry from its file.

    Args:
        source: Path or bytes of a Parquet file.
        schema: The columns wanted; one that the file does not have is NULL.

    Raises:
        pa.ArrowException: It is damaged.
        OSError: The same, or it cannot be read.
    """
    rows = pq.read_table(_opened(source), schema=schema)
    metadata = pq.read_schema(_opened(source)).metadata or {}
    named = json.loads(metadata[_MODELS]) if _MODELS in metadata else rows["model"].to_pylist()
    return Entry(frozenset(named), rows)


def replayed(entries: Iterable[Entry], schema: pa.Schema) -> pa.Table:
    """The table that the entries, the oldest first, make together."""
    entries = list(entries)
    spoken: set[str] = set()
    tables = []
    for entry in reversed(entries):
        tables.append(without(entry.rows, spoken))
        spoken |= entry.models
    return pa.concat_tables([schema.empty_table(), *reversed(tables)])


def without(rows: pa.Table, models: Collection[str]) -> pa.Table:
    """The rows that are about no such model."""
    if not models:
        return rows
    return rows.filter(pc.invert(pc.is_in(rows["model"], pa.array(sorted(models), pa.string()))))


def says_nothing_new(entry: Entry, table: pa.Table) -> bool:
    """Whether a table that was replayed would be the same with the entry behind it."""
    about = table.filter(pc.is_in(table["model"], pa.array(sorted(entry.models), pa.string())))
    return bool(about.combine_chunks().equals(entry.rows.combine_chunks()))


def name_of(content: bytes, earlier: Iterable[str]) -> str:
    """Name for an entry's file: it sorts behind those that are there, whatever the clocks of their writers said."""
    now = datetime.now(UTC)
    stamps = [found[1] for name in earlier if (found := _NAME.search(name))]
    if stamps:
        now = max(now, datetime.strptime(max(stamps), _TIME).replace(tzinfo=UTC) + timedelta(microseconds=1))
    return f"{now.strftime(_TIME)}-{sha256(content).hexdigest()[:12]}.parquet"


def _opened(source: Any) -> Any:
    return pa.BufferReader(source) if isinstance(source, bytes | pa.Buffer) else source
