"""Hands out units to a Ray cluster, listens to the tasks, and decides what stands.

A task a weight file, or a bundle of small ones, and a bounded window of them, so that memory stays flat however many
units there are; the window is sized anew each time from what the cluster has at that moment. What is tried again is
decided here (`pipeline.execution.schedule`) and not by Ray, which does not count in the log.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.code_version import code_version
from pipeline.errors import NodeError, OptionError
from pipeline.execution.capacity import capacity_of
from pipeline.execution.events import event
from pipeline.execution.failures import LostWorker, TimeLimit
from pipeline.execution.job import Job, Outcome
from pipeline.execution.lost import Where, died, failed_try, node_lost, out_of_memory, too_large
from pipeline.execution.nodes import ANSWER_SECONDS, NodeCheck
from pipeline.execution.schedule import PAUSE_SECONDS, Capacity, Cause, Lane, Schedule, Task, Work, window
from pipeline.execution.watched import Stage, Watch, ran_past, time_limit
from pipeline.planning.plan import Unit
from pipeline.planning.unit_cost import unit_cost

LOOK_SECONDS = 1.0
"""How often it is looked which nodes there are."""

SILENCE_SECONDS = 120.0
"""How long after a unit's time limit a node that is not heard of is waited for."""


@dataclass(slots=True)
class _Running:
    """A task that was handed to the cluster: how many of its units have ended, and what was heard of it last.

    `began` is when the unit that it is at began.
    """

    task: Task[Unit]
    ended: int = 0
    began: float | None = None
    where: Where | None = None
    stage: Stage | None = None
    since: float = 0.0

    @property
    def rest(self) -> tuple[Work[Unit], ...]:
        return self.task.works[self.ended :]


class Dispatch:
    """Hands out tasks, listens to them, and logs what a worker no longer could."""

    def __init__(self, ray: Any, task: Callable[..., Any], units: Sequence[Unit], job: Job, *, patience: float) -> None:
        """Make ready to hand out units.

        Args:
            ray: The module, connected to a cluster.
            task: A generator function of units and what their tries are told, the job, and whether GPUs are used too;
                it yields where it runs, what each unit is at, and each outcome.
            units: In any order.
            job: What they have in common.
            patience: Seconds that a cluster may take to bring a node that is needed; 0 for a Ray of this machine alone,
                which has the driver's code and folder.
        """
        self._ray = ray
        self._job = replace(job, code=code_version()) if patience else job
        self._patience = patience
        self._schedule: Schedule[Unit] = Schedule((_work(unit, job) for unit in units), patience=patience)
        self._task = ray.remote(max_retries=0, num_returns="streaming", scheduling_strategy="SPREAD")(task)
        self._running: dict[Any, _Running] = {}
        self._nodes: dict[str, str] = {}
        self._capacity = Capacity(None)
        self._looked = self._changed = -float("inf")
        self._wish: Any = None
        self._unheard = 0
        root = job.folder.root if isinstance(job.folder.root, Path) else None
        self._check = NodeCheck(ray, root) if patience else None  # a Ray started here is this machine

    def outcomes(self) -> Iterator[Outcome]:
        """An outcome for each unit, as it comes."""
        self._look(time.monotonic())
        while self._schedule.busy:
            now = time.monotonic()
            if now - self._looked >= LOOK_SECONDS:
                self._look(now)
                yield from self._overdue(now)
            for task in self._schedule.take(self._capacity, now):
                self._submit(task)
            for work in self._schedule.give_up(now):
                yield failed_try(work, too_large(work, self._capacity.memory), None, self._job)
            self._make_a_wish()
            for stream in self._ready(now):
                if (outcome := self._listen(stream)) is not None:
                    yield outcome

    def _look(self, now: float) -> None:
        """See which nodes there are, and what they have."""
        job, first = self._job, self._looked < 0
        self._looked = now
        if self._check is not None:
            self._check.check(ANSWER_SECONDS if first else 0.0)
        found = self._ray.nodes()
        nodes = {each["NodeID"][:12]: each["NodeManagerHostname"] for each in found if each["Alive"]}
        for name in nodes.keys() - self._nodes.keys():
            event("node_joined", node=name, host=nodes[name])
        for name in self._nodes.keys() - nodes.keys():
            event("node_lost", node=name, host=self._nodes[name])
        capacity = capacity_of(found, job.device, job.threads)
        if first or nodes != self._nodes or capacity != self._capacity:
            self._nodes, self._capacity, self._changed = nodes, capacity, now
            event("capacity", nodes=len(nodes), slots=sum(each.count for each in capacity.lanes.values()))
        if job.device == "cuda" and not capacity.has_gpus and now - self._changed >= self._patience:
            raise OptionError(
                f"need a GPU in the Ray cluster for --device {job.device}; its machines have none now. Start one with "
                "a GPU, or take --device auto."
            )

    def _submit(self, task: Task[Unit]) -> None:
        job, gpu = self._job, task.lane is Lane.GPU
        fetched = any(not work.unit.file.model.startswith("path:") for work in task.works)
        share = 0.5 if fetched else 1.0  # nothing to be fetched meanwhile
        works = tuple((work.unit, Watch(time_limit(work, job), work.tries + 1)) for work in task.works)
        options = {"num_cpus": share * job.threads, "num_gpus": share if gpu else 0, "memory": task.memory}
        job = job if gpu else replace(job, device="cpu")
        stream = self._task.options(**options).remote(works, job, self._capacity.has_gpus)
        self._running[stream] = _Running(task)
        for work in task.works:
            event("unit_submitted", **_named(work), try_number=work.tries + 1)

    def _ready(self, now: float) -> Sequence[Any]:
        """The tasks that have something to tell; waits for one, for a while."""
        pause = self._schedule.pause(now)
        wait = LOOK_SECONDS if pause is None else min(max(pause, 0.01), LOOK_SECONDS)
        if not self._running:
            time.sleep(wait)
            return []
        streams = list(self._running)
        if not self._ray.wait(streams, num_returns=1, timeout=wait, fetch_local=False)[0]:
            return []
        ready: Sequence[Any] = self._ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)[0]
        return ready

    def _listen(self, stream: Any) -> Outcome | None:
        """What a task tells next; an outcome if it is one that stands."""
        running = self._running[stream]
        try:
            told = self._ray.get(next(stream))
        except StopIteration:
            self._let_go(stream)
            return None
        except NodeError as error:  # such a machine would be through with all the work in no time
            raise getattr(error, "cause", error) from None
        except self._ray.exceptions.LocalRayletDiedError as error:  # each unit would take seconds to fail of it
            raise NodeError(
                "Ray has ended on this machine: its raylet or its agent was killed. Give the same command again; what "
                "is done stays done."
            ) from error
        except self._ray.exceptions.RayError as error:
            return self._lost(stream, self._why(running, error))
        running.since = time.monotonic()
        if isinstance(told, Where):
            running.where, running.began, self._unheard = told, running.since, 0
        elif isinstance(told, Stage):
            running.stage = told
        else:
            work = running.rest[0]
            running.ended, running.stage, running.began = running.ended + 1, None, running.since
            if told.cause is Cause.TIME:  # its process ends now, whatever else it was given
                self._let_go(stream)
            return self._stands(work, told)
        return None

    def _stands(self, work: Work[Unit], outcome: Outcome) -> Outcome | None:
        """The outcome of a try, unless there will be another."""
        if outcome.cause is None:
            return outcome
        again = self._schedule.again(work, outcome.cause, time.monotonic())
        if again is None:
            return outcome
        event("unit_retried", **_named(work), try_number=again.tries + 1, error=outcome.error)
        return None

    def _let_go(self, stream: Any, pause: float = 0.0) -> None:
        """Forget a task; the units that it has not come to will be started anew, each by itself."""
        running = self._running.pop(stream)
        self._schedule.ended(running.task)
        self._schedule.put_back(running.rest, time.monotonic() + pause)

    def _lost(self, stream: Any, failure: LostWorker) -> Outcome | None:
        """A task that ended before its time takes the unit along that it was at.

        One that has not told where it runs was at none. Its units rest and are not charged, unless as many such tasks
        die in a row as are handed out at a time: then it may be these units, or no machine is any good.
        """
        running = self._running[stream]
        if running.where is None and self._unheard < window(self._capacity.slots):
            self._unheard += 1
            self._let_go(stream, PAUSE_SECONDS)
            return None
        work, *_ = running.rest or [None]
        running.ended += 1
        self._let_go(stream)
        if work is None:  # it was through, and the process was ended behind it
            return None
        return self._stands(work, failed_try(work, failure, running.where, self._job, running.began))

    def _why(self, running: _Running, error: Exception) -> LostWorker:
        """What a lost worker is to be called."""
        tries = running.rest[0].tries + 1 if running.rest else 1
        if isinstance(error, self._ray.exceptions.OutOfMemoryError):
            return out_of_memory(running.task.memory, running.where)
        limit = self._limit(running)
        late = time.monotonic() - running.since > limit
        if late and running.where and running.stage in (Stage.FETCHING, Stage.COMPUTING):
            return ran_past(limit, running.stage, running.where.host)
        if self._is_gone(running.where, error):
            return node_lost(tries, running.where)
        how = {self._ray.exceptions.WorkerCrashedError: "it crashed or was killed"}.get(type(error))
        told = how or (str(error).strip().splitlines() or [type(error).__name__])[-1]
        return died(tries, told, running.where)

    def _is_gone(self, where: Where | None, error: Exception) -> bool:
        """Whether a worker went with its node; where that is taken away, it is ended first."""
        if isinstance(error, self._ray.exceptions.NodeDiedError):
            return True
        return where is not None and where.node not in {
            each["NodeID"][:12] for each in self._ray.nodes() if each["Alive"]
        }

    def _limit(self, running: _Running) -> float:
        """Seconds that the unit it is at may take."""
        return max((time_limit(work, self._job) for work in running.rest[:1]), default=0.0)

    def _overdue(self, now: float) -> Iterator[Outcome]:
        """Tasks that are not heard of for too long, and such that no node can hold any more."""
        limits = {stream: self._limit(each) for stream, each in self._running.items()}
        longest = max(limits.values(), default=0.0)
        for stream, running in list(self._running.items()):
            if running.where is None:
                if not self._capacity.holds(running.task.memory, running.task.lane):
                    self._ray.cancel(stream, force=True)
                    self._let_go(stream)
                continue
            limit = longest if running.stage is Stage.WAITING else limits[stream]
            if now - running.since > limit + SILENCE_SECONDS:
                self._ray.cancel(stream, force=True)
                silent = (
                    f"nothing was heard of {running.where.host} for {now - running.since:.0f} s, and it was given up."
                )
                if (outcome := self._lost(stream, TimeLimit(silent))) is not None:
                    yield outcome

    def _make_a_wish(self) -> None:
        """Let an autoscaler see what the units need that no node holds: a task that does nothing waits for it."""
        wanted = self._schedule.wanted
        if wanted and self._wish is None:
            options = {"num_cpus": self._job.threads, "memory": wanted, "max_retries": 0}
            self._wish = self._ray.remote(_nothing).options(**options).remote()
        elif not wanted and self._wish is not None:
            self._ray.cancel(self._wish, force=True)
            self._wish = None


def _work(unit: Unit, job: Job) -> Work[Unit]:
    cost = unit_cost(unit.file, job.cache)
    return Work(unit, cost.seconds, cost.memory, cost.exact)


def _nothing() -> None:
    """What stands in for units that wait for a node."""


def _named(work: Work[Unit]) -> dict[str, str]:
    return {"unit": work.unit.fit_id, "model": work.unit.file.model, "file": work.unit.file.file}
