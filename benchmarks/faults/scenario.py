"""One row of the table: a fault, how often it was injected, and what was left when the command had finished."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.audit import Reference, Verdict, audit, reference
from benchmarks.faults.command import Site
from benchmarks.faults.zoo import Zoo


class CannotBeTried(Exception):
    """This machine does not let the fault be injected."""


@dataclass(frozen=True, slots=True)
class Injected:
    """What a scenario has done.

    Attributes:
        times: How often the fault was injected.
        reasons: Weight files that can have no results by their sha256, each with a pattern of the true reason.
    """

    times: int
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault.

    Attributes:
        name: What the table calls it.
        inject: Starts runs, lets the fault happen, and runs the same command until it is done.
    """

    name: str
    inject: Callable[[Site], Injected]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table; seconds are wall-clock seconds of all runs."""

    fault: str
    injected: int
    verdict: Verdict
    seconds: float


def undisturbed(zoo: Zoo, home: Path) -> Reference:
    """The results of a run in one process that nothing happens to."""
    home.mkdir(parents=True)
    site = Site(zoo, home, str(home / "results"), ("--executor", "serial", "--device", "cpu"))
    running = site.start()
    status = running.end()
    assert status == 0, running.log.read_text()
    return reference(site.results)


def run_scenario(scenario: Scenario, zoo: Zoo, truth: Reference, home: Path) -> Row:
    """Run a scenario in a folder of its own, and look at what is left."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for repository in zoo.repositories:
        zoo.hub.repositories[repository].faults.clear()
    site = Site(zoo, home, str(home / "results"))
    start = time.monotonic()
    with site.closing:
        site.closing.callback(site.clear)
        injected = scenario.inject(site)
        seconds = time.monotonic() - start
        site.clear()
        verdict = audit(site.results, truth, injected.reasons)
    return Row(scenario.name, injected.times, verdict, seconds)
