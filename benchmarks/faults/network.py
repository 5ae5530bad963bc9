"""A hub that answers late, refuses, or breaks off."""

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

from benchmarks.faults.command import Site
from benchmarks.faults.scenario import Injected
from tests.sources.hub_standin import Fault

BUSY = Fault("", status=429, headers=(("Retry-After", "1"),))
DOWN = Fault("", status=503)
TRUNCATED = Fault("blob", keep=0.5)
CUT = Fault("blob", keep=0.3, reset=True)


def hub_fault(*faults: Fault, share: int = 3) -> Callable[[Site], Injected]:
    """A scenario where every `share`-th model meets one of the faults, each in turn, once.

    A fault without a stage comes where a file lies and at its content, in turn. Pickles meet it in the list of files,
    which is not asked for where the first choice of a name is there.
    """

    def inject(site: Site) -> Injected:
        stages, hub = cycle(("resolve", "blob")), site.zoo.hub
        chosen = site.zoo.repositories[::share]
        for name, fault in zip(chosen, cycle(faults), strict=False):
            repository, stage = hub.repositories[name], fault.stage
            if name in site.zoo.on_the_web:
                stage = "blob"
            elif not stage:
                stage = "info" if "pytorch_model.bin" in repository.files else next(stages)
            repository.faults.append(replace(fault, stage=stage))
        site.finish()
        return Injected(sum(not hub.repositories[name].faults for name in chosen))

    return inject


def hub_slow(site: Site, seconds: float = 0.5) -> Injected:
    """Every answer comes late."""
    hub = site.zoo.hub
    before, usual = len(hub.seen), hub.delay
    hub.delay = seconds
    try:
        site.finish()
    finally:
        hub.delay = usual
    return Injected(len(hub.seen) - before)
