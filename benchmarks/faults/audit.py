"""What is left in a results folder, against the results of a run that nothing happened to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from analysis import open_results
from catalogs.places import place_of
from catalogs.reaching import at_once
from pipeline.store.folder import ResultsFolder

STAGES = ("spectra/v1", "layers/v1")
KEYS = {
    "models": "model",
    "spectra": "model, file, tensor, part",
    "layers": "model, file, row, tap",
    "scores": "model, dataset, split, metric, setting",
}
"""What a row of a view stands for: no two rows are the same in it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The results of an undisturbed run.

    Attributes:
        files: Bytes of the visible results by their path in the folder.
        units: The paths of the results of each weight file, by its sha256.
    """

    files: dict[str, bytes]
    units: dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the weight files.

    Attributes:
        survived: Have results, equal to the undisturbed ones byte by byte.
        failed: Have none, and a row of `failures` with the true reason.
        lost: Neither: nothing, other bytes, or another reason.
        doubled: Rows that a view has twice, and files that should not be there.
        remarks: What and why.
    """

    survived: int
    failed: int
    lost: int
    doubled: int
    remarks: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing is lost or doubled."""
        return self.lost == self.doubled == 0


def published(results: str) -> dict[str, bytes]:
    """Bytes of every visible result file by its path in the folder."""
    store = ResultsFolder(place_of(results), patient=True).store
    names = [name for stage in STAGES for name in store.names(stage)]
    return dict(zip(names, at_once(lambda name: store.read(name).to_pybytes(), names), strict=True))


def reference(results: str) -> Reference:
    """Take a results folder for the truth."""
    units: dict[str, set[str]] = {}
    files = published(results)
    for name in files:
        table = pq.read_table(pa.BufferReader(files[name]), columns=["weights_sha256"])
        content = table["weights_sha256"][0].as_py()
        units.setdefault(content, set()).add(name)
    assert all(len(names) == len(STAGES) for names in units.values())
    return Reference(files, {content: frozenset(names) for content, names in units.items()})


def audit(results: str, truth: Reference, reasons: Mapping[str, str] | None = None) -> Verdict:
    """Count what became of every weight file.

    Args:
        results: Path or URL of the results folder.
        truth: What an undisturbed run gave.
        reasons: Weight files that cannot be computed by their sha256, each with a pattern of the reason that must be
            told.
    """
    there = published(results)
    same = {name for name, content in there.items() if truth.files.get(name) == content}
    opened = open_results(results)
    told = {row["weights_sha256"]: row["error"] for row in opened.rows("FROM failures")}
    survived = {content for content, names in truth.units.items() if names <= same}
    failed = {content for content, reason in (reasons or {}).items() if re.search(reason, told.get(content) or "")}
    lost = (truth.units.keys() | (reasons or {}).keys()) - survived - failed
    remarks = [f"{content[:8]}: {told.get(content, 'no row')}" for content in sorted(lost)]
    doubled = len(there.keys() - truth.files.keys())
    remarks += [f"one too many: {name}" for name in sorted(there.keys() - truth.files.keys())]
    for view, key in KEYS.items():
        (row,) = opened.rows(f"SELECT count(*) AS n, count(DISTINCT ({key})) AS keys FROM {view}")
        doubled += row["n"] - row["keys"]
        if row["n"] != row["keys"]:
            remarks.append(f"the view {view} has {row['n']} rows, {row['keys']} of them distinct")
    (row,) = opened.rows("SELECT count(*) AS n FROM models")
    planned = len(truth.units) + len(reasons or {})
    if row["n"] != planned:
        remarks.append(f"the view models has {row['n']} rows instead of {planned}")
        doubled += max(0, row["n"] - planned)
    return Verdict(len(survived), len(failed), len(lost), doubled, tuple(remarks))
