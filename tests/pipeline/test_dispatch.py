"""What the driver makes of what tasks tell, and of how they end: a cluster whose tasks follow a script.

What Ray itself does stands in `test_ray_faults`; here is what it does too seldom, or in too bad a moment, to wait for.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalogs import WeightFile
from pipeline.execution import dispatch
from pipeline.execution.attempt import outcome_of
from pipeline.execution.dispatch import Dispatch
from pipeline.execution.failures import TimeLimit
from pipeline.execution.job import Job, Outcome
from pipeline.execution.lost import Where
from pipeline.execution.schedule import TRIES, Cause, window
from pipeline.execution.watched import Stage
from pipeline.options import Options
from pipeline.planning.plan import Unit
from pipeline.store.folder import ResultsFolder

exceptions = pytest.importorskip("ray", reason="needs Ray").exceptions

NODE = "n" * 12
HERE = Where("host", NODE)
Told = Where | Stage | Outcome
Script = Callable[[int, tuple[Unit, ...]], Iterator[Told]]
"""What a task tells, by its number and its units; an exception ends it."""


def done(unit: Unit) -> Iterator[Told]:
    yield Stage.FETCHING
    yield Stage.COMPUTING
    yield Outcome(unit, True, 1.0)


def all_done(units: tuple[Unit, ...]) -> Iterator[Told]:
    yield HERE
    for unit in units:
        yield from done(unit)


@dataclass(eq=False)
class Ray:
    """As much of the module as the driver uses, of one node with one core."""

    script: Script
    given: list[list[str]] = field(default_factory=list)
    exceptions: Any = exceptions

    def remote(self, **options: Any) -> Callable[..., Any]:
        def start(works: Any, *rest: Any) -> Iterator[Told]:
            units = tuple(unit for unit, _ in works)
            self.given.append([unit.file.name for unit in units])
            return self.script(len(self.given) - 1, units)

        return lambda task: SimpleNamespace(options=lambda **options: SimpleNamespace(remote=start))

    def nodes(self) -> list[dict[str, Any]]:
        resources = {"CPU": 1.0, "memory": 1e10}
        return [{"NodeID": NODE * 2, "Alive": True, "NodeManagerHostname": "host", "Resources": resources}]

    def wait(self, streams: list[Any], num_returns: int, **options: Any) -> tuple[list[Any], list[Any]]:
        return streams[:num_returns], streams[num_returns:]

    def get(self, told: Told) -> Told:
        return told


@dataclass
class Ran:
    """What became of it all."""

    outcomes: dict[str, Outcome]
    given: list[list[str]]
    log: list[dict[str, Any]]


def run(tmp_path: Path, names: str, script: Script) -> Ran:
    folder = ResultsFolder(tmp_path / "r")
    folder.prepare()
    options = Options()
    job = Job(folder, tmp_path / "cache", options.config, options, "cpu")
    files = [
        WeightFile(model=f"path:/x/{name}", name=name, file=f"/x/{name}.pt", weights_sha256=name * 64, size=1000)
        for name in names
    ]
    units = [Unit(file, file.weights_sha256 or "", f"spectra-{file.name}", f"fit-{file.name}") for file in files]
    ray = Ray(script)
    outcomes = {
        outcome.unit.file.name: outcome for outcome in Dispatch(ray, lambda: None, units, job, patience=0.0).outcomes()
    }
    log = [row for path in (folder.root / "attempts").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    return Ran(outcomes, ray.given, sorted(log, key=lambda row: (row["file"], row["try_number"])))


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(dispatch, "PAUSE_SECONDS", 0.0)


NAMES = "abcdefghijklmnopqrst"


def test_after_a_time_limit_no_other_unit_of_the_bundle_is_blamed(tmp_path):
    def script(number: int, units: tuple[Unit, ...]) -> Iterator[Told]:
        if number:
            yield from all_done(units)
            return
        yield HERE
        yield Stage.COMPUTING
        yield outcome_of(units[0], TimeLimit("ran past"), 1.0)
        raise exceptions.WorkerCrashedError  # on purpose

    ran = run(tmp_path, NAMES, script)
    assert len(ran.given[0]) > 1
    assert ran.log == []  # the worker logs its own
    assert all(outcome.done for outcome in ran.outcomes.values())
    assert sorted(ran.outcomes) == list(NAMES)
    again = [name for given in ran.given for name in given]
    assert all(again.count(name) == 2 for name in ran.given[0])
    assert all([name] in ran.given for name in ran.given[0])  # each by itself


def test_a_task_that_dies_before_it_tells_where_costs_no_unit_a_try(tmp_path):
    def script(number: int, units: tuple[Unit, ...]) -> Iterator[Told]:
        if number < 3:
            raise exceptions.WorkerCrashedError
        yield from all_done(units)

    ran = run(tmp_path, NAMES, script)
    assert ran.log == []
    assert sorted(ran.outcomes) == list(NAMES)
    assert all(outcome.done for outcome in ran.outcomes.values())


def test_one_machine_on_which_tasks_die_at_their_start_charges_none_while_another_works(tmp_path):
    deaths = 2 * window(1)

    def script(number: int, units: tuple[Unit, ...]) -> Iterator[Told]:
        if number % 2 == 0 and number < 2 * deaths:
            raise exceptions.WorkerCrashedError
        yield from all_done(units)

    names = "".join(chr(ord("a") + number) for number in range(26)) + "0123456789ABCDEF"
    ran = run(tmp_path, names, script)
    assert ran.log == []
    assert len(ran.given) >= 2 * deaths
    assert sorted(ran.outcomes) == sorted(names)


def test_a_cluster_whose_tasks_all_die_at_their_start_is_not_tried_for_ever(tmp_path):
    def script(number: int, units: tuple[Unit, ...]) -> Iterator[Told]:
        assert number < 100
        raise exceptions.WorkerCrashedError
        yield

    ran = run(tmp_path, "ab", script)
    assert [row["try_number"] for row in ran.log] == [1, 2, 3] * 2
    assert len(ran.given) == window(1) + 2 * TRIES[Cause.LOST]
    assert {outcome.cause for outcome in ran.outcomes.values()} == {Cause.LOST}


def test_a_unit_whose_node_is_taken_away_is_tried_elsewhere(tmp_path):
    def script(number: int, units: tuple[Unit, ...]) -> Iterator[Told]:
        if number < 2 * TRIES[Cause.LOST]:
            yield HERE
            yield Stage.COMPUTING
            raise exceptions.NodeDiedError("its node was lost")
        yield from all_done(units)

    ran = run(tmp_path, "a", script)
    assert ran.outcomes["a"].done
    assert [row["error_type"] for row in ran.log] == ["LostNode"] * 2 * TRIES[Cause.LOST]
    assert ran.log[1]["error"].startswith("its machine host was lost in try 2, as spot instances are.")


def test_a_worker_that_dies_just_before_its_node_is_lost_with_it(tmp_path):
    elsewhere = replace(HERE, node="m" * 12)

    def script(number: int, units: tuple[Unit, ...]) -> Iterator[Told]:
        if number == 0:
            yield elsewhere
            yield Stage.COMPUTING
            raise exceptions.WorkerCrashedError
        yield from all_done(units)

    (row,) = run(tmp_path, "a", script).log
    assert (row["error_type"], row["node"]) == ("LostNode", "m" * 12)


def test_a_lost_try_is_logged_with_its_beginning_and_its_length(tmp_path):
    def script(number: int, units: tuple[Unit, ...]) -> Iterator[Told]:
        if number == 0:
            yield HERE
            time.sleep(0.3)  # the first unit's, which counts for no other
            yield from done(units[0])
            yield Stage.COMPUTING
            time.sleep(0.2)
            raise exceptions.WorkerCrashedError
        yield from all_done(units)

    before = datetime.now(UTC)
    (row,) = run(tmp_path, NAMES, script).log
    started = datetime.fromisoformat(row["started"])
    assert row["seconds"] >= 0.2
    assert before + timedelta(seconds=0.3) <= started
    assert started + timedelta(seconds=row["seconds"]) <= datetime.now(UTC)
