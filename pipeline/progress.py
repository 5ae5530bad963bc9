"""What a run shows while it works: a bar on a terminal, plain lines elsewhere."""

from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from catalogs import counted
from pipeline.damage import SUFFIX
from pipeline.identify import Unidentified
from pipeline.plan import Plan, Unit
from pipeline.worker import Outcome

_NAME_WIDTH = 28


class TimeLeft(ProgressColumn):
    """Time left, from all that was done so far: rich's own forgets what is older than half a minute."""

    def render(self, task: Task) -> Text:
        """The time left, unknown until a first file is done."""
        elapsed, finished_at = task.elapsed or 0.0, task.fields["finished_at"]
        if not task.completed or not task.total:
            return Text("-:--:-- left", style="progress.remaining")
        left = max(finished_at * task.total / task.completed - elapsed, 0.0)
        return Text(f"{timedelta(seconds=round(left))} left", style="progress.remaining")


class ProgressReporter:
    """A line for every weight file, below a bar where there is a terminal to draw one on.

    The bar tells how many files are done, the time gone by and the time left, which is reckoned by bytes as files
    differ in size, and the file that has been running longest: units are started in the order of the plan.
    """

    def __init__(self, console: Console, *, lines: bool = True) -> None:
        """Make a reporter.

        Args:
            console: Where it writes.
            lines: Whether what is done gets a line too; without, only failures do.
        """
        self._console = console
        self._lines = lines
        self._bar = Progress(
            TextColumn("{task.fields[place]}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeLeft(),
            TextColumn("{task.description}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._waiting: dict[str, Unit] = {}
        self._total = 0

    def __enter__(self) -> "ProgressReporter":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def planned(self, plan: Plan, unidentified: tuple[Unidentified, ...]) -> None:
        """Say what there is to do, and what cannot be done."""
        self._waiting = {unit.fit_id: unit for unit in plan.units}
        self._total = len(plan.units)
        if self._lines:
            self._console.print(_planned(plan, len(unidentified)), highlight=False)
        for note in plan.notes:
            self._noted(note)
        for damage in plan.damaged:
            self._noted(f"{damage.path} cannot be read ({damage.error}): set aside as {damage.path.name}{SUFFIX}")
        for row in unidentified:
            self._failed(row.file.name, str(row.error))
        if self._total:
            self._task = self._bar.add_task(
                self._running(), total=sum(map(_weight, plan.units)), place=f"0/{self._total}", finished_at=0.0
            )
            self._bar.start()

    def finished(self, outcome: Outcome) -> None:
        """A line for the unit, and the bar one on."""
        self._waiting.pop(outcome.unit.fit_id)
        count = self._total - len(self._waiting)
        name = outcome.unit.file.name
        place = f"[{count:>{len(str(self._total))}}/{self._total}]"
        for note in outcome.notes:
            self._noted(note)
        if not outcome.done:
            self._failed(f"{place} {name}" if self._lines else name, outcome.error or "failed")
        elif self._lines:
            matrices = "matrix" if outcome.n_layers == 1 else "matrices"
            self._console.print(
                f"{place} {name:<24} {outcome.n_layers:>5} {matrices:<8} {outcome.seconds:>7.1f} s",
                markup=False,
                highlight=False,
            )
        self._bar.update(
            self._task,
            advance=_weight(outcome.unit),
            place=f"{count}/{self._total}",
            finished_at=self._bar.tasks[0].elapsed,
            description=self._running(),
        )

    def _running(self) -> str:
        oldest = next(iter(self._waiting.values()), None)
        return oldest.file.name[:_NAME_WIDTH] if oldest else ""

    def _noted(self, note: str) -> None:
        self._console.print(note, style="yellow", markup=False, highlight=False)

    def _failed(self, name: str, error: str) -> None:
        told = f"{name} FAILED: {error}" if self._lines else f"Error: {name}: {error}"
        self._console.print(told, style="red", markup=False, highlight=False)


def _planned(plan: Plan, unidentified: int) -> str:
    """What there is to do, in a line; "nothing" only where nothing is wrong."""
    megabytes = sum(unit.cost for unit in plan.units) / 1e6
    told = [f"{len(plan.finished)} there already"]
    if plan.held_back:
        told.append(f"{len(plan.held_back)} failed before")
    if unidentified:
        told.append(f"{unidentified} cannot be had")
    if plan.units:
        told.append(f"{len(plan.units)} to do ({megabytes:.0f} MB)")
    elif len(told) == 1:
        told.append("nothing to do")
    return f"{counted(len(plan.files) + unidentified, 'weight file')}: {', '.join(told)}"


def _weight(unit: Unit) -> int:
    """What the bar moves by: bytes, or something where they are not known."""
    return max(unit.cost, 1)
