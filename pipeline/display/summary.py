"""What a run is told about while it goes on, and what is said of it at its end."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pipeline.execution.job import Job, Outcome
from pipeline.planning.plan import Plan, Unit

if TYPE_CHECKING:
    from pipeline.planning.identify import Unidentified

Executor = Callable[[tuple[Unit, ...], Job], Iterator[Outcome]]
"""Works on units, in any order and wherever, and yields an outcome for each."""


class Reporter(Protocol):
    """Told what happens while it happens."""

    def planned(self, plan: Plan, unidentified: "tuple[Unidentified, ...]") -> None:
        """The plan is made; work begins."""

    def finished(self, outcome: Outcome) -> None:
        """A unit has come to its end."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A weight file that has no results, and why.

    `new` if it failed in this run, `missing` if there is no such file or repository.
    """

    model: str
    file: str
    error: str
    transient: bool
    new: bool
    missing: bool = False


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What became of a run: weight files computed now, there already, and failed.

    `renamed` has the model keys of the catalog that results know by an exact one (a branch by its commit, a path that
    is another file there by the whole path). `run` is the name under which its tries are logged.
    """

    config: str
    computed: int
    reused: int
    failures: tuple[Failure, ...]
    renamed: Mapping[str, str]
    run: str | None = None


def followed(outcomes: Iterable[Outcome], reporter: Reporter) -> tuple[int, list[Failure]]:
    """How many units were computed, and the failures of the others, each reported as it comes.

    Args:
        outcomes: As an executor yields them.
        reporter: Told of each.
    """
    computed = 0
    failures: list[Failure] = []
    for outcome in outcomes:
        reporter.finished(outcome)
        if outcome.done:
            computed += 1
        else:
            file = outcome.unit.file
            failures.append(Failure(file.model, file.file, outcome.error or "", outcome.transient, new=True))
    return computed, failures
