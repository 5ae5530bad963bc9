"""How long a run will take, what it is waiting for, and what it costs. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

RESULT_FILES = 3
"""Objects that a unit writes: spectra, metrics, and a row of the log."""

PRICE_OF_1000_WRITES = 0.005
"""What the large object stores take for 1,000 requests that write, in dollars: a rule of thumb, not a quotation."""

PRICE_OF_A_GIGABYTE_MONTH = 0.023
"""What they take for keeping 10^9 bytes for a month."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a forecast asks about a unit.

    Attributes:
        fetched: Bytes that come over the network; 0 where the file is there.
        seconds: Of one thread.
        memory: Anonymous bytes of the process at the peak.
        stored: Bytes of its results.
    """

    fetched: int
    seconds: float
    memory: int
    stored: int


@dataclass(frozen=True, slots=True)
class Workers:
    """What does the work.

    Attributes:
        count: Processes of one thread, each on a core of its own.
        network: Bytes a second at which weights come in, for all workers together.
        node_memory: Bytes of memory of the largest machine.
        hourly: What a worker costs in an hour; None where that does not matter.
    """

    count: int
    network: float
    node_memory: int
    hourly: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will take.

    Attributes:
        compute_seconds: Until the last worker is done, were all weights there.
        network_seconds: Until the last weights are there.
        seconds: Until the run is done, while workers compute and fetch at once.
        bottleneck: `network` or `compute`, whichever takes longer; `nothing` where there is nothing to do.
        busy: Share of the workers' time in which they compute.
        useful_workers: Workers, beyond which more would not make the run shorter.
        too_large: Places, in the order given, of the units that no machine can hold; they are in no other number.
        stored: Bytes of results.
        writes: Requests that write to object storage, were results kept there.
        worker_hours: Hours for which workers are there.
        price: What those cost, in the currency of `hourly`; None without it.
        storage_price: What the requests and a month of keeping results cost in object storage, in dollars.
    """

    compute_seconds: float
    network_seconds: float
    seconds: float
    bottleneck: str
    busy: float
    useful_workers: int
    too_large: tuple[int, ...]
    stored: int
    writes: int
    worker_hours: float
    price: float | None
    storage_price: float


def forecast(units: Sequence[Work], workers: Workers) -> Forecast:
    """Forecast a run: the longest units first, each worker fetching the next one while it computes.

    A run cannot be done before its slower half is, nor before any unit has been fetched and then computed; it is
    taken to be done then. Starting machines and Ray, requests that are waited for, and tries that fail are not in it.

    Args:
        units: What there is to do.
        workers: What does it.
    """
    too_large = tuple(place for place, unit in enumerate(units) if unit.memory > workers.node_memory)
    todo = [unit for unit in units if unit.memory <= workers.node_memory]
    total = sum(unit.seconds for unit in todo)
    compute = _longest_first([unit.seconds for unit in todo], workers.count)
    network = sum(unit.fetched for unit in todo) / workers.network
    chain = max((unit.fetched / workers.network + unit.seconds for unit in todo), default=0.0)
    seconds = max(compute, network, chain)
    longest = max((unit.seconds for unit in todo), default=0.0)
    floor = max(network, longest)
    hours = workers.count * seconds / 3600
    stored, writes = sum(unit.stored for unit in todo), RESULT_FILES * len(todo)
    return Forecast(
        compute_seconds=compute,
        network_seconds=network,
        seconds=seconds,
        bottleneck="nothing" if not todo else "network" if network > compute else "compute",
        busy=total / (workers.count * seconds) if seconds else 0.0,
        useful_workers=min(len(todo), max(1, -int(-total // floor))) if floor else len(todo),
        too_large=too_large,
        stored=stored,
        writes=writes,
        worker_hours=hours,
        price=None if workers.hourly is None else hours * workers.hourly,
        storage_price=writes / 1000 * PRICE_OF_1000_WRITES + stored / 1e9 * PRICE_OF_A_GIGABYTE_MONTH,
    )


def _longest_first(seconds: Sequence[float], count: int) -> float:
    """When the last of some workers is done, each taking the longest unit left when it is free (Graham 1969)."""
    free = [0.0] * min(count, max(1, len(seconds)))
    heapify(free)
    for each in sorted(seconds, reverse=True):
        heapreplace(free, free[0] + each)
    return max(free)
