"""What a run shows while it works: a bar on a terminal, plain lines elsewhere."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipeline.identify import Unidentified
from pipeline.plan import Plan
from pipeline.worker import Outcome


class ProgressReporter:
    """A line for every weight file, below a bar where there is a terminal to draw one on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._count = 0
        self._total = 0

    def __enter__(self) -> "ProgressReporter":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def planned(self, plan: Plan, unidentified: tuple[Unidentified, ...]) -> None:
        """Say what there is to do, and what cannot be done."""
        self._total = len(plan.units)
        there, megabytes = len(plan.finished), sum(unit.cost for unit in plan.units) / 1e6
        todo = f"{self._total} to do ({megabytes:.0f} MB)" if self._total else "nothing to do"
        files = len(plan.files) + len(unidentified)
        count = f"{files} weight file{'' if files == 1 else 's'}"
        self._console.print(f"{count}: {there} there already, {todo}", highlight=False)
        for row in unidentified:
            self._failed(row.file.name, str(row.error))
        if self._total:
            self._task = self._bar.add_task("spectra and metrics", total=self._total)
            self._bar.start()

    def finished(self, outcome: Outcome) -> None:
        """A line for the unit, and the bar one on."""
        self._count += 1
        name = outcome.unit.file.name
        place = f"[{self._count:>{len(str(self._total))}}/{self._total}]"
        if outcome.done:
            self._console.print(
                f"{place} {name:<24} {outcome.n_layers:>5} matrices {outcome.seconds:>7.1f} s",
                markup=False,
                highlight=False,
            )
        else:
            self._failed(f"{place} {name}", outcome.error or "failed")
        self._bar.advance(self._task)

    def _failed(self, name: str, error: str) -> None:
        self._console.print(f"{name} FAILED: {error}", style="red", markup=False, highlight=False)
