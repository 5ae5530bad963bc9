"""What is started next, on what kind of slot, and what is tried again. Decisions alone: no cluster, no clock. Pure."""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar

U = TypeVar("U")

BUNDLE_SECONDS = 30.0
"""Small units are put into one task up to this, by their estimates."""

LONGEST_ON_CPU = 1800.0
"""Seconds of one thread above which a unit is left to the GPUs, where there are any."""

SPARE = 4
"""Tasks beyond those that can run: the next ones at hand, and what an autoscaler sees waiting."""

PAUSE_SECONDS = 10.0
"""How long what the network or a disk spoiled rests before its second try; twice that before its third."""


class Lane(StrEnum):
    """A kind of slot."""

    CPU = "cpu"
    GPU = "gpu"


class Cause(StrEnum):
    """Why a try came to nothing, where another may not."""

    LOST = "lost"
    NODE = "node"
    MEMORY = "memory"
    TIME = "time"
    TRANSIENT = "transient"


TRIES = {Cause.LOST: 3, Cause.NODE: 10, Cause.MEMORY: 2, Cause.TIME: 2, Cause.TRANSIENT: 3}
"""How many tries a unit has, by what became of the last one. Those that went with their node count apart from others:
spot instances are taken away whatever they work on."""


@dataclass(frozen=True, slots=True)
class Work(Generic[U]):
    """A unit to work on.

    Attributes:
        unit: What it is; nothing is asked of it here.
        seconds: Of one thread, estimated.
        memory: Bytes that it needs, estimated.
        exact: Whether that is what it needs, and not a bound far above; then it is tried on the largest node there is.
        tries: Tries that came to nothing.
        nodes_lost: Those among them that went with their node.
    """

    unit: U
    seconds: float
    memory: int
    exact: bool = True
    tries: int = 0
    nodes_lost: int = 0


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of a lane, at a moment: how many, and the bytes of the largest node with such a slot."""

    count: int
    memory: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a cluster has at a moment; None for a lane that is not to be used."""

    cpu: Slots | None
    gpu: Slots | None = None

    @property
    def lanes(self) -> dict[Lane, Slots]:
        """The lanes in use, that which takes the largest units first."""
        found = {Lane.GPU: self.gpu, Lane.CPU: self.cpu}
        return {lane: slots for lane, slots in found.items() if slots is not None}

    @property
    def has_gpus(self) -> bool:
        """Whether a GPU is there now."""
        return self.gpu is not None and self.gpu.count > 0

    @property
    def slots(self) -> int:
        """Slots of all lanes, at least one."""
        return max(sum(slots.count for slots in self.lanes.values()), 1)

    @property
    def memory(self) -> int:
        """Bytes of the largest node."""
        return max((slots.memory for slots in self.lanes.values()), default=0)

    def holds(self, memory: int, lane: Lane) -> bool:
        """Whether a node of that lane could ever hold as much. Nothing is known of a lane without nodes."""
        slots = self.lanes.get(lane)
        return slots is not None and (slots.count == 0 or memory <= slots.memory)


@dataclass(frozen=True, slots=True)
class Task(Generic[U]):
    """Units that are started together, to be worked on one after the other."""

    works: tuple[Work[U], ...]
    lane: Lane

    @property
    def memory(self) -> int:
        """Bytes to be set aside for it."""
        return max(work.memory for work in self.works)


@dataclass(slots=True)
class _Waiting(Generic[U]):
    """Works by what they wait for."""

    ordered: deque[Work[U]]
    seconds: float
    again: list[tuple[float, int, Work[U]]] = field(default_factory=list)
    only: dict[Lane, list[Work[U]]] = field(default_factory=lambda: {lane: [] for lane in Lane})
    too_large: list[Work[U]] = field(default_factory=list)


class Schedule(Generic[U]):
    """Largest first, two tasks a slot and some spare ones; the driver tells it what happens and when.

    Where there are GPUs, they take the units from the large end and CPUs from the small end, until they meet; without,
    CPUs take the largest first. Each unit is looked at a fixed number of times, so that n of them cost O(n log n) for
    the order, and nothing is kept about those that are done.
    """

    def __init__(self, works: Iterable[Work[U]], *, patience: float = 0.0) -> None:
        """Make a schedule.

        Args:
            works: In any order.
            patience: Seconds without a change of the cluster, after which a unit that no node holds is given up.
        """
        ordered = deque(sorted(works, key=lambda work: -work.seconds))
        self._waiting = _Waiting(ordered, sum(work.seconds for work in ordered))
        self._in_flight = dict.fromkeys(Lane, 0)
        self._patience = patience
        self._capacity: Capacity | None = None
        self._changed = 0.0
        self._count = 0

    @property
    def busy(self) -> bool:
        """Whether anything runs, waits, or may yet be tried again."""
        waiting = self._waiting
        queues = (waiting.ordered, waiting.again, waiting.too_large, *waiting.only.values())
        return any(queues) or any(self._in_flight.values())

    def take(self, capacity: Capacity, now: float) -> list[Task[U]]:
        """The tasks to be started now; they count as running until `ended`.

        Args:
            capacity: What the cluster has now.
            now: Seconds of any clock that does not go back.
        """
        if capacity != self._capacity:
            self._capacity, self._changed = capacity, now
            again = [*self._waiting.too_large, *self._waiting.only[Lane.CPU], *self._waiting.only[Lane.GPU]]
            self._waiting.too_large = []
            self._waiting.only = {lane: [] for lane in Lane}
            self.put_back(again, now)
        tasks = []
        for lane, slots in capacity.lanes.items():
            while self._in_flight[lane] < window(slots.count) and (task := self._next(lane, capacity, now)):
                self._in_flight[lane] += 1
                tasks.append(task)
        return tasks

    def ended(self, task: Task[U]) -> None:
        """A task is over, whatever became of its units."""
        self._in_flight[task.lane] -= 1

    def again(self, work: Work[U], cause: Cause, now: float) -> Work[U] | None:
        """Try a unit again, unless it has had its tries.

        What died of memory, or of nobody knows what, gets twice the memory, or a node for itself.

        Args:
            work: What was tried.
            cause: Why that came to nothing.
            now: As in `take`.

        Returns:
            What will be tried, None if nothing will.
        """
        nodes_lost = work.nodes_lost + (cause is Cause.NODE)
        counted = nodes_lost if cause is Cause.NODE else work.tries + 1 - nodes_lost
        largest = self._capacity.memory if self._capacity else 0
        if counted >= TRIES[cause] or (cause is Cause.MEMORY and work.memory >= largest):
            return None
        memory = work.memory
        if cause in (Cause.LOST, Cause.MEMORY):
            memory = max(memory, min(2 * memory, largest))
        work = replace(work, tries=work.tries + 1, nodes_lost=nodes_lost, memory=memory)
        self._wait(work, now + (PAUSE_SECONDS * counted if cause is Cause.TRANSIENT else 0.0))
        return work

    def put_back(self, works: Sequence[Work[U]], now: float) -> None:
        """Take back units that were not tried, to start each by itself, from that moment on."""
        for work in works:
            self._wait(work, now)

    def give_up(self, now: float) -> list[Work[U]]:
        """The units that no node holds, once the cluster has not changed for the time of patience."""
        if now - self._changed < self._patience:
            return []
        found, self._waiting.too_large = self._waiting.too_large, []
        return found

    @property
    def wanted(self) -> int:
        """Bytes of memory that no node has, and that the units which wait for it could do with."""
        return max((work.memory for work in self._waiting.too_large), default=0)

    def pause(self, now: float) -> float | None:
        """Seconds until something that rests is due; None where nothing rests.

        What is due and was not taken waits for room, which no time brings.
        """
        rests = [due for due, *_ in self._waiting.again[:1] if due > now]
        return rests[0] - now if rests else None

    def _wait(self, work: Work[U], due: float) -> None:
        self._count += 1
        heapq.heappush(self._waiting.again, (due, self._count, work))

    def _next(self, lane: Lane, capacity: Capacity, now: float) -> Task[U] | None:
        """The next task of a lane, if there is one for it."""
        while (work := self._single(lane, capacity, now)) is not None:
            if (placed := self._placed(work, lane, capacity)) is not None:
                return Task((placed,), lane)
        ordered = self._waiting.ordered
        small_end = lane is Lane.CPU and capacity.has_gpus
        bundle: list[Work[U]] = []
        seconds, share = 0.0, self._waiting.seconds / (4 * capacity.slots)
        while ordered:
            work = ordered[-1 if small_end else 0]
            if bundle and seconds + work.seconds > min(BUNDLE_SECONDS, share):
                break
            if lane is Lane.CPU and _left_to_gpus(work, capacity):
                break
            ordered.pop() if small_end else ordered.popleft()
            self._waiting.seconds -= work.seconds
            if (placed := self._placed(work, lane, capacity)) is not None:
                bundle.append(placed)
                seconds += work.seconds
        return Task(tuple(bundle), lane) if bundle else None

    def _single(self, lane: Lane, capacity: Capacity, now: float) -> Work[U] | None:
        """What is started by itself and before the others: for this lane alone, or to be tried again."""
        if self._waiting.only[lane]:
            return self._waiting.only[lane].pop()
        again = self._waiting.again
        while again and again[0][0] <= now:
            work = heapq.heappop(again)[2]
            if lane is Lane.GPU or not _left_to_gpus(work, capacity):
                return work
            self._waiting.only[Lane.GPU].append(work)
        return None

    def _placed(self, work: Work[U], lane: Lane, capacity: Capacity) -> Work[U] | None:
        """A unit that a lane can hold; None if it cannot, and the unit is put where it waits for one that does."""
        if not work.exact:
            work = replace(work, memory=min(work.memory, capacity.memory or work.memory))
        if capacity.holds(work.memory, lane):
            return work
        for other in capacity.lanes:
            if capacity.holds(work.memory, other):
                self._waiting.only[other].append(work)
                return None
        self._waiting.too_large.append(work)
        return None


def _left_to_gpus(work: Work[U], capacity: Capacity) -> bool:
    """Whether a unit is too long for a CPU, and there is a GPU that it can go to."""
    return work.seconds > LONGEST_ON_CPU and capacity.has_gpus and capacity.holds(work.memory, Lane.GPU)


def window(slots: int) -> int:
    """How many tasks are handed to a cluster at a time: two run on a slot, two are at hand, and some are spare."""
    return 4 * slots + SPARE
