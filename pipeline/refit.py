"""Metrics anew from stored spectra: no weights, no network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq

from catalogs import CATALOG_SCHEMA, WeightFile, from_arrow
from pipeline.drive import Executor, Failure, Reporter, RunSummary
from pipeline.errors import FolderError, OptionError
from pipeline.folder import ResultsFolder
from pipeline.options import SPECTRA_VERSION, MetricOptions, Options, SpectrumOptions
from pipeline.plan import make_plan
from pipeline.worker import Job


@dataclass(frozen=True, slots=True)
class RefitRequest:
    """What a refit is asked to do.

    Attributes:
        folder: Where spectra lie, and metrics go.
        metrics: How metrics are computed.
        spectrum: Which spectra are taken; by default those that were planned last.
        threads: Threads of a unit.
    """

    folder: ResultsFolder
    metrics: MetricOptions
    spectrum: SpectrumOptions | None = None
    threads: int = 1


def refit(request: RefitRequest, execute: Executor, reporter: Reporter) -> RunSummary:
    """Compute the metrics of every weight file whose spectra are stored; what is there is not computed again.

    Files without spectra are failures that name the run which would make them.

    Raises:
        FolderError: There are no results, or they cannot be written to.
        OptionError: No file has spectra as the options ask for.
    """
    folder = request.folder
    stored = _last_planned(folder)
    spectrum = request.spectrum or _spectrum_options(stored)
    options = Options(spectrum, request.metrics)
    files = _files(folder)
    folder.prepare()
    whole = make_plan(files, options, finished=(), failed=()).units
    damaged = folder.damaged({name for unit in whole for name in (unit.spectra_id, unit.fit_id)})
    finished = folder.finished() - {each.path.stem for each in damaged}
    plan = make_plan(files, options, finished=finished, failed=())
    ready = tuple(unit for unit in plan.units if unit.spectra_id in finished)
    missing = [unit for unit in plan.units if unit.spectra_id not in finished]
    if missing and not ready and not plan.finished:
        raise OptionError(
            f"no weight file in {folder.root} has spectra with {_described(spectrum)}. They need the weights: "
            f"`setol run --results {folder.root}{_flags(spectrum)}` with the same models makes them."
        )
    folder.set_aside(damaged)
    planned = datetime.now(UTC).isoformat(timespec="microseconds")
    folder.save_options(options.config, {**options.content, "catalog": stored["catalog"], "planned": planned})
    plan = replace(plan, units=ready, damaged=damaged)
    reporter.planned(plan, ())
    told = f"no spectra with {_described(spectrum)}; `setol run` makes them"
    failures = [Failure(unit.file.model, unit.file.file, told, transient=True, new=True) for unit in missing]
    computed = 0
    job = Job(folder, folder.root, options.config, options, "cpu", request.threads)
    for outcome in execute(ready, job) if ready else ():
        reporter.finished(outcome)
        computed += outcome.done
        if not outcome.done:
            file = outcome.unit.file
            failures.append(Failure(file.model, file.file, outcome.error or "", outcome.transient, new=True))
    return RunSummary(options.config, computed, len(plan.finished), tuple(failures), {})


def _last_planned(folder: ResultsFolder) -> Mapping[str, Any]:
    found = [json.loads(path.read_bytes()) for path in (folder.root / "options").glob("*.json")]
    if not found or not (folder.root / "catalog.parquet").exists():
        raise FolderError(f"{folder.root} holds no results to refit. `setol run --results {folder.root}` makes them.")
    last: Mapping[str, Any] = max(found, key=lambda options: options["planned"])
    return last


def _spectrum_options(stored: Mapping[str, Any]) -> SpectrumOptions:
    if stored["spectra_version"] != SPECTRA_VERSION:
        raise OptionError(
            f"these spectra are of version {stored['spectra_version']}, and this one of setol-zoo makes version "
            f"{SPECTRA_VERSION}, whose values may differ. The same `setol run` makes them anew."
        )
    return SpectrumOptions(**stored["spectrum"])


def _files(folder: ResultsFolder) -> list[WeightFile]:
    """The weight files of known content that were planned."""
    files = from_arrow(pq.read_table(folder.root / "catalog.parquet", schema=CATALOG_SCHEMA), WeightFile)
    return [file for file in files if file.weights_sha256]


def _described(options: SpectrumOptions) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.content.items())


def _flags(options: SpectrumOptions) -> str:
    chosen = {name: value for name, value in options.content.items() if name != "precision"}
    return "".join(f" --{name}" if value is True else f" --{name} {value}" for name, value in chosen.items())
