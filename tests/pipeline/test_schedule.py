"""What is started next, where, and what again: every unit ends, once, whatever happens to it."""

import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.execution.capacity import capacity_of
from pipeline.execution.schedule import (
    BUNDLE_SECONDS,
    LONGEST_ON_CPU,
    PAUSE_SECONDS,
    TRIES,
    Capacity,
    Cause,
    Lane,
    Schedule,
    Slots,
    Work,
    window,
)

GIB = 2**30
PLENTY = Capacity(Slots(4, 64 * GIB))


def works(*seconds: float, memory: int = GIB) -> list[Work[int]]:
    return [Work(number, each, memory) for number, each in enumerate(seconds)]


def units(tasks) -> list[list[int]]:
    return [[work.unit for work in task.works] for task in tasks]


def test_the_largest_are_first_and_no_more_than_a_window():
    schedule = Schedule(works(*range(100, 200)))
    tasks = schedule.take(PLENTY, 0.0)
    assert units(tasks) == [[99 - rank] for rank in range(window(4))]
    assert window(4) >= 2 * 4 + 2  # what runs, and what an autoscaler sees waiting
    assert schedule.take(PLENTY, 1.0) == []
    schedule.ended(tasks[0])
    assert units(schedule.take(PLENTY, 2.0)) == [[99 - window(4)]]


def test_the_window_follows_the_cluster():
    schedule = Schedule(works(*range(100, 200)))
    assert len(schedule.take(Capacity(Slots(0, 0)), 0.0)) == window(0) > 0  # so that nodes are asked for
    assert len(schedule.take(PLENTY, 1.0)) == window(4) - window(0)
    assert schedule.take(Capacity(Slots(1, 64 * GIB)), 2.0) == []


def test_small_units_are_bundled_and_the_last_ones_are_not():
    schedule = Schedule(works(*[1.0] * 1000))
    sizes = []
    while tasks := schedule.take(PLENTY, 0.0):
        sizes += [len(task.works) for task in tasks]
        for task in tasks:
            schedule.ended(task)
    assert sum(sizes) == 1000
    assert max(sizes) == BUNDLE_SECONDS
    assert sizes[-1] == 1
    assert sizes == sorted(sizes, reverse=True)


def test_a_few_small_units_are_spread():
    assert units(Schedule(works(*[0.5] * 8)).take(Capacity(Slots(2, 64 * GIB)), 0.0)) == [[each] for each in range(8)]


def test_gpus_take_the_large_end_and_cpus_the_small_end():
    schedule = Schedule(works(*range(40, 1040)))
    tasks = schedule.take(Capacity(Slots(1, 64 * GIB), Slots(1, 64 * GIB)), 0.0)
    by_lane = {lane: units(task for task in tasks if task.lane is lane) for lane in Lane}
    assert by_lane[Lane.GPU][:2] == [[999], [998]]
    assert by_lane[Lane.CPU][:2] == [[0], [1]]


def test_each_lane_does_the_others_work_but_for_what_is_too_long_for_a_cpu():
    long, short = LONGEST_ON_CPU + 1, LONGEST_ON_CPU - 1
    both = Capacity(Slots(1, 64 * GIB), Slots(1, 64 * GIB))
    many = Schedule(works(*[short] * 50))
    assert {task.lane for task in many.take(both, 0.0)} == {Lane.CPU, Lane.GPU}
    assert {task.lane for task in Schedule(works(*[long] * 50)).take(both, 0.0)} == {Lane.GPU}
    assert {task.lane for task in Schedule(works(*[long] * 50)).take(PLENTY, 0.0)} == {Lane.CPU}


def test_what_a_gpu_node_cannot_hold_goes_to_a_cpu_node_that_can():
    both = Capacity(Slots(1, 64 * GIB), Slots(1, 8 * GIB))
    schedule = Schedule(works(LONGEST_ON_CPU + 1, memory=32 * GIB))
    (task,) = schedule.take(both, 0.0)
    assert task.lane is Lane.CPU


def test_a_unit_that_no_node_holds_is_given_up_after_a_while_without_change():
    schedule = Schedule(works(5.0, memory=100 * GIB), patience=60.0)
    assert schedule.take(PLENTY, 0.0) == []
    assert schedule.give_up(59.0) == []
    assert schedule.wanted == 100 * GIB
    assert schedule.take(Capacity(Slots(5, 64 * GIB)), 59.5) == []
    assert schedule.give_up(119.0) == []
    assert [work.unit for work in schedule.give_up(119.5)] == [0]
    assert not schedule.busy


def test_what_is_no_more_than_a_bound_is_tried_on_the_largest_node():
    schedule = Schedule([Work(0, 5.0, 100 * GIB, exact=False)])
    (task,) = schedule.take(PLENTY, 0.0)
    assert task.memory == 64 * GIB


def test_it_is_taken_up_when_such_a_node_comes():
    schedule = Schedule(works(5.0, memory=100 * GIB), patience=60.0)
    assert schedule.take(PLENTY, 0.0) == []
    assert units(schedule.take(Capacity(Slots(8, 128 * GIB)), 30.0)) == [[0]]
    assert schedule.wanted == 0


@pytest.mark.parametrize("cause", list(Cause))
def test_tries_are_counted(cause):
    schedule = Schedule(works(5.0))
    (work,) = schedule.take(PLENTY, 0.0)[0].works
    now, tries = 0.0, 1
    while (again := schedule.again(work, cause, now)) is not None:
        now += 100.0
        (task,) = schedule.take(PLENTY, now)
        (work,) = task.works
        assert work == again
        tries += 1
    assert tries == TRIES[cause]


def test_what_died_of_memory_gets_twice_as_much_or_a_node_for_itself():
    schedule = Schedule(works(5.0, memory=40 * GIB))
    ((work,),) = (task.works for task in schedule.take(PLENTY, 0.0))
    again = schedule.again(work, Cause.MEMORY, 1.0)
    assert again is not None
    assert again.memory == 64 * GIB
    alone = Schedule(works(5.0, memory=64 * GIB))
    ((work,),) = (task.works for task in alone.take(PLENTY, 0.0))
    assert alone.again(work, Cause.MEMORY, 1.0) is None


def test_what_the_network_spoiled_rests():
    schedule = Schedule(works(5.0))
    (task,) = schedule.take(PLENTY, 0.0)
    schedule.again(task.works[0], Cause.TRANSIENT, 1.0)
    schedule.ended(task)
    assert schedule.pause(2.0) == PAUSE_SECONDS - 1.0
    assert schedule.take(PLENTY, PAUSE_SECONDS) == []
    assert schedule.busy
    assert units(schedule.take(PLENTY, PAUSE_SECONDS + 1.0)) == [[0]]


def test_nobody_is_woken_for_what_waits_for_room():
    one = Capacity(Slots(1, 64 * GIB))
    schedule = Schedule(works(*[100.0] * (window(1) + 1)))
    tasks = schedule.take(one, 0.0)
    schedule.put_back([tasks[0].works[0]], 0.0)
    schedule.ended(tasks[0])
    assert units(schedule.take(one, 0.0)) == [[0]]  # what was tried goes first
    schedule.put_back([tasks[1].works[0]], 0.0)
    schedule.again(tasks[2].works[0], Cause.TRANSIENT, 0.0)
    assert schedule.take(one, 1.0) == []
    assert schedule.pause(1.0) is None  # due, and the window is full
    schedule.ended(tasks[1])
    assert units(schedule.take(one, 1.0)) == [[1]]
    assert schedule.pause(1.0) == PAUSE_SECONDS - 1.0  # this rests, and a place would do nothing for it


def test_the_rest_grows_with_every_try():
    schedule = Schedule(works(5.0))
    (task,) = schedule.take(PLENTY, 0.0)
    first = schedule.again(task.works[0], Cause.TRANSIENT, 1.0)
    assert first is not None
    (task,) = schedule.take(PLENTY, 1.0 + PAUSE_SECONDS)
    schedule.again(task.works[0], Cause.TRANSIENT, 20.0)
    assert schedule.pause(20.0) == 2 * PAUSE_SECONDS
    assert schedule.take(PLENTY, 20.0 + 2 * PAUSE_SECONDS - 0.1) == []
    assert units(schedule.take(PLENTY, 20.0 + 2 * PAUSE_SECONDS)) == [[0]]


def test_what_goes_to_a_gpu_keeps_no_cpu_from_other_tries():
    both = Capacity(Slots(4, 64 * GIB), Slots(1, 64 * GIB))
    long = window(1) + 1
    schedule = Schedule(works(*[LONGEST_ON_CPU + 1] * long, 1.0, 1.0, 1.0))
    tasks = schedule.take(both, 0.0)
    on_gpu = [task for task in tasks if task.lane is Lane.GPU]
    short = [task for task in tasks if task.lane is Lane.CPU]
    assert len(on_gpu) == window(1)
    schedule.ended(on_gpu[0])
    lost = schedule.again(on_gpu[0].works[0], Cause.LOST, 0.0)
    assert lost is not None
    (last,) = schedule.take(both, 0.0)  # it comes first among those of its lane, which is full again
    assert last.works == (lost,)
    schedule.ended(last)
    schedule.put_back(last.works, 1.0)
    (refill,) = schedule.take(both, 0.5)
    assert refill.lane is Lane.GPU
    for task in short:
        schedule.ended(task)
        for work in task.works:
            schedule.again(work, Cause.LOST, 2.0)
    again = schedule.take(both, 3.0)
    assert sorted(units(again)) == [[long], [long + 1], [long + 2]]
    assert {task.lane for task in again} == {Lane.CPU}
    schedule.ended(refill)
    (at_last,) = schedule.take(both, 4.0)
    assert (at_last.lane, at_last.works) == (Lane.GPU, (lost,))


def test_a_unit_whose_nodes_are_taken_away_is_not_charged_like_one_that_crashes():
    schedule = Schedule(works(5.0, memory=10 * GIB))
    ((work,),) = (task.works for task in schedule.take(PLENTY, 0.0))
    for _ in range(TRIES[Cause.NODE] - 1):
        again = schedule.again(work, Cause.NODE, 1.0)
        assert again is not None
        work = again
    assert (work.memory, work.tries) == (10 * GIB, TRIES[Cause.NODE] - 1)
    assert schedule.again(work, Cause.NODE, 1.0) is None
    crashed = schedule.again(work, Cause.LOST, 1.0)  # its first crash
    assert crashed is not None
    assert (crashed.memory, crashed.tries) == (20 * GIB, TRIES[Cause.NODE])


def test_units_of_a_lost_bundle_are_started_singly_and_not_charged():
    schedule = Schedule(works(*[0.1] * 1000))
    (task, *_) = schedule.take(PLENTY, 0.0)
    lost, *others = task.works
    assert others
    schedule.ended(task)
    schedule.put_back(others, 1.0)
    schedule.again(lost, Cause.LOST, 1.0)
    (first,) = schedule.take(PLENTY, 1.0)
    assert len(first.works) == 1
    assert first.works[0].tries == 0


def node(alive: bool = True, **resources: float) -> dict:
    return {"Alive": alive, "Resources": resources}


def test_what_nodes_have():
    nodes = [
        node(CPU=8.0, memory=32.0 * GIB),
        node(CPU=8.0, GPU=2.0, memory=64.0 * GIB),
        node(memory=96.0 * GIB),  # a head that runs nothing
        node(alive=False, CPU=64.0, GPU=8.0, memory=512.0 * GIB),
    ]
    assert capacity_of(nodes, "cpu", 1) == Capacity(Slots(16, 64 * GIB))
    assert capacity_of(nodes, "auto", 1) == Capacity(Slots(14, 64 * GIB), Slots(2, 64 * GIB))
    assert capacity_of(nodes, "auto", 3) == Capacity(Slots(2, 32 * GIB), Slots(2, 64 * GIB))
    assert capacity_of(nodes, "cuda", 1) == Capacity(None, Slots(2, 64 * GIB))
    assert capacity_of(nodes[:1], "cuda", 1) == Capacity(None, Slots(0, 0))
    assert capacity_of([], "auto", 1) == Capacity(Slots(0, 0))


@dataclass
class Cluster:
    """A made-up one: what happens is drawn beforehand, and time goes by with every step."""

    now: float = 0.0
    running: list = field(default_factory=list)
    ended: dict[int, int] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)

    def end(self, unit: int) -> None:
        self.ended[unit] = self.ended.get(unit, 0) + 1


sizes = st.tuples(st.floats(0.0, 5000.0), st.integers(1, 80), st.booleans())
fates = st.sampled_from(["done", "done", "done", "failed", "bundle lost", *Cause])
capacities = st.tuples(
    st.integers(0, 4), st.integers(1, 64), st.none() | st.tuples(st.integers(0, 2), st.integers(1, 96))
)


@settings(max_examples=200, deadline=None)
@given(st.lists(sizes, max_size=60), st.lists(fates, max_size=40), st.lists(capacities, min_size=1, max_size=6))
def test_every_unit_ends_once_within_its_tries(drawn, fates, capacities):
    schedule = Schedule(
        [Work(number, each[0], each[1] * GIB, each[2]) for number, each in enumerate(drawn)], patience=50.0
    )
    cluster, steps = Cluster(), 0
    while schedule.busy:
        steps += 1
        assert steps < 5000, "it does not come to an end"
        (count, memory, gpus) = capacities[min(steps // 5, len(capacities) - 1)]
        gpu = Slots(gpus[0], gpus[1] * GIB * bool(gpus[0])) if gpus else None
        capacity = Capacity(Slots(count, memory * GIB * bool(count)), gpu)
        if steps // 5 >= len(capacities):
            capacity = PLENTY
        for task in schedule.take(capacity, cluster.now):
            assert capacity.holds(task.memory, task.lane)
            cluster.running.append(task)
        for lane, slots in capacity.lanes.items():
            new = [task for task in cluster.running if task.lane is lane]
            assert steps > 1 or len(new) <= window(slots.count)
        for work in schedule.give_up(cluster.now):
            cluster.end(work.unit)
        if cluster.running:
            task = cluster.running.pop(0)
            for place, work in enumerate(task.works):
                cluster.tries[work.unit] = cluster.tries.get(work.unit, 0) + 1
                fate = fates.pop() if fates else "done"
                if fate == "bundle lost":
                    schedule.put_back(task.works[place + 1 :], cluster.now)
                if fate in ("done", "failed"):
                    cluster.end(work.unit)
                    continue
                cause = Cause.LOST if fate == "bundle lost" else fate
                if schedule.again(work, cause, cluster.now) is None:
                    cluster.end(work.unit)
                if fate == "bundle lost":
                    break
            schedule.ended(task)
        cluster.now += 5.0
    assert cluster.ended == dict.fromkeys(range(len(drawn)), 1)
    most = TRIES[Cause.NODE] + max(tries for cause, tries in TRIES.items() if cause is not Cause.NODE) - 1
    assert all(tries <= most for tries in cluster.tries.values())
    assert not cluster.running


def test_a_hundred_thousand_units_cost_the_driver_seconds_at_most():
    start = time.perf_counter()
    schedule = Schedule([Work(number, (number * 7919) % 1000 / 10, GIB) for number in range(100_000)])
    capacity, most, n_units, n_tasks = Capacity(Slots(500, 256 * GIB)), 0, 0, 0
    running: list = []
    while schedule.busy:
        running += schedule.take(capacity, 0.0)
        most = max(most, len(running))
        n_tasks += 1
        task = running.pop()
        n_units += len(task.works)
        schedule.ended(task)
    assert n_units == 100_000
    assert most <= window(500)
    assert n_tasks < 100_000
    assert time.perf_counter() - start < 20.0
