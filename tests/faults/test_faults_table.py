"""Three rows of the table that `python -m benchmarks.faults` prints, with fewer models: on Ray, in real processes."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.faults.audit import Reference, Verdict, audit
from benchmarks.faults.network import BUSY, TRUNCATED, hub_fault
from benchmarks.faults.processes import driver_killed, worker_killed
from benchmarks.faults.scenario import Scenario, run_scenario, undisturbed
from benchmarks.faults.zoo import Zoo, make_zoo
from tests.sources.hub_standin import HubStandin

pytest.importorskip("ray", reason="needs Ray")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds Ray's workers through /proc"),
]

N_MODELS = 12


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Iterator[Zoo]:
    hub = HubStandin()
    yield make_zoo(tmp_path_factory.mktemp("zoo"), hub, N_MODELS)
    hub.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("undisturbed") / "run"


@pytest.fixture(scope="module")
def truth(zoo, home) -> Reference:
    found = undisturbed(zoo, home)
    assert len(found.units) == N_MODELS
    return found


@pytest.mark.parametrize(
    ("scenario", "least"),
    [
        (Scenario("worker killed", partial(worker_killed, times=2)), 1),
        (Scenario("driver killed", partial(driver_killed, times=2)), 1),
        (Scenario("hub", hub_fault(BUSY, TRUNCATED)), 4),
    ],
    ids=lambda each: each.name if isinstance(each, Scenario) else None,
)
def test_nothing_is_lost_and_nothing_doubled(zoo, truth, tmp_path, scenario, least):
    row = run_scenario(scenario, zoo, truth, tmp_path / "site")
    assert row.injected >= least
    assert (row.verdict.survived, row.verdict.failed) == (N_MODELS, 0), row.verdict.remarks
    assert row.verdict.good, row.verdict.remarks


def test_the_audit_sees_what_is_lost_and_what_is_doubled(home, truth, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(home / "results", results)
    assert audit(str(results), truth) == Verdict(survived=N_MODELS, failed=0, lost=0, doubled=0)
    layers, other, third = sorted((results / "layers" / "v1").iterdir())[:3]
    shutil.copy(layers, layers.with_name("another.parquet"))
    other.unlink()
    table = pq.read_table(third)
    pq.write_table(table.slice(1), third)
    found = audit(str(results), truth)
    assert (found.survived, found.failed, found.lost) == (N_MODELS - 2, 0, 2)
    assert found.doubled >= 1
    assert any("another.parquet" in remark for remark in found.remarks)
    gone = pq.read_table(home / "results" / other.relative_to(results))["weights_sha256"][0].as_py()
    assert audit(str(results), truth, {gone: "a reason that nobody told"}).failed == 0
