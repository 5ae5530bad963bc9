"""The forecast of a run: by hand, and what must hold for any plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.display.forecast import PRICE_OF_1000_WRITES, PRICE_OF_A_GIGABYTE_MONTH, Work, Workers, forecast

GB = 10**9

works = st.builds(
    Work,
    fetched=st.integers(0, 100 * GB),
    seconds=st.floats(0.001, 1e4),
    memory=st.integers(1, 64 * GB),
    stored=st.integers(0, GB),
)
crews = st.builds(
    Workers,
    count=st.integers(1, 300),
    network=st.floats(1e6, 1e11),
    node_memory=st.integers(1, 64 * GB),
    hourly=st.none() | st.floats(0, 100),
)


def test_by_hand():
    """Four units of 10, 20, 30 and 40 s, 1 GB each, two workers: 40 + 10 and 30 + 20 s; 4 s of network."""
    units = [Work(GB, 10.0 * i, GB, 100) for i in (1, 2, 3, 4)]
    found = forecast(units, Workers(2, GB, 2 * GB, hourly=36.0))
    assert (found.compute_seconds, found.network_seconds, found.seconds) == (50, 4, 50)
    assert (found.bottleneck, found.busy, found.useful_workers) == ("compute", 1.0, 3)
    assert (found.stored, found.writes) == (400, 12)
    assert found.worker_hours == pytest.approx(100 / 3600)
    assert found.price == pytest.approx(1.0)
    assert found.storage_price == pytest.approx(12e-3 * PRICE_OF_1000_WRITES + 4e-7 * PRICE_OF_A_GIGABYTE_MONTH)


def test_a_slow_network_is_the_bottleneck_and_more_workers_do_not_help():
    units = [Work(GB, 1.0, GB, 100) for _ in range(10)]
    found = forecast(units, Workers(5, GB / 10, 2 * GB))
    assert (found.bottleneck, found.network_seconds, found.useful_workers) == ("network", 100, 1)
    assert found.seconds == 100
    assert found.busy == pytest.approx(10 / 500)
    assert found.price is None


def test_what_no_machine_can_hold_is_told_and_left_out():
    found = forecast([Work(1, 1.0, 5, 1), Work(1, 1.0, 50, 1), Work(1, 1.0, 51, 1)], Workers(1, 1.0, 50))
    assert found.too_large == (2,)
    assert (found.network_seconds, found.writes) == (2.0, 6)


def test_nothing_to_do():
    found = forecast([], Workers(4, 1e9, GB, hourly=1.0))
    assert (found.seconds, found.bottleneck, found.busy, found.price, found.useful_workers) == (0, "nothing", 0, 0, 0)


@given(st.lists(works, max_size=40), crews)
def test_bounds(units, crew):
    found = forecast(units, crew)
    left = [unit for place, unit in enumerate(units) if place not in found.too_large]
    assert all(unit.memory <= crew.node_memory for unit in left)
    assert all(units[place].memory > crew.node_memory for place in found.too_large)
    total = sum(unit.seconds for unit in left)
    longest = max((unit.seconds for unit in left), default=0.0)
    slack = 1 + 1e-9
    assert found.seconds * slack >= max(found.network_seconds, total / crew.count, longest)
    # Longest first is within 4/3 of the best (Graham 1969), which no schedule makes shorter than these two.
    assert found.compute_seconds <= (total / crew.count + longest) * slack
    assert 0 <= found.busy <= slack
    assert found.useful_workers <= len(left)
    if crew.hourly is not None:
        assert found.price == pytest.approx(found.worker_hours * crew.hourly)


@given(st.lists(works, max_size=25), crews, st.integers(2, 9))
def test_more_is_never_slower(units, crew, factor):
    """A wider network makes no run longer, and one worker no computation shorter."""
    found = forecast(units, crew)
    wider = forecast(units, Workers(crew.count, crew.network * factor, crew.node_memory, crew.hourly))
    assert wider.seconds <= found.seconds * (1 + 1e-9)
    alone = forecast(units, Workers(1, crew.network, crew.node_memory, crew.hourly))
    assert found.compute_seconds <= alone.compute_seconds * (1 + 1e-9)


@given(st.lists(works, max_size=25), crews, st.randoms())
def test_the_order_of_units_does_not_matter(units, crew, random):
    mixed = random.sample(units, len(units))
    one, other = forecast(units, crew), forecast(mixed, crew)
    assert len(one.too_large) == len(other.too_large)
    for name in ("compute_seconds", "network_seconds", "seconds", "stored", "writes", "storage_price"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))
