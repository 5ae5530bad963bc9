"""The events of one run, from its start to its end however it ends."""

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.code_version import code_version
from pipeline.execution.events import event
from pipeline.execution.job import Job, Outcome
from pipeline.planning.plan import Plan

if TYPE_CHECKING:
    from pipeline.planning.identify import Unidentified


@dataclass(slots=True)
class RunEvents:
    """Tells what becomes of a run, and counts it.

    Attributes:
        done: Weight files computed.
        failed: Those that failed, the ones that could not be had among them.
    """

    _began: float = field(default_factory=time.monotonic)
    done: int = 0
    failed: int = 0

    def planned(self, plan: Plan, unidentified: "tuple[Unidentified, ...]") -> None:
        """The plan is made."""
        self.failed += len(unidentified)
        event(
            "run_planned",
            to_do=len(plan.units),
            bytes=sum(unit.cost for unit in plan.units),
            there=len(plan.finished),
            held_back=len(plan.held_back),
            damaged=[str(damage.path) for damage in plan.damaged],
            unidentified=len(unidentified),
            seconds=self._seconds(),
        )
        for row in unidentified:
            event("unit_failed", model=row.file.model, file=row.file.file, error=str(row.error))

    def watched(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """The same outcomes, each told as it passes."""
        for outcome in outcomes:
            self.done += outcome.done
            self.failed += not outcome.done
            event("unit_finished" if outcome.done else "unit_failed", **_told(outcome))
            yield outcome

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)


@contextmanager
def run_events(job: Job, catalog: str) -> Iterator[RunEvents]:
    """Tell of a run that happens in the block: its start, and its end or what ended it.

    Args:
        job: What its units have in common.
        catalog: Name of the catalog.
    """
    events = RunEvents()
    event(
        "run_started",
        run=job.run,
        config=job.config,
        catalog=catalog,
        options=job.options.content,
        device=job.device,
        threads=job.threads,
        results=str(job.folder.root),
        host=socket.gethostname(),
        code_version=code_version(),
    )
    ended = "finished"
    try:
        yield events
    except BaseException as error:
        ended = type(error).__name__
        raise
    finally:
        event("run_ended", run=job.run, how=ended, done=events.done, failed=events.failed, seconds=events._seconds())


def _told(outcome: Outcome) -> dict[str, object]:
    """The try as it was logged, without what is empty; what is known of it where nothing could be logged."""
    unit, attempt = outcome.unit, outcome.attempt
    plain = {"unit": unit.fit_id, "model": unit.file.model, "file": unit.file.file}
    if attempt is None:
        return plain | {"seconds": outcome.seconds, "error": outcome.error, "transient": outcome.transient}
    row = {name: getattr(attempt, name) for name in attempt.__slots__}
    return {name: value for name, value in row.items() if value is not None and name not in ("run", "config")}
