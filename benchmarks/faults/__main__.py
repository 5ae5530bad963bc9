"""`python -m benchmarks.faults`: the table of faults, or of those whose names hold a word that was given."""

import argparse
import os
import shutil
import tempfile
from http import HTTPStatus
from pathlib import Path

from benchmarks.faults.deadly import hangs, segfault, starved
from benchmarks.faults.disk import disk_full
from benchmarks.faults.network import BUSY, CUT, DOWN, TRUNCATED, hub_fault, hub_slow
from benchmarks.faults.nodes import node_removed
from benchmarks.faults.processes import driver_killed, two_catalogs, two_drivers, worker_killed
from benchmarks.faults.scenario import CannotBeTried, Row, Scenario, run_scenario, undisturbed
from benchmarks.faults.storage import store_fails, store_restarted
from benchmarks.faults.zoo import make_zoo
from tests.sources.hub_standin import HubStandin

SCENARIOS = (
    Scenario("worker killed", worker_killed),
    Scenario("node removed", node_removed),
    Scenario("driver killed", driver_killed),
    Scenario("two drivers, one catalog", two_drivers),
    Scenario("two drivers, two catalogs", two_catalogs),
    Scenario("hub slow", hub_slow),
    Scenario("hub answers 429", hub_fault(BUSY)),
    Scenario("hub answers 503", hub_fault(DOWN)),
    Scenario("body truncated", hub_fault(TRUNCATED)),
    Scenario("connection cut", hub_fault(CUT)),
    Scenario("S3 restarted", store_restarted),
    Scenario("S3 answers 500", store_fails(HTTPStatus.INTERNAL_SERVER_ERROR)),
    Scenario("S3 answers 503", store_fails(HTTPStatus.SERVICE_UNAVAILABLE)),
    Scenario("disk full: results", disk_full("results", "900k")),
    Scenario("disk full: cache", disk_full("hf", "600k")),
    Scenario("model kills its process", segfault),
    Scenario("model exhausts memory", starved),
    Scenario("model hangs", hangs),
)


def main() -> None:
    """Print the table; the exit status is 1 if anything was lost or doubled, or a fault did not happen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only faults whose name holds one of these")
    parser.add_argument("--models", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="a folder for all files, instead of a temporary one")
    asked = parser.parse_args()
    chosen = [each for each in SCENARIOS if not asked.names or any(name in each.name for name in asked.names)]
    home = asked.keep or Path(tempfile.mkdtemp(prefix="faults-"))
    home.mkdir(parents=True, exist_ok=True)
    os.environ["SETOL_CACHE"] = str(home / "cache")  # copies of results that are elsewhere
    hub = HubStandin()
    for server in (hub.hub, hub.storage):
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who was killed asks no more
    good = True
    try:
        zoo = make_zoo(_fresh(home / "zoo"), hub, asked.models)
        truth = undisturbed(zoo, _fresh(home / "undisturbed") / "run")
        print("| fault | injected | survived | failed | lost | doubled | seconds |\n|---|---|---|---|---|---|---|")
        for scenario in chosen:
            try:
                row = run_scenario(scenario, zoo, truth, home / scenario.name.replace(" ", "-"))
            except CannotBeTried as reason:
                print(f"| {scenario.name} | not tried: {reason} | | | | | |", flush=True)
                continue
            except TimeoutError as error:
                good = False
                print(f"| {scenario.name} | hangs: {error} | | | | | |", flush=True)
                continue
            print(line(row), flush=True)
            for remark in row.verdict.remarks:
                print(f"    {remark}", flush=True)
            good &= row.verdict.good and row.injected > 0
    finally:
        hub.close()
        if asked.keep is None:
            shutil.rmtree(home, ignore_errors=True)
    raise SystemExit(0 if good else 1)


def line(row: Row) -> str:
    """A row of the table as Markdown has it."""
    found = row.verdict
    cells = (row.fault, row.injected, found.survived, found.failed, found.lost, found.doubled, f"{row.seconds:.0f}")
    return "| " + " | ".join(map(str, cells)) + " |"


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main()
