"""A hub on this machine, weights to put on it, and ways to run our code against it in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from tests.sources.hub_standin import TOKEN, HubStandin

ROOT = Path(__file__).parents[2]


def weights(seed: int, rows: int = 90, columns: int = 70) -> bytes:
    """A safetensors file with a matrix and a vector."""
    generator = torch.Generator().manual_seed(seed)
    return save({"fc.weight": torch.randn(rows, columns, generator=generator), "fc.bias": torch.zeros(rows)})


@pytest.fixture(scope="session")
def hub() -> Iterator[HubStandin]:
    standin = HubStandin()
    yield standin
    standin.close()


def environment(hub: HubStandin, home: Path, *, token: bool = True, offline: bool = False) -> dict[str, str]:
    """Environment of a process that takes the stand-in for the hub, with caches of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    ours = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "SETOL_CACHE": str(home / "setol"),
        "NO_PROXY": "127.0.0.1",
    }
    ours |= {"HF_TOKEN": TOKEN} if token else {}
    ours |= {"HF_HUB_OFFLINE": "1"} if offline else {}
    return kept | ours


def setol(env: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command, as a user runs it."""
    command = [sys.executable, "-m", "setol_zoo.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=200)


PROBE = """
import json, sys, time
from pathlib import Path
from catalogs import WeightFile
from checkpoints.errors import CheckpointError
from checkpoints.fetch import fetch
from checkpoints.remote import identify_remote
cache = Path(sys.argv[1])
for line in sys.stdin:
    row = WeightFile(**json.loads(line))
    told = {"model": row.model, "error": None}
    start = time.perf_counter()
    try:
        found = identify_remote(row, cache)
        told |= {"key": found[0].model, "files": [each.file for each in found],
                 "sha256": [each.weights_sha256 for each in found], "size": [each.size for each in found]}
        told["paths"] = [str(fetch(each, cache)) for each in found]
    except CheckpointError as error:
        told |= {"error": str(error), "transient": error.transient}
    print(json.dumps(told | {"seconds": time.perf_counter() - start}))
"""


def probe(env: dict[str, str], *rows: dict[str, str]) -> list[dict]:
    """Identify and fetch catalog rows, all in one process; what became of each."""
    lines = "".join(json.dumps({"name": "x", "file": "", **row}) + "\n" for row in rows)
    command = [sys.executable, "-c", PROBE, env["SETOL_CACHE"]]
    process = subprocess.run(command, cwd=ROOT, env=env, input=lines, capture_output=True, text=True, timeout=200)
    assert process.returncode == 0, process.stderr
    assert TOKEN not in process.stdout + process.stderr
    return [json.loads(line) for line in process.stdout.splitlines()]
