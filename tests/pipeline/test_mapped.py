"""A function called on many items, here and in Ray tasks: one that fails, or kills its worker, costs no other."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.execution.mapped import Mapped, map_serially

ROOT = Path(__file__).resolve().parents[2]


def square(number: int) -> int:
    """Of 2 there is none, and 3 is deadly."""
    if number == 2:
        raise OSError("no space left on device")
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def without_times(found: list[Mapped[int, int]]) -> list[tuple[int, int | None, str | None]]:
    assert all(each.seconds >= 0 for each in found)
    return [(each.item, each.value, each.error) for each in found]


def test_serially_in_order() -> None:
    found = without_times(list(map_serially(square, [4, 2, 5])))
    assert found == [(4, 16, None), (2, None, "OSError: no space left on device"), (5, 25, None)]


ON_RAY = """
import json
from pipeline.execution.cluster import map_on_ray
from tests.pipeline.test_mapped import square

print(json.dumps([[each.item, each.value, each.error] for each in map_on_ray(square, range(6), cpus=2)]))
"""


@pytest.mark.ray
def test_a_killed_worker_costs_the_others_nothing() -> None:
    """In an interpreter of its own: Ray reads its token once in each."""
    run = subprocess.run(
        [sys.executable, "-c", ON_RAY], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert run.returncode == 0, run.stderr
    found = sorted(json.loads(run.stdout.splitlines()[-1]))
    assert [value for _, value, _ in found] == [0, 1, None, None, 16, 25]
    assert found[2][2] == "OSError: no space left on device"
    assert found[3][2] == "its worker crashed or was killed. Run the same command to try again."
