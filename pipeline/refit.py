"""Metrics anew from stored spectra: no weights, no network."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalogs import WeightFile, catalog_names, load_catalog
from catalogs.filled import filled_inside
from catalogs.places import cache_directory
from pipeline.display.run_events import run_events
from pipeline.display.summary import Executor, Failure, Reporter, RunSummary, followed
from pipeline.errors import FolderError, OptionError
from pipeline.execution.events import new_run_id
from pipeline.execution.job import Job
from pipeline.options import (
    PLAIN_SPECTRA,
    SPECTRA_VERSION,
    MetricOptions,
    Options,
    SpectrumOptions,
    stored_spectrum,
)
from pipeline.planning.folder_plan import plan_in
from pipeline.planning.plan import Unit
from pipeline.store.folder import ResultsFolder

_MOST_NAMED = 5
"""Models that are named in a command; for more, their catalog is."""


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

    Files without such spectra are failures that name the run which makes them. So are those whose spectra cannot be
    read any more: these are set aside.

    Raises:
        FolderError: There are no results, they cannot be read, or they cannot be written to.
        OptionError: No file has spectra as the options ask for.
    """
    request.folder.check()
    folder = replace(request.folder, patient=True)
    stored = _last_planned(folder)
    spectrum = request.spectrum or spectrum_options(stored)
    options = Options(spectrum, request.metrics)
    files = _files(folder)
    folder.prepare()
    plan = plan_in(folder, files, options, retry_failed=True)
    unreadable = {each.path.stem for each in plan.damaged}
    there = folder.finished() - unreadable
    ready = [unit for unit in plan.units if unit.spectra_id in there]
    missing = [unit for unit in plan.units if unit.spectra_id not in there]
    lost = {unit.weights_sha256 for unit in missing if unit.spectra_id in unreadable}
    failed = _failed_for_good(folder, spectrum) if missing else {}
    hopeless = {sha256: said for sha256, said in failed.items() if sha256 not in lost}
    makeable = [unit for unit in missing if unit.weights_sha256 not in hopeless]
    makes = _run_that_makes(folder, stored["catalog"], makeable, spectrum) if makeable else "all failed for good"
    if not ready and not plan.finished and not any(unit.spectra_id in unreadable for unit in missing):
        raise OptionError(f"no weight file in {folder.root} has spectra with {_described(spectrum)}: {makes}.")
    folder.set_aside(plan.damaged)
    planned = datetime.now(UTC).isoformat(timespec="microseconds")
    folder.save_options(options.config, {**options.content, "catalog": stored["catalog"], "planned": planned})
    matrices = folder.count_matrices([unit.spectra_id for unit in ready])
    # The longest first, so that none is left to run alone: a small file with a thousand layers takes longest here.
    ready.sort(key=lambda unit: -matrices[unit.spectra_id])
    plan = replace(plan, units=tuple(ready))
    reporter.planned(plan, ())
    failures = []
    for unit in missing:
        if said := hopeless.get(unit.weights_sha256):
            error = f"failed for good, so it has no spectra: {said}"
            failures.append(Failure(unit.file.model, unit.file.file, error, transient=False, new=False))
            continue
        damage = unit.spectra_id in unreadable
        lacks = "its spectra could not be read" if damage else f"no spectra with {_described(spectrum)}"
        failures.append(Failure(unit.file.model, unit.file.file, f"{lacks}: {makes}", transient=True, new=True))
    job = Job(folder, cache_directory(), options.config, options, "cpu", request.threads, new_run_id())
    with run_events(job, stored["catalog"]) as events:
        events.planned(plan, ())
        computed, fresh = followed(events.watched(execute(plan.units, job) if ready else ()), reporter)
    return RunSummary(options.config, computed, len(plan.finished), (*failures, *fresh), {}, job.run)


def spectrum_options(stored: Mapping[str, Any]) -> SpectrumOptions:
    """The spectrum options of a configuration.

    Args:
        stored: Content of its options file.

    Raises:
        OptionError: Its spectra are those of another version of setol-zoo.
    """
    if stored["spectra_version"] != SPECTRA_VERSION:
        raise OptionError(
            f"these spectra are of version {stored['spectra_version']}, and this one of setol-zoo makes version "
            f"{SPECTRA_VERSION}, whose values may differ. The same `setol run` makes them anew."
        )
    return stored_spectrum(stored)


def _last_planned(folder: ResultsFolder) -> Mapping[str, Any]:
    found = folder.options()
    if not found or not folder.has_catalog():
        root = folder.root
        # What is in the way is let alone.
        if isinstance(root, Path) and root.exists() and (not root.is_dir() or any(root.iterdir())):
            hint = filled_inside(root)
        else:
            hint = f", or fill this one: setol run --catalog demo --results {shlex.quote(str(root))}"
        raise FolderError(f"{root} holds no results to refit. Name a folder that `setol run` has filled{hint}")
    return max(found.values(), key=lambda options: str(options["planned"]))


def _files(folder: ResultsFolder) -> list[WeightFile]:
    """The weight files of known content that were planned."""
    return [file for file in folder.files() if file.weights_sha256]


def _failed_for_good(folder: ResultsFolder, spectrum: SpectrumOptions) -> dict[str, str]:
    """What was said of the contents whose last failure with these spectra was one for good, by sha256.

    Asked about contents that have no such spectra: there was no success after it.
    """
    planned = folder.options()
    wanted = (spectrum.content, SPECTRA_VERSION)
    same = {name for name, each in planned.items() if (each["spectrum"], each["spectra_version"]) == wanted}
    last = {row["weights_sha256"]: row for row in folder.failures() if row["config"] in same}
    return {sha256: row["error"] for sha256, row in last.items() if row["transient"] is False}


def _described(options: SpectrumOptions) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.shown.items())


def _run_that_makes(folder: ResultsFolder, catalog: str, missing: Sequence[Unit], options: SpectrumOptions) -> str:
    """The command that makes spectra which are not there, in words."""
    models = list(dict.fromkeys(unit.file.model for unit in missing))
    if any(model.startswith("memory:") for model in models):
        return "they need the weights, and models that were in memory have to be analyzed again"
    named = models if len(models) <= _MOST_NAMED else ["--catalog", "CATALOG"]
    built_in = catalog in catalog_names() and set(models) <= set(load_catalog(catalog).models)
    words = ["--catalog", catalog] if built_in else named
    for name, value in options.shown.items():
        if name != "seed" and value != getattr(PLAIN_SPECTRA, name):  # the seed is no option of the command
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    command = shlex.join(["setol", "run", *words, "--results", str(folder.root)])
    return f"they need the weights, and are made by `{command}`"
