"""The executor on Ray: the only file that imports it. Units are handed out by `pipeline.execution.dispatch`.

Weights and spectra never travel through Ray: a task writes its own files, and sends back what it is at and a small row
for each unit. Two tasks run on each slot and take turns at computing, so that one fetches while the other computes.
"""

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.code_version import code_version
from pipeline.errors import MissingRay, NodeError, OptionError
from pipeline.execution.capacity import cpu_slots
from pipeline.execution.dispatch import Dispatch
from pipeline.execution.held_base import base_here
from pipeline.execution.job import Job, Outcome
from pipeline.execution.lost import Where
from pipeline.execution.mapped import Item, Mapped, Value, called
from pipeline.execution.nodes import cannot_join, join_environment, require_code
from pipeline.execution.schedule import Cause
from pipeline.execution.turns import Turns
from pipeline.execution.watched import Stage, Watch, run_watched
from pipeline.planning.plan import Unit

NODE_SECONDS = 300.0
"""How long a cluster may take to bring a node that is needed: one with a GPU, or with more memory."""

OBJECT_STORE_BYTES = 100 * 2**20
"""What Ray sets aside for objects where it is started here: next to nothing travels through it."""


def run_on_ray(
    units: Sequence[Unit], job: Job, *, address: str | None = None, cpus: int | None = None
) -> Iterator[Outcome]:
    """Work on the units in parallel and yield an outcome for each, as it comes.

    Args:
        units: In any order.
        job: What they have in common.
        address: Of a running cluster, as `ray.init` takes it; None starts Ray on this machine for this run.
        cpus: Cores to use where Ray is started here, by default all.

    Raises:
        MissingRay: Ray is not installed.
        OptionError: The device is a GPU and the cluster has none, or one by its number. This machine, which only
            drives, needs none. Or the base cannot be had.
        NodeError: The cluster cannot be joined, or a machine of it has other code or does not see the results folder.
    """
    if job.device.startswith("cuda:"):
        raise OptionError(
            f"need the device cuda with Ray, which gives every worker a GPU of its own; got {job.device}. "
            "CUDA_VISIBLE_DEVICES says which ones of a machine it may give away."
        )
    with base_here(units, job):
        ray, patience = _start(address, cpus), 0.0 if address is None else NODE_SECONDS
        try:
            yield from Dispatch(ray, run_units, units, job, patience=patience).outcomes()
        finally:
            ray.shutdown()


def run_units(works: tuple[tuple[Unit, Watch], ...], job: Job, beside_gpus: bool) -> Iterator[Where | Stage | Outcome]:
    """The task: work on units one after the other, and tell what happens.

    Args:
        works: Each unit, and what its try is told.
        job: What they have in common.
        beside_gpus: Whether the cluster's GPUs are used too.
    """
    import ray

    require_code(job.code)
    node = ray.get_runtime_context().get_node_id()
    found = next(each for each in ray.nodes() if each["NodeID"] == node)
    folder = Path(found["RayletSocketName"]).parents[1] / f"setol-zoo-{node[:12]}"  # of the session: it goes with it
    if gpus := ray.get_gpu_ids():
        turns = Turns(folder, f"gpu-{gpus[0]}", 1)
    else:
        turns = Turns(folder, "cpu", max(cpu_slots(found["Resources"], job.threads, beside_gpus=beside_gpus), 1))
    where = Where(socket.gethostname(), node[:12])
    yield where
    for unit, watch in works:
        for told in run_watched(unit, job, turns.turn, replace(watch, node=where.node)):
            yield told
        if isinstance(told, Outcome) and told.cause is Cause.TIME:
            time.sleep(1.0)  # until the outcome is sent
            os._exit(1)  # with the thread that goes on


def map_on_ray(
    function: Callable[[Item], Value], items: Sequence[Item], *, address: str | None = None, cpus: int | None = None
) -> Iterator[Mapped[Item, Value]]:
    """Call a function on each item, in tasks of one core, and yield what became of each, as it comes.

    An item whose worker dies is a failure with a reason, and costs the others nothing.

    Args:
        function: A function of a module, or a `functools.partial` of one; it keeps what it makes where all see it.
        items: In the order in which they are started.
        address: As for `run_on_ray`.
        cpus: As for `run_on_ray`.

    Raises:
        MissingRay: Ray is not installed.
        NodeError: The cluster cannot be joined, or a machine of it has other code.
    """
    ray = _start(address, cpus)
    try:
        code = None if address is None else code_version()
        options = {"max_retries": 0, "num_cpus": 1, "scheduling_strategy": "SPREAD"}
        task = ray.remote(**options)(_call)
        running = {task.remote(function, code, item): item for item in items}
        while running:
            (done,), _ = ray.wait(list(running), num_returns=1)
            item = running.pop(done)
            try:
                yield ray.get(done)
            except NodeError as error:
                raise getattr(error, "cause", error) from None
            except ray.exceptions.WorkerCrashedError:
                yield Mapped(item, error="its worker crashed or was killed. Run the same command to try again.")
            except ray.exceptions.RayError as error:
                told = (str(error).strip().splitlines() or [type(error).__name__])[-1]
                yield Mapped(item, error=f"its worker was lost: {told}. Run the same command to try again.")
    finally:
        ray.shutdown()


def _call(function: Callable[[Item], Value], code: str | None, item: Item) -> Mapped[Item, Value]:
    require_code(code)
    return called(function, item)


def _start(address: str | None, cpus: int | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_SCHEDULER_EVENTS", "0")
    # Ray prints a page to standard output for each worker that dies; that is told here, in a line.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    if address is None:
        # A token of this process's own: strangers on the network cannot join, and no token file is left at home.
        # Ray reads it once a process, so a second run keeps the first one's.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    else:
        join_environment()
    try:
        import ray
    except ImportError as error:
        raise MissingRay(
            "need Ray to run in parallel: pip install 'setol-zoo[ray]', or choose --executor serial."
        ) from error
    if address is None:
        started: dict[str, Any] = {
            "num_cpus": cpus,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
        ray.init("local", **started, logging_level=logging.ERROR, log_to_driver=False)
        return ray
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        raise cannot_join(address, error) from error
    return ray
