"""The executor on Ray: the only file that knows there is a cluster.

One task a unit, a bounded window of them, so that memory stays flat however many units there are; the
window is sized anew each time from what the cluster has at that moment. Weights and spectra never travel
through Ray: a task writes its own files and sends back a small row.
"""

import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.errors import MissingRay, OptionError
from pipeline.plan import Unit
from pipeline.worker import Job, LostWorker, Outcome, finish, new_attempt, outcome_of, run_unit

MAX_RETRIES = 2
"""Times that Ray starts a task again whose worker died."""

WAIT_SECONDS = 5.0
"""Longest wait before the window is sized anew."""


def run_on_ray(
    units: Sequence[Unit], job: Job, *, address: str | None = None, cpus: int | None = None
) -> Iterator[Outcome]:
    """Work on the units in parallel and yield each outcome as it comes.

    Args:
        units: In the order in which they are started.
        job: What they have in common.
        address: Of a running cluster, as `ray.init` takes it; None starts Ray on this machine for this run.
        cpus: Cores to use where Ray is started here, by default all.

    Raises:
        MissingRay: Ray is not installed.
        OptionError: The device is a GPU and the cluster has none, or one by its number. This machine, which only
            drives, needs none.
    """
    if job.device.startswith("cuda:"):
        raise OptionError(
            f"need the device cuda with Ray, which gives every worker a GPU of its own; got {job.device}. "
            "CUDA_VISIBLE_DEVICES says which ones of a machine it may give away."
        )
    ray = _start(address, cpus)
    try:
        use_gpu = job.device != "cpu" and ray.cluster_resources().get("GPU", 0) > 0
        if job.device == "cuda" and not use_gpu:
            raise OptionError(
                f"need a GPU in the Ray cluster for --device {job.device}; its machines have none now. Start one with "
                "a GPU, or take --device auto."
            )
        task = ray.remote(run_unit).options(
            num_cpus=job.threads,
            num_gpus=1 if use_gpu else 0,
            max_retries=MAX_RETRIES,
            scheduling_strategy="SPREAD",
        )
        waiting = list(reversed(units))
        running: dict[Any, Unit] = {}
        while waiting or running:
            slots = int(ray.cluster_resources().get("GPU" if use_gpu else "CPU", 1))
            while waiting and len(running) < 2 * slots + 2:
                unit = waiting.pop()
                running[task.remote(unit, job)] = unit
            ready, _ = ray.wait(list(running), num_returns=1, timeout=WAIT_SECONDS)
            for reference in ready:
                unit = running.pop(reference)
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayError as error:
                    yield _lost(unit, job, error)
    finally:
        ray.shutdown()


def _start(address: str | None, cpus: int | None) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_SCHEDULER_EVENTS", "0")
    if address is None:
        # A token of this process's own: strangers on the network cannot join, and no token file is left at home.
        # Ray reads it once a process, so a second run keeps the first one's.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ImportError as error:
        raise MissingRay(
            "need Ray to run in parallel: pip install 'setol-zoo[ray]', or choose --executor serial."
        ) from error
    here = {"address": "local", "num_cpus": cpus, "include_dashboard": False}
    ray.init(**(here if address is None else {"address": address}), logging_level=logging.ERROR, log_to_driver=False)
    return ray


def _lost(unit: Unit, job: Job, error: Exception) -> Outcome:
    """A unit whose worker died again and again; the driver logs what the worker no longer could."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    failure = LostWorker(f"the worker died {MAX_RETRIES + 1} times ({reason}). Run the same command to try again.")
    job.folder.record(finish(new_attempt(unit.file, job, unit=unit.fit_id), failure))
    return outcome_of(unit, failure, 0.0)
