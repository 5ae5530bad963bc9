"""The weight files of a plan: what a run would do with each, and what that costs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.display.forecast import Work
    from pipeline.drive import RunRequest
    from pipeline.planning.estimate import Estimate, UnitCost

UNKNOWN = "unknown before download"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A weight file of a plan.

    Attributes:
        model: Key of its model.
        name: Its short name.
        file: The file.
        bytes: Its size, None where nobody knows.
        to_do: `compute`, `refit` (its spectra are there, so only metrics are computed), `nothing` (there already),
            `failed before` (--retry-failed tries again), `fails` (it cannot be had or read), `scores only` (nobody can
            fetch it), or `subtract` (it is of the base, which is fetched once).
        fetch: Whether a run would fetch it: it is not on this machine, and its spectra are not there already.
        pickle: Whether it had to be opened, not only its header read.
        like: Short name of the model of the same architecture and size whose header was read in the place of its own.
        estimate: What it holds and costs; None where only the file itself says so, or it cannot be read.
        cost: Seconds and memory of what is to be done; not exact where they are guessed from the size.
        note: Why there is no estimate, or why it fails.
    """

    model: str
    name: str
    file: str
    bytes: int | None
    to_do: str
    fetch: bool = False
    pickle: bool = False
    like: str | None = None
    estimate: "Estimate | None" = None
    cost: "UnitCost | None" = None
    note: str | None = None

    @property
    def unknown(self) -> bool:
        """Whether only a download would tell what it holds."""
        return self.note is not None and self.note.startswith(UNKNOWN)

    @property
    def refused(self) -> bool:
        """Whether it cannot be had or read, and that matters."""
        return self.note is not None and not self.unknown and self.to_do != "nothing"


def planned_files(request: "RunRequest") -> list[PlannedFile]:
    """Every weight file of a request: what is to be done with it, and what it costs."""
    from checkpoints.remote_header import UnknownBeforeDownload
    from pipeline.drive import prepare
    from pipeline.planning.estimate import REFIT_COLUMNS, cost_by_size, cost_of, estimate_refit
    from pipeline.planning.preview import preview

    plan, unidentified = prepare(request)
    there = request.folder.finished() - {each.path.stem for each in plan.damaged}
    stored = {unit.fit_id for unit in plan.units if unit.spectra_id in there}
    computed = [unit for unit in plan.units if unit.fit_id not in stored]
    states = (("compute", computed), ("nothing", plan.finished), ("failed before", plan.held_back))
    planned = [(state, unit) for state, units in states for unit in units]
    previews = preview([unit.file for _, unit in planned], request.cache)
    rows = []
    for (state, unit), seen in zip(planned, previews, strict=True):
        file, cost = unit.file, None
        note = str(seen.error) if seen.error else None
        if isinstance(seen.error, UnknownBeforeDownload):
            note = f"{UNKNOWN}: {note}"
        elif seen.error and state == "compute":
            state = "fails"
        if state == "compute":
            cost = cost_of(seen.estimate) if seen.estimate else cost_by_size(seen.size)
        rows.append(
            PlannedFile(
                file.model,
                file.name,
                file.file,
                seen.size,
                state,
                fetch=state == "compute" and not seen.here,
                pickle=seen.pickle,
                like=seen.like,
                estimate=seen.estimate,
                cost=cost,
                note=note,
            )
        )
    for unit in plan.units:
        if unit.fit_id in stored:
            file = unit.file
            found = estimate_refit(request.folder.read_spectra(unit.spectra_id, list(REFIT_COLUMNS)))
            rows.append(
                PlannedFile(file.model, file.name, file.file, file.size, "refit", estimate=found, cost=cost_of(found))
            )
    if any(row.to_do == "compute" for row in rows):
        rows += _base_files(request, {(row.model, row.file) for row in rows if row.fetch})
    for row in unidentified:
        file = row.file
        rows.append(PlannedFile(file.model, file.name, file.file, None, "fails", note=str(row.error)))
    scores_only = [file for file in request.catalog.files if file.model.startswith("scores:")]
    return rows + [PlannedFile(file.model, file.name, "", None, "scores only") for file in scores_only]


def _base_files(request: "RunRequest", fetched: Collection[tuple[str, str]]) -> list[PlannedFile]:
    """The files of the model that is subtracted from those to be computed; some are fetched already as such."""
    from checkpoints.remote_header import local_copy

    base = request.options.spectrum.base
    return [
        PlannedFile(
            file.model,
            file.name,
            file.file,
            file.size,
            "subtract",
            fetch=(file.model, file.file) not in fetched and local_copy(file, request.cache) is None,
        )
        for file in (base.files if base else ())
    ]


def work_of(rows: Sequence[PlannedFile]) -> "list[tuple[PlannedFile, Work]]":
    """What a forecast asks about the files with something to do; the first to be computed waits for the base too."""
    from dataclasses import replace

    from pipeline.display.forecast import Work
    from pipeline.planning.estimate import STORED_BYTES_PER_FILE

    base = sum(row.bytes or 0 for row in rows if row.to_do == "subtract" and row.fetch)
    found = [
        (
            row,
            Work(
                fetched=(row.bytes or 0) if row.fetch else 0,
                seconds=row.cost.seconds,
                memory=row.cost.memory if row.to_do == "compute" else 0,
                stored=row.estimate.stored_bytes if row.estimate else STORED_BYTES_PER_FILE,
            ),
        )
        for row in rows
        if row.cost is not None
    ]
    for place, (row, work) in enumerate(found):
        if base and row.to_do == "compute":
            found[place] = (row, replace(work, fetched=work.fetched + base))
            break
    return found
