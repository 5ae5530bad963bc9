"""A model of the hub is laid out by the config.json of its commit, online and out of the cache alike."""

import json
from collections.abc import Iterator
from importlib.metadata import version

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save

from analysis import open_results
from tests.sources.conftest import environment, setol
from tests.sources.hub_standin import HubStandin

CONFIG = {
    **{"model_type": "gpt_neox", "architectures": ["GPTNeoXForCausalLM"], "hidden_size": 80, "vocab_size": 90},
    **{"num_attention_heads": 4, "num_hidden_layers": 1, "intermediate_size": 8},
    **{"bos_token_id": 0, "eos_token_id": 1},
}


@pytest.fixture
def hub() -> Iterator[HubStandin]:
    standin = HubStandin()
    yield standin
    standin.close()


def test_the_configuration_of_the_commit_tells_the_layers(hub, tmp_path):
    generator = torch.Generator().manual_seed(1)
    fused = {"gpt_neox.layers.0.attention.query_key_value.weight": torch.randn(240, 80, generator=generator)}
    hub.add("org/neox", {"model.safetensors": save(fused), "config.json": json.dumps(CONFIG).encode()})
    command = ("run", "hub:org/neox", "--results", tmp_path / "r", "--executor", "serial")
    first = setol(environment(hub, tmp_path), *command)
    assert first.returncode == 0, first.stderr
    rows = open_results(tmp_path / "r").rows("SELECT part, layout FROM spectra ORDER BY part")
    assert [(row["part"], row["layout"]) for row in rows] == [(part, "architecture") for part in "kqv"]
    (file,) = pq.read_table(tmp_path / "r" / "catalog").to_pylist()
    assert file["layout"].startswith(f"transformers {version('transformers')} gpt_neox ")
    again = setol(environment(hub, tmp_path, offline=True), *command)
    assert again.returncode == 0, again.stderr
    assert "0 weight files computed, 1 there already" in again.stdout
