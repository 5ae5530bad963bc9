"""The benchmark of large models, at a small size: a sharded checkpoint whose run is killed and goes on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "large_model.py"
SMALL = {"width": 384, "inner": 1024, "vocabulary": 3200, "blocks": 8, "shard-mib": 3, "into": 0}


@pytest.mark.skipif(sys.platform != "linux", reason="RssAnon is known on Linux only")
def test_a_killed_run_goes_on_and_does_nothing_twice(tmp_path):
    options = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
    ran = subprocess.run([sys.executable, SCRIPT, tmp_path, *options], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    n_shards = int(re.match(r"(\d+) shards", ran.stdout)[1])
    assert n_shards >= 8
    assert f"{n_shards} of {n_shards} shards done" in ran.stdout
    killed_after = int(re.search(r"killed the driver after (\d+) shards", ran.stdout)[1])
    assert 2 <= killed_after < n_shards
    assert "of which 0 were written again" in ran.stdout and "done twice: []" in ran.stdout
