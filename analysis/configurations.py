"""The configurations that a results folder holds, and which one of them is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analysis.errors import AnalysisError
from analysis.stored import Stored
from catalogs import unknown_name
from catalogs.identity import fit_id, layouts_of


@dataclass(frozen=True, slots=True)
class Configuration:
    """One choice of options, and how far its results go.

    Attributes:
        name: Name of the configuration, the stem of its options file.
        planned: When it was last asked for, ISO 8601 in UTC.
        catalog: Name of the catalog it was last asked for with.
        options: Content of the options file.
        n_files: Weight files of known content.
        n_done: Those that have metrics of this configuration.
        n_failed: Those that have none and failed for a reason that trying again does not mend.
    """

    name: str
    planned: str
    catalog: str
    options: Mapping[str, Any]
    n_files: int
    n_done: int
    n_failed: int

    @property
    def complete(self) -> bool:
        """Whether every file that can have metrics has them."""
        return self.n_done + self.n_failed == self.n_files


def configurations(stored: Stored, attempts: pa.Table) -> tuple[Configuration, ...]:
    """All configurations of some results folders, the one that was asked for last first."""
    hashes = {sha256 for sha256 in stored.catalog["weights_sha256"].to_pylist() if sha256}
    failed = _permanently_failed(attempts)
    found = []
    for name, options in stored.options.items():
        laid_out = layouts(stored, options)
        fits = {fit_id(sha256, options, laid_out.get(sha256)) for sha256 in hashes}
        done = fits & stored.layers.keys()
        found.append(
            Configuration(
                name=name,
                planned=options["planned"],
                catalog=options["catalog"],
                options=options,
                n_files=len(fits),
                n_done=len(done),
                n_failed=len((fits & failed) - done),
            )
        )
    return tuple(sorted(found, key=lambda each: (each.planned, each.name), reverse=True))


def choose(found: Sequence[Configuration], name: str | None) -> Configuration:
    """The configuration of a name; without one the newest that is complete, or else the newest.

    Args:
        found: All there are, the newest first, at least one.
        name: Its name or the beginning of it, as long as that fits only one.

    Raises:
        AnalysisError: No configuration, or more than one, is called so.
    """
    if name is None:
        return next((each for each in found if each.complete), found[0])
    fitting = [each for each in found if each.name == name] or [each for each in found if each.name.startswith(name)]
    if not name or not fitting:
        raise AnalysisError(unknown_name("configuration", name, [each.name for each in found]))
    if len(fitting) > 1:
        raise AnalysisError(f"{name!r} is the beginning of {', '.join(each.name for each in fitting)}; need one.")
    return fitting[0]


def layouts(stored: Stored, options: Mapping[str, Any]) -> dict[str, str]:
    """What told the layers of each weight file, by sha256, where that was an architecture.

    A content may stand in the catalog under several names, with an architecture or without. What has metrics
    counts; where nothing has, the first architecture.

    Args:
        stored: What the folders hold.
        options: The content of an options file.
    """
    columns = (stored.catalog[name].to_pylist() for name in ("weights_sha256", "layout"))
    rows = [(sha256, layout) for sha256, layout in zip(*columns, strict=True) if sha256]
    with_metrics = [row for row in rows if fit_id(row[0], options, row[1]) in stored.layers]
    by_names = {sha256 for sha256, layout in with_metrics if layout is None}
    found = layouts_of(with_metrics)
    return layouts_of(row for row in rows if row[0] not in by_names) | found


def _permanently_failed(attempts: pa.Table) -> set[str]:
    """Units whose last try failed for a reason that trying again does not mend."""
    rows = attempts.select(["unit", "started", "outcome", "transient"]).sort_by("started").to_pylist()
    last = {row["unit"]: row for row in rows if row["unit"]}
    return {unit for unit, row in last.items() if row["outcome"] == "failed" and row["transient"] is False}
