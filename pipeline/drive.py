"""The main job: a catalog and options in, a results folder brought up to date."""

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from catalogs import CATALOG_SCHEMA, SCORES_SCHEMA, Catalog, counted, to_arrow
from checkpoints.errors import NotFound
from pipeline.display.run_events import RunEvents, run_events
from pipeline.display.summary import Executor, Failure, Reporter, RunSummary, followed
from pipeline.execution.attempt import finish, new_attempt
from pipeline.execution.events import new_run_id
from pipeline.execution.job import Job
from pipeline.options import Options
from pipeline.planning.folder_plan import plan_in
from pipeline.planning.identify import Identified, Unidentified, identify, told_apart
from pipeline.planning.plan import Plan, Unit
from pipeline.planning.share import Share
from pipeline.store.folder import ResultsFolder

_PLAN_MAX_AGE = 3600.0
"""Seconds for which a plan takes a branch of a repository to stay where it was; a run asks."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is asked to do.

    Attributes:
        catalog: The models and their scores.
        folder: Where results go.
        cache: Where fetched weights are kept.
        options: How spectra are made and metrics computed.
        device: torch device, or `auto`.
        threads: Threads of a unit.
        retry_failed: Whether to try again what failed for good.
        share: Which of several shares of the work to do; None for all of it.
    """

    catalog: Catalog
    folder: ResultsFolder
    cache: Path
    options: Options
    device: str = "auto"
    threads: int = 1
    retry_failed: bool = False
    share: Share | None = None


def prepare(request: RunRequest) -> tuple[Plan, tuple[Unidentified, ...]]:
    """Identify the files and plan; nothing is written to the results folder."""
    request.folder.check()
    request = replace(request, folder=replace(request.folder, patient=True))
    identified = _identified(request, max_age=_PLAN_MAX_AGE)
    return _plan(request, identified), _own_unidentified(request, identified)


def _identified(request: RunRequest, max_age: float = 0.0) -> Identified:
    """The files of the catalog, told apart from those that the results folder knows."""
    places: dict[str, list[str]] = {}
    for file in request.catalog.files:
        if file.model.startswith("path:"):
            places.setdefault(file.model, []).append(file.file)
    return told_apart(
        identify(request.catalog.files, request.cache, max_age),
        {model: os.path.commonpath(paths) for model, paths in places.items()},
        request.folder.known(),
    )


def _plan(request: RunRequest, identified: Identified) -> Plan:
    files, notes, share = identified.files, identified.notes, request.share
    if share is not None:  # before planning: damaged files of other shares are not this one's to set aside
        files = tuple(file for file in files if share.has(file.weights_sha256 or ""))
        notes = (*notes, f"share {share}: {len(files)} of {counted(len(identified.files), 'weight file')}")
    if scores_only := len(identified.scores_only):
        notes = (
            *notes,
            f"{counted(scores_only, 'model has', 'models have')} scores only: nobody can fetch the weights",
        )
    plan = plan_in(request.folder, files, request.options, retry_failed=request.retry_failed)
    return replace(plan, notes=(*notes, *plan.notes))


def _own_unidentified(request: RunRequest, identified: Identified) -> tuple[Unidentified, ...]:
    """Files of unknown content, which go by their names: one share reports each."""
    share, rows = request.share, identified.unidentified
    return rows if share is None else tuple(row for row in rows if share.has(f"{row.file.model} {row.file.file}"))


def drive(request: RunRequest, execute: Executor, reporter: Reporter) -> RunSummary:
    """Bring a results folder up to date with a catalog and options.

    What is there is not computed again; a file that cannot be read is set aside and made anew. A unit that fails
    costs the others nothing and leaves a row in the log.

    Raises:
        FolderError: The results folder cannot be written to.
    """
    request.folder.prepare()
    folder = replace(request.folder, patient=True)
    request = replace(request, folder=folder)
    config = request.options.config
    job = Job(folder, request.cache, config, request.options, request.device, request.threads, new_run_id())
    with run_events(job, request.catalog.name) as events:
        return _drive(request, job, execute, reporter, events)


def _drive(request: RunRequest, job: Job, execute: Executor, reporter: Reporter, events: RunEvents) -> RunSummary:
    folder = request.folder
    identified = _identified(request)
    plan, unidentified = _plan(request, identified), _own_unidentified(request, identified)
    folder.set_aside(plan.damaged)
    _save_inputs(request, identified)
    for row in unidentified:
        folder.record(finish(new_attempt(row.file, job, unit=None), row.error))
    events.planned(plan, unidentified)
    reporter.planned(plan, unidentified)
    failures = [_unidentified_failure(row) for row in unidentified] + [_held_back(unit) for unit in plan.held_back]
    computed, failed = followed(events.watched(execute(plan.units, job) if plan.units else ()), reporter)
    failures += failed
    return RunSummary(job.config, computed, len(plan.finished), tuple(failures), identified.renamed, job.run)


def _save_inputs(request: RunRequest, identified: Identified) -> None:
    catalog, folder, renamed = request.catalog, request.folder, identified.renamed
    files = [*identified.files, *(row.file for row in identified.unidentified), *identified.scores_only]
    scores = [replace(score, model=renamed.get(score.model, score.model)) for score in catalog.scores]
    others = {model for model in renamed if model.startswith("path:")}  # keys that are those of other models here
    models = {*catalog.models, *renamed.values()} - others
    folder.merge("catalog", to_arrow(files, CATALOG_SCHEMA), models)
    folder.merge("scores", to_arrow(list(dict.fromkeys(scores)), SCORES_SCHEMA), models)
    planned = datetime.now(UTC).isoformat(timespec="microseconds")
    folder.save_options(
        request.options.config, {**request.options.content, "catalog": catalog.name, "planned": planned}
    )


def _unidentified_failure(row: Unidentified) -> Failure:
    missing = isinstance(row.error, NotFound)
    return Failure(row.file.model, row.file.file, str(row.error), row.error.transient, new=True, missing=missing)


def _held_back(unit: Unit) -> Failure:
    return Failure(unit.file.model, unit.file.file, "failed before; --retry-failed tries again", False, new=False)
