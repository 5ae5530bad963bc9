"""Ray's cluster launcher for real: `ray up`, `ray submit`, an edit, `make submit`, `ray down`, on 1 and 3 machines."""

import re
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.cluster.machines import Machine, machines, missing
from tests.cluster.variant import copy_checkout, write_variant

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(missing() is not None, reason=missing() or "")]

JOIN_SECONDS = 150
"""Longest wait for workers; on two idle cores they are there some 15 s after `ray up` returns."""

WORKED = ({"m2"}, {"m3"}, {"m2", "m3"})
"""Who may have done six small files: the head only drives, and one worker may be through before the other begins."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """A folder that all machines see, with weights in it."""
    pytest.importorskip("ray", reason="needs Ray")
    folder = tmp_path_factory.mktemp("shared")
    for number in range(6):
        generator = torch.Generator().manual_seed(number)
        weights = {f"layer{i}.weight": torch.randn(150, 100, generator=generator) for i in range(2)}
        save_file(weights, folder / f"model{number}.safetensors")
    return folder


def call(machine: Machine, command: str) -> str:
    """A command in the checkout that has to succeed; what it printed."""
    run = machine.run(f"cd checkout && {command}")
    assert run.returncode == 0, f"{command}\n{run.stdout[-3000:]}\n{run.stderr[-3000:]}"
    return run.stdout + run.stderr


def fail(machine: Machine, command: str) -> str:
    """A command in the checkout that has to fail; what it printed."""
    run = machine.run(f"cd checkout && {command}")
    assert run.returncode != 0, run.stdout[-3000:]
    return run.stdout + run.stderr


def submit(arguments: str) -> str:
    return f"ray submit ray_cluster.yaml pipeline/run.py -- {arguments}"


def make_submit(arguments: str) -> str:
    """`make submit`, in the environment that is there: `-o env` takes that of the Makefile for made."""
    return f"make --no-print-directory -o env submit RAY=ray ARGS='{arguments}'"


def test_one_machine(shared, tmp_path):
    with machines(tmp_path, 1, shared=[shared]) as (only,):
        copy_checkout(only.home / "checkout")
        write_variant(only.home / "checkout", "127.0.0.1", [], cpus=2)
        run = f"{shared}/model0.safetensors {shared}/model1.safetensors --results results/one"
        call(only, "ray up -y ray_cluster.yaml")
        assert "2 weight files computed" in call(only, submit(run))
        assert (only.home / "results/one/layers").is_dir()  # in the home folder of the head, where run.py lies
        entry = only.home / "checkout/setol_zoo/__init__.py"
        entry.write_text(entry.read_text() + "\nprint('edited code')\n")
        assert "edited code" not in call(only, submit(run))
        told = call(only, make_submit(run))
        assert "edited code" in told
        assert "0 weight files computed, 2 there already" in told
        call(only, "ray down -y ray_cluster.yaml")
        assert only.run("ps -eo comm | grep -E 'raylet|gcs_server'").returncode == 1
        told = only.run(f"~/.setol-zoo/bin/python ~/run.py {run}2").stderr
        assert "cannot join the Ray cluster auto" in told


def test_three_machines(shared, tmp_path):
    with machines(tmp_path, 4, shared=[shared]) as (head, *workers, laptop):
        checkout = laptop.home / "checkout"
        copy_checkout(checkout)
        write_variant(checkout, head.address, [worker.address for worker in workers], cpus=1, head_cpus=0)
        models = " ".join(f"{shared}/model{number}.safetensors" for number in range(6))
        call(laptop, "ray up -y ray_cluster.yaml")
        await_nodes(head, 3)

        told = fail(laptop, submit(f"{models} --results private"))
        for worker in workers:
            assert f"({worker.address}) does not see the driver's results folder /root/private" in told

        module = checkout / "setol/scale.py"
        assert module.exists()
        module.write_text(module.read_text() + "# edited\n")
        call(laptop, "ray rsync-up ray_cluster.yaml")  # the head alone
        told = fail(laptop, submit(f"{models} --results {shared}/three"))
        for worker in workers:
            assert re.search(rf"m\d \({worker.address}\) has the code \w{{12}}, the driver \w{{12}}", told), told
        assert "make sync CLUSTER=ray_cluster.yaml" in told

        assert "6 weight files computed" in call(laptop, make_submit(f"{models} --results {shared}/three"))
        hosts = head.run(f"~/.setol-zoo/bin/setol sql 'SELECT DISTINCT host FROM attempts' --results {shared}/three")
        assert set(hosts.stdout.split()[1:]) in WORKED, hosts


def await_nodes(head: Machine, count: int) -> None:
    code = "import ray; ray.init('auto', logging_level=50); print('nodes', sum(n['Alive'] for n in ray.nodes()))"
    end = time.monotonic() + JOIN_SECONDS
    while time.monotonic() < end:
        run = head.run(["python", "-c", code])
        if f"nodes {count}" in run.stdout:
            return
        time.sleep(2)
    log = head.run("tail -n 60 /tmp/ray/session_latest/logs/monitor.out").stdout
    pytest.fail(f"{run.stdout}{run.stderr}\n{log}")
