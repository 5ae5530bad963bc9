"""A model of the hub, by name, from Python."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.sources.conftest import ROOT, environment, weights
from tests.sources.hub_standin import HubStandin

SOURCE = """
import setol_zoo as zoo
a = zoo.analyze("hub:zoo/from-python")
print(a.model, a.layers["tensor"].tolist(), a.summary["n_layers"])
"""


@pytest.fixture
def hub() -> Iterator[HubStandin]:
    standin = HubStandin()
    yield standin
    standin.close()


def test_a_model_of_the_hub_by_name(hub, tmp_path):
    repository = hub.add("zoo/from-python", {"model.safetensors": weights(3)})
    process = subprocess.run(
        [sys.executable, "-c", SOURCE],
        cwd=ROOT,
        env=environment(hub, tmp_path),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == f"hub:zoo/from-python@{repository.commit} ['fc.weight'] 1\n"
