"""Processes that die: workers, the driver, a node; and two drivers at once."""

import os
import random
import signal
import time
from contextlib import suppress

from benchmarks.faults.command import Site
from benchmarks.faults.scenario import Injected


def worker_killed(site: Site, times: int = 5) -> Injected:
    """A worker gets SIGKILL, again and again, whenever some more results are there."""
    chance = random.Random(1)
    running = site.start()
    killed = 0
    for turn in range(times):
        wanted = 1 + turn * site.zoo.count // (times + 1)
        if not running.wait_for(site.layers_there, wanted) or not running.wait_until(lambda: bool(running.workers())):
            break
        with suppress(ProcessLookupError, IndexError):
            os.kill(chance.choice(running.workers()), signal.SIGKILL)
            killed += 1
    if running.end() != 0:
        site.finish()
    return Injected(killed)


def driver_killed(site: Site, times: int = 10) -> Injected:
    """The driver gets SIGKILL at random moments: before, in and after the work; then it may finish."""
    chance = random.Random(2)
    killed = 0
    for _ in range(times):
        before = site.layers_there()
        running = site.start()
        # Half of the times at any moment, planning and Ray's start included; else some results after it began.
        if chance.random() < 0.5:
            time.sleep(chance.uniform(0.0, 10.0))
        else:
            some = before + chance.randrange(1, 8)
            running.wait_for(site.layers_there, some)
        if running.process.poll() is None:
            running.kill()
            killed += 1
    site.finish()
    return Injected(killed)


def two_drivers(site: Site) -> Injected:
    """Two runs of one catalog into one folder, at the same time."""
    runs = [site.start() for _ in range(2)]
    statuses = [running.end() for running in runs]
    if any(statuses):
        site.finish()
    return Injected(1)


def two_catalogs(site: Site) -> Injected:
    """Two runs of catalogs that have some models in common into one folder, at the same time."""
    runs = [site.start(half) for half in site.zoo.halves]
    for running, half in zip(runs, site.zoo.halves, strict=True):
        if running.end() != 0:
            site.finish(half)
    return Injected(1)
