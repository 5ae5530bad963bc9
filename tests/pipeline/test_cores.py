"""The cores that a process may use."""

import os

import pytest

from catalogs import WeightFile
from pipeline.cores import usable_cores
from pipeline.execution.attempt import new_attempt
from pipeline.execution.job import Job
from pipeline.options import Options
from pipeline.store.folder import ResultsFolder


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system tells no affinity")
def test_a_process_that_is_kept_to_one_core_counts_one(tmp_path) -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
        job = Job(ResultsFolder(tmp_path), tmp_path, "c", Options(), "cpu", 1, "run")
        assert new_attempt(WeightFile(model="path:a", name="a", file="a"), job, unit=None).cores == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert usable_cores() == len(allowed)


def test_a_system_without_affinity_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores() == os.cpu_count()
