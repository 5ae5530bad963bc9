"""What units of work have in common, and what becomes of one: the records that workers and drivers share."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.execution.schedule import Cause
from pipeline.options import Options
from pipeline.planning.plan import Unit
from pipeline.store.folder import ResultsFolder
from pipeline.store.records import AttemptRow


@dataclass(frozen=True, slots=True)
class Job:
    """What all units of a run have in common.

    Attributes:
        folder: Where results go.
        cache: Where fetched weights are kept.
        config: Name of the configuration.
        options: How spectra are made and metrics computed.
        device: torch device, or `auto` for the GPU if there is one.
        threads: Threads of every numerical library.
        run: Name of the run, for the log.
        keep_weights: Whether weights that are fetched stay on the machine.
        time_limit: Seconds that a unit may be fetched, and computed; None for a limit by its size.
        code: The code version that a worker must have; None on the driver's own machine.
    """

    folder: ResultsFolder
    cache: Path
    config: str
    options: Options
    device: str = "auto"
    threads: int = 1
    run: str | None = None
    keep_weights: bool = True
    time_limit: float | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The small row that goes back to the driver.

    Attributes:
        unit: What was worked on.
        done: Whether its results are there.
        seconds: How long it took.
        n_layers: How many matrices have metrics.
        error: What went wrong.
        transient: Whether trying again may help.
        cause: Why it failed, where trying again may help.
        notes: Lines that somebody should read: a worker on another machine has no terminal.
        attempt: The row that was logged.
    """

    unit: Unit
    done: bool
    seconds: float
    n_layers: int = 0
    error: str | None = None
    transient: bool = False
    cause: Cause | None = None
    notes: tuple[str, ...] = ()
    attempt: AttemptRow | None = None
