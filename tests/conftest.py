"""Fixtures that several folders of tests share."""

import gc
import os
from pathlib import Path

import pytest

from catalogs import load_catalog
from catalogs.places import cache_directory
from pipeline.display.summary import RunSummary
from pipeline.drive import RunRequest, drive
from pipeline.execution.serial import run_serially
from pipeline.options import MetricOptions, Options, preset
from pipeline.store.folder import ResultsFolder


class Silent:
    """A reporter that keeps the outcomes."""

    def __init__(self):
        self.outcomes = []

    def planned(self, plan, unidentified):
        self.plan, self.unidentified = plan, unidentified

    def finished(self, outcome):
        self.outcomes.append(outcome)


def run_here(catalog, folder: Path, metric_options: MetricOptions | None = None, **options) -> RunSummary:
    """Run a catalog in this process."""
    request = RunRequest(
        catalog,
        ResultsFolder(folder),
        cache_directory(),
        Options(metrics=metric_options or MetricOptions()),
        **{"device": "cpu", **options},
    )
    return drive(request, run_serially, Silent())


@pytest.fixture(scope="session")
def demo_results(tmp_path_factory) -> Path:
    """The whole demo, run once with the defaults and once more with WeightWatcher's conventions."""
    folder = tmp_path_factory.mktemp("demo") / "results"
    # The preset first: the newest complete configuration, which the views show, is then the default.
    for name in ("weightwatcher", "default"):
        summary = run_here(load_catalog("demo"), folder, preset(name))
        assert not summary.failures
    return folder


@pytest.fixture(scope="session")
def natcomm2021() -> Path:
    """A folder with models.csv and published.csv: in SETOL_PUBLISHED, or in a folder with data beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SETOL_PUBLISHED", beside)) / "natcomm2021"
    if not (folder / "models.csv").is_file():
        pytest.skip("the table of 211 models is not part of the tree: SETOL_PUBLISHED names the folder that has it")
    return folder


def pytest_unconfigure():
    """Let go of what failed tests' tracebacks and fixtures held: DuckDB prints a page about it at exit otherwise."""
    gc.collect()
