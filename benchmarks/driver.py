"""The driver at 100,000 weight files, step by step: seconds, those of processors, and the memory that each step adds.

    python benchmarks/driver.py [--units 100000] [--stored 2000] [STEP ...]

Each step runs in a process of its own. Nothing is downloaded and no matrix is decomposed: what is timed is all that a
run does besides. The steps `damaged` and `open` work on a folder of real result files, each
of a content of its own, and take `--stored` of them.
"""

import argparse
import hashlib
import heapq
import io
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from rich.console import Console

from analysis.opening.results import open_results
from catalogs import CATALOG_SCHEMA, WeightFile, to_arrow
from pipeline.display.progress import ProgressReporter
from pipeline.display.run_events import RunEvents
from pipeline.execution.events import event, logging_to
from pipeline.execution.job import Outcome
from pipeline.execution.memory import PeakMemory
from pipeline.execution.schedule import Capacity, Cause, Schedule, Slots, Task, Work
from pipeline.options import Options
from pipeline.planning.plan import Plan, Unit, make_plan
from pipeline.store.folder import ResultsFolder
from pipeline.store.records import LAYERS_SCHEMA, SPECTRA_SCHEMA, AttemptRow, LayerRow, SpectrumRow, table_of

OPTIONS = Options()
LAYERS = 94
"""Rows of a file of metrics: matrices a model of timm has, 119,000 over 1,266."""


def main() -> None:
    """Run the steps, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--stored", type=int, default=2_000)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    for name in asked.steps or STEPS:
        if asked.here:
            STEPS[name](asked.stored if name in ("damaged", "open") else asked.units)
        else:
            words = [name, "--here", "--units", str(asked.units), "--stored", str(asked.stored)]
            subprocess.run([sys.executable, __file__, *words], check=True)


def plan(count: int) -> None:
    """Weight files of known content to units, largest first."""
    files = weight_files(count)
    with measured(f"plan: {count:,} files, none done"):
        planned = make_plan(files, OPTIONS, finished=(), failed=())
    assert len(planned.units) == count


def resume(count: int) -> None:
    """A folder with all spectra and all but ten metrics: list it, and plan what is left."""
    units = make_plan(weight_files(count), OPTIONS, finished=(), failed=()).units
    with tempfile.TemporaryDirectory() as place:
        folder = ResultsFolder(Path(place))
        folder.prepare()
        for stage, names in (("spectra", [u.spectra_id for u in units]), ("layers", [u.fit_id for u in units[10:]])):
            for name in names:
                (Path(place) / stage / "v1" / f"{name}.parquet").touch()
        with measured(f"resume: list {2 * count:,} names, plan {count:,} files"):
            planned = make_plan([unit.file for unit in units], OPTIONS, finished=folder.finished(), failed=())
    assert len(planned.units) == 10


def schedule(count: int) -> None:
    """The scheduler by a clock of its own: 400 slots, then 200, then 800; a try in a hundred comes to nothing."""
    chance = random.Random(7)
    works: list[Work[int]] = [
        Work(i, seconds=chance.lognormvariate(2.0, 1.2), memory=int(chance.lognormvariate(20.5, 0.8)))
        for i in range(count)
    ]
    whole = sum(work.seconds for work in works)
    with measured(f"schedule: {count:,} units, 400 then 200 then 800 slots, 1 % of tries fail"):
        made = Schedule(works)
        ended, tries, given_up, now, slots = 0, 0, 0, 0.0, 0.0
        at_hand: deque[Task[int]] = deque()
        running: list[tuple[float, int, Task[int]]] = []
        while made.busy:
            size = 400 if ended < count // 4 else 200 if ended < count // 2 else 800
            at_hand += made.take(Capacity(Slots(size, 64 * 2**30)), now)
            given_up += len(made.give_up(now))
            while at_hand and len(running) < size:
                task = at_hand.popleft()
                tries += len(task.works)
                heapq.heappush(running, (now + sum(work.seconds for work in task.works), tries, task))
            before = now
            if running:
                now, _, task = heapq.heappop(running)
                made.ended(task)
                for work in task.works:
                    if chance.random() < 0.01:
                        given_up += made.again(work, chance.choice([Cause.LOST, Cause.TRANSIENT]), now) is None
                    else:
                        ended += 1
            else:
                now += made.pause(now) or 1.0
            slots += (now - before) * size
    assert ended + given_up == count
    told(
        f"{tries:,} tries, {given_up} given up; {now / 3600:.1f} h of its clock, {whole / slots:.2f} of the slots' time"
    )


def report(count: int) -> None:
    """Outcomes through the events, the log of JSON lines, and the reporter's plain lines."""
    units = make_plan(weight_files(count), OPTIONS, finished=(), failed=()).units
    screen = Console(file=io.StringIO(), width=100_000)
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "run.jsonl"
        what = f"report: {count:,} outcomes, one in 500 failed"
        with measured(what), logging_to(log), ProgressReporter(screen) as reporter:
            reporter.planned(Plan(tuple(unit.file for unit in units), units, (), ()), ())
            for outcome in RunEvents().watched(outcomes(units)):
                reporter.finished(outcome)
        lines = screen.file.getvalue().count("\n") if isinstance(screen.file, io.StringIO) else 0
        told(f"{lines} lines on the screen, {log.stat().st_size / 1e6:.0f} MB of log")


def damaged(count: int) -> None:
    """What every run begins with: look for damaged files, and for units not to be tried again."""
    with stored(count) as folder:
        units = make_plan(folder.known(), OPTIONS, finished=(), failed=()).units
        with measured(f"damaged: the ends of {count:,} x (spectra, metrics, attempt)"):
            assert not folder.damaged()
        with measured(f"damaged: {count:,} spectra whose metrics are wanted, read whole"):
            assert not folder.damaged_spectra([unit.spectra_id for unit in units])
        with measured(f"failed for good: {count:,} attempts"):
            folder.permanently_failed()


def open_(count: int) -> None:
    """What `setol status` and `setol sql` begin with."""
    with stored(count) as folder:
        assert isinstance(folder.root, Path)
        with measured(f"open: {count:,} models, {LAYERS} layers each"):
            opened = open_results(folder.root)
        for query in ("FROM runs", "SELECT status, count(*) FROM models GROUP BY ALL", "FROM model_metrics"):
            with measured(f"  {query}"):
                rows = opened.sql(query)
        assert len(rows) >= count  # a row a model and metric


STEPS: dict[str, Callable[[int], None]] = {
    "plan": plan,
    "resume": resume,
    "schedule": schedule,
    "report": report,
    "damaged": damaged,
    "open": open_,
}


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Print the seconds of a block, those of processors in it, and the peak of RssAnon above what was held before."""
    with PeakMemory() as before:
        pass
    start, worked = time.perf_counter(), time.process_time()
    with PeakMemory() as during:
        yield
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    more = ((during.peak or 0) - (before.peak or 0)) / 2**20
    print(f"{what:<76} {seconds:>8.1f} s {worked:>8.1f} s of processors {more:>6.0f} MiB", flush=True)


def told(what: str) -> None:
    """Print a line below a measurement."""
    print(f"    {what}", flush=True)


def weight_files(count: int) -> list[WeightFile]:
    """Weight files that differ, sizes as they are on a hub: most small, few large."""
    chance = random.Random(5)
    return [
        WeightFile(
            model=f"hub:org{i % 997}/model-{i}@{i:040x}",
            name=f"model-{i}",
            file="model.safetensors",
            weights_sha256=hashlib.sha256(str(i).encode()).hexdigest(),
            size=int(chance.lognormvariate(19.0, 1.5)),
        )
        for i in range(count)
    ]


def attempt(unit: Unit, number: int) -> AttemptRow:
    """The row of a try that succeeded."""
    return AttemptRow(
        run="20260101T000000-000000",
        unit=unit.fit_id,
        try_number=1,
        model=unit.file.model,
        file=unit.file.file,
        weights_sha256=unit.weights_sha256,
        config=OPTIONS.config,
        host=f"worker-{number % 50}",
        cores=8,
        device="cpu",
        threads=1,
        started=f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000000+00:00",
        **{"seconds": 12.0, "seconds_fetch": 4.0, "seconds_wait": 1.0, "seconds_spectra": 6.5, "seconds_metrics": 0.5},
        **{"bytes": unit.file.size, "bytes_fetched": unit.file.size, "bytes_spectra": 300_000},
        peak_rss_anon=500_000_000,
        outcome="done",
        code_version="0",
    )


def outcomes(units: tuple[Unit, ...]) -> Iterator[Outcome]:
    """One for each unit, as executors yield them."""
    for number, unit in enumerate(units):
        event("unit_submitted", unit=unit.fit_id, model=unit.file.model, file=unit.file.file, try_number=1)
        row, done = attempt(unit, number), number % 500 != 0
        error = None if done else f"{unit.file.model}: the connection to the hub failed (ConnectError)."
        yield Outcome(unit, done, 12.0, LAYERS, error, transient=not done, attempt=replace(row, error=error))


@contextmanager
def stored(count: int) -> Iterator[ResultsFolder]:
    """A results folder of as many models, alike but for their names, and a row of the log for each."""
    files = weight_files(count)
    units = make_plan(files, OPTIONS, finished=(), failed=()).units
    with tempfile.TemporaryDirectory() as place:
        folder = ResultsFolder(Path(place))
        folder.prepare()
        folder.merge("catalog", to_arrow(files, CATALOG_SCHEMA), {file.model for file in files})
        planned = {"catalog": "benchmark", "planned": "2026-01-01T00:00:00.000000+00:00"}
        folder.save_options(OPTIONS.config, {**OPTIONS.content, **planned})
        spectra = table_of([_tensor(units[0], i) for i in range(LAYERS)], SPECTRA_SCHEMA)
        layers = table_of([_layer(units[0], i) for i in range(LAYERS)], LAYERS_SCHEMA)
        for number, unit in enumerate(units):
            folder.record(attempt(unit, number))
            folder.write_spectra(unit.spectra_id, _of(spectra, unit))
            folder.write_layers(unit.fit_id, _of(layers, unit))
        yield folder


def _of(table: pa.Table, unit: Unit) -> pa.Table:
    """The same rows, of another content."""
    place = table.schema.get_field_index("weights_sha256")
    return table.set_column(place, table.schema.field(place), [[unit.weights_sha256] * len(table)])


def _tensor(unit: Unit, number: int) -> SpectrumRow:
    return SpectrumRow(
        model=unit.file.model,
        file=unit.file.file,
        weights_sha256=unit.weights_sha256,
        tensor=f"blocks.{number}.weight",
        dtype="float32",
        shape=[64, 64],
        n_params=4096,
        role="analyzed",
        layer=f"blocks.{number}",
        kind="linear",
        **{"n_rows": 64, "n_cols": 64, "n_slices": 1, "rank": [64], "evals": [float(i) for i in range(1, 65)]},
    )


def _layer(unit: Unit, number: int) -> LayerRow:
    return LayerRow(
        model=unit.file.model,
        file=unit.file.file,
        weights_sha256=unit.weights_sha256,
        config=OPTIONS.config,
        row=number,
        tensor=f"blocks.{number}.weight",
        layer=f"blocks.{number}",
        part=None,
        kind="linear",
        **{"n_params": 4096, "n_rows": 64, "n_cols": 64, "n_slices": 1, "n_evals": 64},
        aspect_ratio=1.0,
        evals_factor=1.0,
        status="ok",
        **{"alpha": 3.0 + number / 100, "alpha_hat": 1.5, "lambda_min": 2.0, "lambda_max": 64.0, "n_tail": 60},
    )


if __name__ == "__main__":
    main()
