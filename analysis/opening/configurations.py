"""The configurations that a results folder holds, and which one of them is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analysis.errors import AnalysisError
from analysis.opening.stored import Stored
from catalogs import unknown_name
from catalogs.identity import fit_id, layouts_of, spectra_id


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
        n_failed: Those that have none and failed for a reason that trying again does not mend, here or with the same
        spectra.
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
    found = []
    for name, options in stored.options.items():
        laid_out = layouts(stored, options)
        done = {sha256 for sha256 in hashes if fit_id(sha256, options, laid_out.get(sha256)) in stored.layers}
        failed = _permanently_failed(tries(stored, attempts, name))
        found.append(
            Configuration(
                name=name,
                planned=options["planned"],
                catalog=options["catalog"],
                options=options,
                n_files=len(hashes),
                n_done=len(done),
                n_failed=len((hashes & failed) - done),
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


def tries(stored: Stored, attempts: pa.Table, name: str) -> pa.Table:
    """The tries that say what became of the weight files under a configuration.

    They are its own, and of a file that could not be had, or has no spectra, also those of other configurations with
    the same spectrum options: what kept it from having spectra there keeps it here.

    Args:
        stored: What the folders hold.
        attempts: The log.
        name: Name of the configuration.
    """
    options = stored.options[name]
    same = {other for other, content in stored.options.items() if _spectra(content) == _spectra(options)}
    laid_out = layouts(stored, options)

    def counts(config: str, sha256: str | None) -> bool:
        if config == name or sha256 is None:
            return True
        return config in same and spectra_id(sha256, options, laid_out.get(sha256)) not in stored.spectra

    pairs = zip(attempts["config"].to_pylist(), attempts["weights_sha256"].to_pylist(), strict=True)
    return attempts.filter(pa.array([counts(*pair) for pair in pairs], pa.bool_()))


def _spectra(options: Mapping[str, Any]) -> tuple[Any, Any]:
    return options["spectrum"], options["spectra_version"]


def _permanently_failed(attempts: pa.Table) -> set[str]:
    """Contents whose last try failed for a reason that trying again does not mend."""
    rows = attempts.select(["weights_sha256", "started", "outcome", "transient"]).sort_by("started").to_pylist()
    last = {row["weights_sha256"]: row for row in rows}
    return {sha256 for sha256, row in last.items() if row["outcome"] == "failed" and row["transient"] is False}
