"""`setol run` as a user starts it, in a session of its own, and what can be done to it from outside."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.zoo import Zoo

ROOT = Path(__file__).resolve().parents[2]
ON_RAY = ("--executor", "ray", "--cpus", "2", "--device", "cpu")
LONGEST = 240.0
"""Seconds after which a run is taken to hang."""


@dataclass(slots=True)
class Running:
    """A run that has been started.

    Attributes:
        process: The driver; all that it starts is in its session.
        log: What it prints.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def end(self, seconds: float = LONGEST) -> int:
        """Wait for the end and return the exit status.

        Raises:
            TimeoutError: There was none; the run was killed.
        """
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.clear()
            raise TimeoutError(f"no end after {seconds:.0f} s; the log ends: {self.log.read_text()[-300:]}") from None

    def wait_until(self, there: Callable[[], bool]) -> bool:
        """Wait for something to happen; False if the run ended before."""
        deadline = time.monotonic() + LONGEST
        while not there():
            if self.process.poll() is not None:
                return there()
            if time.monotonic() > deadline:
                self.clear()
                raise TimeoutError(f"waited {LONGEST:.0f} s; the log ends: {self.log.read_text()[-300:]}")
            time.sleep(0.02)
        return True

    def wait_for(self, count: Callable[[], int], least: int) -> bool:
        """Wait until something is counted often enough; False if the run ended before."""
        return self.wait_until(lambda: count() >= least)

    def workers(self) -> list[int]:
        """Processes of Ray that work on something: it names them after the function."""
        return [pid for pid, line in self._processes() if line.startswith(b"ray::run")]

    def kill(self) -> None:
        """Kill the driver, and nothing else."""
        self.process.kill()
        self.process.wait()

    def clear(self) -> None:
        """Kill whatever is left of the session."""
        for pid, _ in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def failed(self) -> int:
        """How many models its last line says have failed."""
        found = re.findall(r"(\d+) failed", self.log.read_text())
        return int(found[-1]) if found else 0

    def _processes(self) -> Iterator[tuple[int, bytes]]:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    if os.getsid(int(entry.name)) == self.process.pid:
                        yield int(entry.name), (entry / "cmdline").read_bytes()


@dataclass(slots=True)
class Site:
    """Where one fault is tried: a results folder, caches of its own, and how runs are started.

    Attributes:
        zoo: What there is to compute.
        home: A folder for logs and caches; the results are below it unless they are elsewhere.
        results: Path or URL of the results folder.
        options: How to run.
        environment: Variables beside those that every run gets.
        started: The runs so far.
        here: Where the files of results are on this machine, wherever they are for the runs.
        closing: What is undone when the results have been looked at.
    """

    zoo: Zoo
    home: Path
    results: str
    options: tuple[str, ...] = ON_RAY
    environment: dict[str, str] = field(default_factory=dict)
    started: list[Running] = field(default_factory=list)
    here: Path = Path()
    closing: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.here = Path(self.results)

    def layers_there(self) -> int:
        """How many weight files have metrics."""
        return len(list((self.here / "layers" / "v1").glob("*.parquet")))

    def all_variables(self) -> dict[str, str]:
        """The environment of runs: the zoo's hub, and caches of this site."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "RAY_"))}
        ours = {
            "HF_ENDPOINT": self.zoo.hub.endpoint,
            "HF_HOME": str(self.home / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "SETOL_CACHE": str(self.home / "cache"),
            "NO_PROXY": "127.0.0.1",
        }
        return {**kept, **ours, **self.environment}

    def start(self, catalog: Path | None = None, *options: str) -> Running:
        """Start `setol run` with the whole catalog, unless told another."""
        log = self.home / f"run{len(self.started)}.log"
        arguments = ["run", "--catalog", str(catalog or self.zoo.catalog), "--results", self.results]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "setol_zoo.cli", *arguments, *self.options, *options],
                cwd=ROOT,
                env=self.all_variables(),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(Running(process, log))
        return self.started[-1]

    def finish(self, catalog: Path | None = None) -> int:
        """The same command again, as a user would: until it says that all is done, three times at most."""
        status = self.start(catalog).end()
        for _ in range(2):
            if status == 0:
                break
            status = self.start(catalog).end()
        return status

    def clear(self) -> None:
        """Kill what is left of all runs."""
        for running in self.started:
            running.clear()
