"""Turns between processes, and units that run past their time limit."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalogs.paths import catalog_of_paths
from pipeline.drive import RunRequest, drive, prepare
from pipeline.execution import making, turns
from pipeline.execution.job import Job, Outcome
from pipeline.execution.processes import run_in_processes
from pipeline.execution.schedule import Cause, Work
from pipeline.execution.turns import Turns
from pipeline.execution.watched import LEAST_SECONDS, LONGEST_SECONDS, Stage, Watch, run_watched, time_limit
from pipeline.execution.worker import run_unit
from pipeline.options import MetricOptions, Options, SpectrumOptions
from pipeline.planning.plan import Unit
from pipeline.store.folder import ResultsFolder
from pipeline.store.records import AttemptRow
from tests.conftest import Silent
from tests.random_models import write_models


def test_no_more_than_the_permits_hold_a_turn_and_all_are_used(tmp_path):
    turns, now, most, lock = Turns(tmp_path / "locks", "cpu", 2), 0, 0, threading.Lock()

    def work() -> None:
        nonlocal now, most
        with turns.turn():
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.1)
            with lock:
                now -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (now, most) == (0, 2)


def test_of_those_who_wait_one_looks_for_a_permit(tmp_path, monkeypatch):
    """Each look is at every permit: were all to look, waiting would take a fifth of each of 64 cores."""
    looking: list[threading.Thread] = []
    found = turns._first_free

    def look(locks):
        looking.append(threading.current_thread())
        return found(locks)

    some = Turns(tmp_path, "cpu", 8)
    done = threading.Semaphore(0)

    def wait() -> None:
        with some.turn():
            done.release()

    with ExitStack() as all_permits:
        for _ in range(8):
            all_permits.enter_context(some.turn())
        monkeypatch.setattr(turns, "_first_free", look)
        threads = [threading.Thread(target=wait) for _ in range(12)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        assert len(looking) > 5
        assert len(set(looking)) == 1
    assert all(done.acquire(timeout=30) for _ in threads)
    for thread in threads:
        thread.join(30)


def test_a_killed_process_gives_its_turn_back(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from pipeline.execution.turns import Turns\n"
        "with Turns(Path(sys.argv[1]), 'cpu', 1).turn(): print('held', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    turned = threading.Event()

    def wait() -> None:
        with Turns(tmp_path, "cpu", 1).turn():
            turned.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not turned.wait(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert turned.wait(30)
    thread.join(30)


@pytest.fixture
def planned(tmp_path) -> tuple[tuple[Unit, ...], Job]:
    paths = write_models(tmp_path, 3, layers=1, size=80, seed=5)
    folder = ResultsFolder(tmp_path / "r")
    options = Options()
    request = RunRequest(catalog_of_paths(list(map(str, paths))), folder, tmp_path / "cache", options, device="cpu")
    folder.prepare()
    return prepare(request)[0].units, Job(folder, tmp_path / "cache", options.config, options, "cpu")


def test_what_a_unit_is_at_is_told_and_its_outcome(planned):
    (unit, *_), job = planned
    *stages, outcome = run_watched(unit, job, nullcontext, Watch(60.0, try_number=2, node="n1"))
    assert stages == [Stage.FETCHING, Stage.WAITING, Stage.COMPUTING]
    assert isinstance(outcome, Outcome)
    assert outcome.done
    assert outcome.attempt is not None
    assert (outcome.attempt.try_number, outcome.attempt.node) == (2, "n1")


def test_computing_waits_until_it_is_known(planned, monkeypatch):
    """Code that keeps Python from running would keep it from being told, too."""
    (unit, *_), job = planned
    heard: list[object] = []
    at_first = []
    real = making.open_checkpoint

    def opened(path: Path) -> object:
        at_first.extend(heard)
        return real(path)

    monkeypatch.setattr(making, "open_checkpoint", opened)
    for told in run_watched(unit, job, nullcontext, Watch(60.0)):
        time.sleep(0.3)
        heard.append(told)
    assert heard[-1].done
    assert at_first == [Stage.FETCHING, Stage.WAITING, Stage.COMPUTING]


def test_a_unit_that_hangs_is_stopped_and_told(planned, monkeypatch):
    (unit, *_), job = planned
    release = threading.Event()
    monkeypatch.setattr(making, "open_checkpoint", lambda path: release.wait(60))
    *stages, outcome = run_watched(unit, job, nullcontext, Watch(0.3))
    release.set()
    assert stages[-1] is Stage.COMPUTING
    assert outcome.cause is Cause.TIME
    assert outcome.transient
    assert "ran past its time limit: 0 s of computing on" in outcome.error
    (path,) = (job.folder.root / "attempts").glob("*.parquet")
    (row,) = pq.read_table(path).to_pylist()
    assert (row["error_type"], row["transient"], row["unit"]) == ("TimeLimit", True, unit.fit_id)


def test_waiting_for_others_is_not_limited(planned):
    (unit, *_), job = planned
    busy = threading.Lock()
    with busy:
        told = run_watched(unit, job, lambda: busy, Watch(0.5))
        assert next(told) is Stage.FETCHING
        assert next(told) is Stage.WAITING
        waiting = threading.Thread(target=lambda: rest.extend(told))
        rest: list = []
        waiting.start()
        time.sleep(1.0)
    waiting.join(60)
    assert rest[0] is Stage.COMPUTING
    assert rest[-1].done


def test_the_limit_grows_with_what_is_asked_for(planned):
    (unit, *_), job = planned
    options = Options(SpectrumOptions(permutations=4), MetricOptions(bootstrap=5))
    assert time_limit(Work(unit, 1.0, 0), job) == LEAST_SECONDS
    assert time_limit(Work(unit, 1e4, 0), job) == 2e5
    assert time_limit(Work(unit, 1.0, 0), replace(job, options=options)) == 10 * LEAST_SECONDS
    assert time_limit(Work(unit, 1e4, 0), replace(job, time_limit=7.0)) == 7.0
    many = Options(SpectrumOptions(), MetricOptions(bootstrap=10_000_000))
    assert time_limit(Work(unit, 1.0, 0), replace(job, options=many)) == LONGEST_SECONDS


def test_the_longest_limit_is_one_that_timers_take(planned):
    (unit, *_), job = planned
    *_, outcome = run_watched(unit, job, nullcontext, Watch(LONGEST_SECONDS))
    assert isinstance(outcome, Outcome)
    assert outcome.done


def test_a_process_whose_unit_runs_past_its_limit_is_killed_and_the_others_are_done(planned):
    """A fifo hangs whoever reads it."""
    units, job = planned
    path = Path(units[1].file.file)
    path.unlink()
    os.mkfifo(path)
    outcomes = {}
    limited = replace(job, time_limit=5.0)
    for outcome in run_in_processes(units, limited, cpus=2):
        outcomes[outcome.unit.fit_id] = outcome
    assert [outcomes[unit.fit_id].done for unit in units] == [True, False, True]
    late = outcomes[units[1].fit_id]
    assert late.cause is Cause.TIME
    assert "ran past its time limit: 5 s" in late.error
    assert late.attempt is not None
    assert late.attempt.seconds is not None
    assert 5.0 <= late.attempt.seconds < 60.0
    logged = datetime.fromisoformat(late.attempt.started) + timedelta(seconds=late.attempt.seconds)
    assert abs((datetime.now(UTC) - logged).total_seconds()) < 60.0


def test_a_disk_too_full_for_the_log_does_not_end_the_others(planned, monkeypatch):
    units, job = planned
    path = Path(units[0].file.file)
    path.unlink()
    os.mkfifo(path)

    def full(folder: ResultsFolder, attempt: AttemptRow) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ResultsFolder, "record", full)  # of this process: the driver's disk is the full one
    outcomes = list(run_in_processes(units, replace(job, time_limit=5.0), cpus=2))
    assert [outcome.done for outcome in outcomes].count(True) == 2
    (lost,) = (outcome for outcome in outcomes if not outcome.done)
    assert lost.cause is Cause.TIME


def test_a_unit_out_of_memory_is_transient(planned, monkeypatch):
    (unit, *_), job = planned

    def exhaust(path):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(making, "open_checkpoint", exhaust)
    outcome = run_unit(unit, job)
    assert (outcome.cause, outcome.transient) == (Cause.MEMORY, True)


def test_the_command_in_one_process_has_no_cause_where_weights_are_to_blame(planned, tmp_path):
    units, _ = planned
    Path(units[0].file.file).write_bytes(b"no weights")
    request = RunRequest(
        catalog_of_paths([unit.file.file for unit in units]), ResultsFolder(tmp_path / "r2"), tmp_path, Options()
    )
    reporter = Silent()
    drive(replace(request, device="cpu"), partial(run_in_processes, cpus=1), reporter)
    causes = [outcome.cause for outcome in reporter.outcomes if not outcome.done]
    assert causes == [None]
