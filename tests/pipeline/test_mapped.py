"""A function called on many items, here and in Ray tasks: one that fails, or kills its worker, costs no other."""

import os
import signal

import pytest

from pipeline.mapped import Mapped, map_serially


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


@pytest.mark.ray
def test_a_killed_worker_costs_the_others_nothing() -> None:
    from pipeline.cluster import map_on_ray

    found = without_times(sorted(map_on_ray(square, range(6), cpus=2), key=lambda each: each.item))
    assert [value for _, value, _ in found] == [0, 1, None, None, 16, 25]
    assert found[2][2] == "OSError: no space left on device"
    assert found[3][2] == "its worker crashed or was killed. Run the same command to try again."
