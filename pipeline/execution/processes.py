"""The executor on the cores of this machine, without a cluster: a process a core.

The processes are interpreters of their own. Those of `multiprocessing` run the caller's script once more, so that a
script without a guard, or a notebook, could not call this; and one of them that dies takes all others along.
"""

import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

from pipeline.execution.failures import LostWorker
from pipeline.execution.job import Job, Outcome
from pipeline.execution.lost import failed_try
from pipeline.execution.schedule import Work
from pipeline.execution.watched import Stage, ran_past, time_limit
from pipeline.execution.worker import run_unit
from pipeline.planning.plan import Unit

_START = (
    "import sys; sys.path[:] = sys.argv[2:]; from pipeline.execution.processes import serve; serve(int(sys.argv[1]))"
)

_READY = "ready"

_LOOK_SECONDS = 1.0
"""How often it is looked whether a unit runs past its limit."""

_STOP_SECONDS = 5.0
"""How long a process may take to clear up behind itself before it is killed."""


def run_in_processes(units: Sequence[Unit], job: Job, *, cpus: int) -> Iterator[Outcome]:
    """Work on the units in parallel and yield each outcome as it comes.

    A unit whose process dies, or is killed as it ran past its time limit, is a failure with a row in the log, and costs
    the others nothing. Where the caller stops early, as an interrupt makes it do, the processes end at once and leave
    no half-written file.

    Args:
        units: In the order in which they are started.
        job: What they have in common.
        cpus: How many processes.
    """
    waiting = deque(units)
    busy: dict[Connection, _Worker] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < cpus:
                worker = _start()
                busy[worker.connection] = worker
                worker.take(waiting.popleft(), job)
            for ready in {*wait(list(busy), _LOOK_SECONDS), *_late(busy)}:
                assert isinstance(ready, Connection)
                worker = busy[ready]
                outcome = worker.told()
                if outcome == _READY:
                    worker.begins()
                    continue
                if outcome is None:
                    del busy[ready]
                    outcome = _lost(worker, job, worker.process.wait())
                elif waiting:
                    worker.take(waiting.popleft(), job)
                else:
                    del busy[ready]
                    worker.connection.close()  # it ends when it sees that
                    worker.process.wait()
                assert isinstance(outcome, Outcome)
                yield outcome
    finally:
        _stop(list(busy.values()))


def serve(descriptor: int) -> None:
    """What such a process does: take units, send back outcomes, until the other end is closed.

    Args:
        descriptor: File descriptor of its end of the connection.
    """
    signal.signal(signal.SIGTERM, _end)
    with Connection(descriptor) as connection, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(_READY)
        while True:
            unit, job = connection.recv()
            connection.send(run_unit(unit, job))


@dataclass(slots=True)
class _Worker:
    """A process, and the unit that it works on."""

    process: subprocess.Popen[bytes]
    connection: "Connection[Any, Any]"
    unit: Unit | None = None
    ready: bool = False
    started: float = 0.0
    limit: float = 0.0

    @property
    def is_late(self) -> bool:
        """Whether its unit ran past the time limit; loading the libraries does not count."""
        return self.ready and time.monotonic() - self.started > self.limit

    def begins(self) -> None:
        """It has loaded what it needs."""
        self.ready, self.started = True, time.monotonic()

    def take(self, unit: Unit, job: Job) -> None:
        self.unit, self.started, self.limit = unit, time.monotonic(), time_limit(Work(unit, 0.0, 0), job)
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died, which `told` will tell
            self.connection.send((unit, job))

    def told(self) -> Outcome | str | None:
        """What it sent back, or that it is ready; None if it has died."""
        try:
            told: Outcome | str = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return None
        return told


def _start() -> _Worker:
    here, there = Pipe()
    with there:
        process = subprocess.Popen(
            [sys.executable, "-c", _START, str(there.fileno()), *sys.path],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # standard output is the command's answer
            start_new_session=True,  # Ctrl-C is for the parent, which ends the others
        )
    return _Worker(process, here)


def _stop(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        try:
            worker.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.connection.close()


def _end(*_: object) -> None:
    raise SystemExit  # through the `finally` clauses, which remove what is half-written


def _late(busy: Mapping[Connection, _Worker]) -> list[Connection]:
    """Kill the processes whose units ran past their limits, and name them."""
    found = [connection for connection, worker in busy.items() if worker.is_late]
    for connection in found:
        busy[connection].process.kill()
    return found


def _lost(worker: _Worker, job: Job, status: int) -> Outcome:
    """A unit whose process died; the driver logs what it no longer could."""
    unit = worker.unit
    assert unit is not None
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    hint = ", as the system does where memory runs out" if status == -signal.SIGKILL else ""
    failure = LostWorker(f"its process {how}{hint}. Run the same command to try again.")
    if worker.is_late and status == -signal.SIGKILL:
        failure = ran_past(worker.limit, Stage.COMPUTING, socket.gethostname())
    return failed_try(Work(unit, 0.0, 0), failure, None, job, worker.started)
