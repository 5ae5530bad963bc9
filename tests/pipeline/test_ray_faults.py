"""Models that crash their worker, hang, or need too much memory, in one real run on Ray: the others are done."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.random_models import write_models

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
TRIES = {
    "segfault": {"LostWorker": 3},
    "hang": {"TimeLimit": 2},
    "stuck": {"TimeLimit": 2},
    "memory": {"MemoryError": 2},
    "huge": {"TooLarge": 1},
}
TOLD = {
    "segfault": "died in try 3: it crashed or was killed. Run the same command to try again.",
    "hang": "ran past its time limit: 8 s of computing on",
    "stuck": "ran past its time limit: 8 s of computing on",
    "memory": "MemoryError: an array of 1 EiB",
    "huge": "needs about 1048576.0 GiB of memory, and the largest machine has",
}


def test_what_a_model_does_to_its_worker_costs_the_others_nothing(tmp_path):
    models, results = tmp_path / "models", tmp_path / "r"
    models.mkdir()
    paths = write_models(models, len(TRIES) + 4, layers=2, size=100, seed=9)
    for path, name in zip(paths, TRIES, strict=False):
        path.rename(path.with_stem(name))
    command = [sys.executable, "-m", "tests.pipeline.faulty_ray", str(models), str(results)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert summary["computed"] == 4
    told = {Path(failure["file"]).stem: failure["error"] for failure in summary["failures"]}
    assert all(failure["transient"] for failure in summary["failures"])
    assert told.keys() == TOLD.keys()
    for name, words in TOLD.items():
        assert words in told[name]
    rows = [row for path in (results / "attempts").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    failed = [row for row in rows if row["outcome"] == "failed"]
    for name, tries in TRIES.items():
        mine = [row for row in failed if Path(row["file"]).stem == name]
        assert Counter(row["error_type"] for row in mine) == tries
        assert sorted(row["try_number"] for row in mine) == list(range(1, len(mine) + 1))
        assert all(row["node"] for row in mine) or name == "huge"
    assert Counter(row["unit"] for row in rows if row["outcome"] == "done").most_common(1)[0][1] == 1
    assert not list(results.rglob(".*.tmp"))
