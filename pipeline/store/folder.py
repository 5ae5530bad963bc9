"""The results folder: what each file is called, and what stands in it. It may lie here or in an object store.

    catalog/<time>-<hash>.parquet        journal of the models planned so far
    scores/<time>-<hash>.parquet         journal of their scores
    options/<config>.json                what was chosen, a file a configuration
    spectra/v1/<spectra_id>.parquet      spectra, a file a weight file
    layers/v1/<fit_id>.parquet           metrics, a file a weight file and choice of options
    attempts/<time>-<fit_id>-<how it ended>-<chance>.parquet    the log, a file a try

A file is put in place whole, so a reader sees all of it or nothing, and a file that is there is finished. One that was
damaged afterwards is set aside, and made anew. Nothing is read, changed and written back, so no lock is needed.
"""

import json
import re
import uuid
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs import CATALOG_SCHEMA, WeightFile, from_arrow
from catalogs.journal import Entry, entry_of, marked, name_of, replayed, says_nothing_new
from catalogs.places import Where, place_of
from catalogs.reaching import at_once, check_bucket
from pipeline.errors import FolderError
from pipeline.store.damage import SMALLEST, SUFFIX, Damage, damage_at_ends, damage_of, damage_within
from pipeline.store.parquet import parquet_of, parquet_of_rows
from pipeline.store.records import ATTEMPTS_SCHEMA, SPECTRA_SCHEMA, AttemptRow, table_of
from pipeline.store.storage import Store

SPECTRA, LAYERS = "spectra/v1", "layers/v1"
_JOURNALS = ("catalog", "scores")
_ATTEMPT = re.compile(r"(?P<started>\w*)-(?P<unit>\w+)-(?P<ended>done|failed|transient)-\w+\.parquet$")
_NO_UNIT = "unidentified"
_LOT = 500  # files that a thread looks at before it takes others


class DamagedResult(OSError):
    """A file of results that turned out damaged as it was read. It is set aside, so trying again makes it anew."""


@dataclass(frozen=True, slots=True)
class ResultsFolder:
    """The files of one place.

    Attributes:
        root: The place; a string is taken as it would be typed. `str()` of it shows no secret.
        patient: Whether to wait for an object store that does not answer: it has answered before.
    """

    root: Where
    patient: bool = False

    def __post_init__(self) -> None:
        where = place_of(self.root)
        object.__setattr__(self, "root", where.absolute() if isinstance(where, Path) else where)

    @property
    def store(self) -> Store:
        """Its files by name."""
        return Store(self.root, self.patient)

    def path(self, name: str) -> PurePath:
        """Where a file lies, as one is told."""
        return self.root / name if isinstance(self.root, Path) else PurePosixPath(self.root.root, name)

    def prepare(self) -> None:
        """Make the folder, make sure it can be written to, and clear what killed processes left.

        Raises:
            FolderError: It cannot be made or written to.
        """
        try:
            self.store.prepare((*_JOURNALS, "options", SPECTRA, LAYERS, "attempts"))
        except OSError as error:
            if isinstance(self.root, Path):
                told = f"{error.strerror or error}. Choose another folder with --results, or mend its permissions."
            else:
                told = str(error)
            raise FolderError(f"cannot write results to {self.root}: {told}") from error

    def check(self) -> None:
        """Make sure that an object store has the bucket; a folder of this machine may be there or not.

        Raises:
            PlaceError: It has not, or cannot be reached.
        """
        if not isinstance(self.root, Path):
            check_bucket(self.root)

    def has_spectra(self, spectra_id: str) -> bool:
        """Whether the spectra of that name are there."""
        return self.store.exists(f"{SPECTRA}/{spectra_id}.parquet")

    def read_spectra(self, spectra_id: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Spectra, or some of their columns.

        Raises:
            DamagedResult: They cannot be read any more; they are set aside.
            FileNotFoundError: They are not there.
        """
        name = f"{SPECTRA}/{spectra_id}.parquet"
        content = pa.BufferReader(self.store.read(name))
        try:
            checked = {"page_checksum_verification": True}
            return pq.read_table(content, columns=columns, schema=SPECTRA_SCHEMA, **checked)
        except (OSError, pa.ArrowException) as error:
            self.set_aside([Damage(name, self.path(name), str(error))])
            raise DamagedResult(
                f"{self.path(name)} cannot be read ({error}): set aside. The same command makes it anew."
            ) from error

    def write_spectra(self, spectra_id: str, table: pa.Table) -> int:
        """Put spectra in place; the size of their file in bytes."""
        return self._write(table, f"{SPECTRA}/{spectra_id}.parquet")

    def write_layers(self, fit_id: str, table: pa.Table) -> int:
        """Put metrics in place; the size of their file in bytes."""
        return self._write(table, f"{LAYERS}/{fit_id}.parquet")

    def count_matrices(self, spectra_ids: Sequence[str]) -> dict[str, int]:
        """How many rows spectra that are there have; only the ends of their files are read."""
        names = [f"{SPECTRA}/{spectra_id}.parquet" for spectra_id in spectra_ids]
        return dict(zip(spectra_ids, at_once(self.store.rows, names), strict=True))

    def finished(self) -> frozenset[str]:
        """Ids of the spectra and fits that are there."""
        return frozenset(_stem(name) for stage in (SPECTRA, LAYERS) for name in self._parquet(stage))

    def damaged(self) -> tuple[Damage, ...]:
        """The files that are empty or cut short, and journals that cannot be read.

        Of the many files only the ends are looked at; in an object store, only their sizes.
        """
        journals = [each for table in _JOURNALS for each in self._parquet(table).items()]
        many = [each for folder in ("attempts", SPECTRA, LAYERS) for each in self._parquet(folder).items()]
        if not isinstance(self.root, Path):
            sizes = [*journals, *many]
            return self._damages((name, f"it has {size} bytes" if size < SMALLEST else None) for name, size in sizes)
        lots, root = [many[start : start + _LOT] for start in range(0, len(many), _LOT)], self.root
        at_ends = at_once(lambda lot: [(name, damage_at_ends(root / name)) for name, _ in lot], lots)
        read = [*(f"{table}.parquet" for table in _JOURNALS), *(name for name, _ in journals)]
        within = ((name, damage_within(root / name)) for name in read)
        return self._damages(chain(within, *at_ends))

    def damaged_spectra(self, spectra_ids: Iterable[str]) -> tuple[Damage, ...]:
        """Of spectra that are there, those that cannot be read; the sum of every page is checked.

        For spectra that are about to be used. In an object store none is found: reading them all would fetch them all.
        """
        if not isinstance(self.root, Path):
            return ()
        names, root = [f"{SPECTRA}/{spectra_id}.parquet" for spectra_id in spectra_ids], self.root
        return self._damages(at_once(lambda name: (name, damage_within(root / name)), names))

    def set_aside(self, damaged: Iterable[Damage]) -> None:
        """Take damaged files out of the way, under another name beside their place.

        Each is read once more directly before: another run may have made it anew meanwhile.
        """
        for each in damaged:
            schema = SPECTRA_SCHEMA if each.name.startswith(f"{SPECTRA}/") else None
            with suppress(FileNotFoundError):  # another run has set it aside
                if damage_of(self.store.read(each.name), schema) is not None:
                    self.store.rename(each.name, f"{each.name}{SUFFIX}")

    def record(self, attempt: AttemptRow) -> None:
        """Add a row to the log. Its file's name says how the try ended, so that no plan has to open it."""
        started = re.sub(r"\W", "", attempt.started)
        ended = "transient" if attempt.outcome == "failed" and attempt.transient is not False else attempt.outcome
        name = f"{started}-{attempt.unit or _NO_UNIT}-{ended}-{uuid.uuid4().hex[:8]}.parquet"
        self.store.put(parquet_of_rows(table_of([attempt], ATTEMPTS_SCHEMA)), f"attempts/{name}")

    def permanently_failed(self, damaged: Collection[str] = ()) -> frozenset[str]:
        """Units whose last try failed for a reason that trying again does not mend.

        Args:
            damaged: Names of files that are passed over.
        """
        last: dict[str, tuple[str, str]] = {}
        for started, unit, ended in self._ends(damaged):
            last[unit] = max(last.get(unit, ("", "")), (started, ended))
        return frozenset(unit for unit, (_, ended) in last.items() if ended == "failed" and unit != _NO_UNIT)

    def failures(self) -> list[dict[str, Any]]:
        """The rows of the log about tries that failed, the oldest first; what cannot be read is passed over."""
        names = self._parquet("attempts")
        told = [name for name in names if not (found := _ATTEMPT.search(name)) or found["ended"] != "done"]
        rows = [row for row in self._attempts(told) if row["outcome"] == "failed"]
        return sorted(rows, key=lambda row: str(row["started"]))

    def save_options(self, config: str, options: dict[str, Any]) -> None:
        """Write down what a configuration is, and when it was last asked for."""
        self.store.put(json.dumps(options, indent=1, sort_keys=True).encode(), f"options/{config}.json")

    def options(self) -> dict[str, dict[str, Any]]:
        """What the configurations are.

        Raises:
            FolderError: One cannot be read.
        """
        found = {}
        for name in self.store.names("options"):
            if name.endswith(".json"):
                try:
                    found[_stem(name)] = json.loads(self.store.read(name).to_pybytes())
                except (OSError, ValueError) as error:
                    raise FolderError(
                        f"{self.path(name)} cannot be read: {error}. The same `setol run` writes it again."
                    ) from error
        return found

    def known(self) -> tuple[WeightFile, ...]:
        """The weight files of the models planned so far, as far as they can be read."""
        entries = [each for each in self._journal("catalog", CATALOG_SCHEMA) if isinstance(each, Entry)]
        return tuple(from_arrow(replayed(entries, CATALOG_SCHEMA), WeightFile))

    def files(self) -> tuple[WeightFile, ...]:
        """The same.

        Raises:
            FolderError: Some of it cannot be read.
        """
        for each in self._journal("catalog", CATALOG_SCHEMA):
            if isinstance(each, Damage):
                raise FolderError(f"{each.path} cannot be read: {each.error}. The same `setol run` writes it again.")
        return self.known()

    def has_catalog(self) -> bool:
        """Whether anything was planned here."""
        return bool(self._parquet("catalog")) or self.store.exists("catalog.parquet")

    def merge(self, name: str, table: pa.Table, models: Collection[str]) -> None:
        """Put rows about some models into a journal, in the place of all earlier ones about them.

        What says nothing new is not written.
        """
        entry = Entry(frozenset(models), table)
        earlier = [each for each in self._journal(name, table.schema) if isinstance(each, Entry)]
        if models and not says_nothing_new(entry, replayed(earlier, table.schema)):
            content = parquet_of(marked(table, models))
            self.store.put(content, f"{name}/{name_of(content, self._parquet(name))}")

    def _journal(self, name: str, schema: pa.Schema) -> list[Entry | Damage]:
        """The entries of a journal, the oldest first."""
        old = f"{name}.parquet"
        names = [*([old] if self.store.exists(old) else []), *sorted(self._parquet(name))]

        def entry(name: str) -> Entry | Damage | None:
            try:
                content = self.store.read(name)
            except FileNotFoundError:  # set aside by another run
                return None
            try:
                return entry_of(content, schema)
            except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
                return Damage(name, self.path(name), str(error))

        return [each for each in at_once(entry, names) if each is not None]

    def _ends(self, damaged: Collection[str]) -> Iterable[tuple[str, str, str]]:
        """When each try began, at which unit, and how it ended; older files do not say so by their names."""
        silent = []
        for name in self._parquet("attempts"):
            if name in damaged:
                continue
            if found := _ATTEMPT.search(name):
                yield found["started"], found["unit"], found["ended"]
            else:
                silent.append(name)
        for row in self._attempts(silent):
            if row["unit"]:
                ended = "failed" if row["outcome"] == "failed" and row["transient"] is False else "done"
                yield re.sub(r"\W", "", row["started"]), row["unit"], ended

    def _attempts(self, names: Iterable[str]) -> Iterable[dict[str, Any]]:
        """The rows of files of the log; those that cannot be read are passed over."""

        def row(name: str) -> list[dict[str, Any]]:
            content = self.store.read(name)
            try:
                return pq.read_table(pa.BufferReader(content), schema=ATTEMPTS_SCHEMA).to_pylist()[:1]
            except (OSError, pa.ArrowException):
                return []

        return chain.from_iterable(at_once(row, names))

    def _damages(self, found: Iterable[tuple[str, str | None]]) -> tuple[Damage, ...]:
        return tuple(Damage(name, self.path(name), error) for name, error in found if error is not None)

    def _parquet(self, folder: str) -> dict[str, int]:
        return {name: size for name, size in self.store.names(folder).items() if name.endswith(".parquet")}

    def _write(self, table: pa.Table, name: str) -> int:
        content = parquet_of(table)
        self.store.put(content, name)
        return len(content)


def is_log(name: str) -> bool:
    """Whether a file of a results folder is one of the log."""
    return name.startswith("attempts/")


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
