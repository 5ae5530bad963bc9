"""A plan of a checkpoint of 13 billion parameters in shards, from 64 KiB of each."""

import json
from collections.abc import Iterator

import pytest

from tests.sources.conftest import environment, setol
from tests.sources.hub_standin import LARGE, Hollow, HubStandin, Repository

WIDTH, INNER, WORDS, BLOCKS, SHARDS = 5120, 13824, 32000, 40, 6
CONFIG = {
    **{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": WIDTH, "vocab_size": WORDS},
    **{"intermediate_size": INNER, "num_hidden_layers": BLOCKS, "num_attention_heads": 40, "num_key_value_heads": 40},
    **{"bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False},
}
MATRICES = {
    **{f"self_attn.{name}_proj": (WIDTH, WIDTH) for name in "qkvo"},
    **{"mlp.gate_proj": (INNER, WIDTH), "mlp.up_proj": (INNER, WIDTH), "mlp.down_proj": (WIDTH, INNER)},
}
NORMS = ("input_layernorm", "post_attention_layernorm")


def shapes_by_shard() -> list[dict[str, tuple[int, ...]]]:
    """Blocks one after the other, as they are saved."""
    shards: list[dict[str, tuple[int, ...]]] = [{} for _ in range(SHARDS)]
    shards[0]["model.embed_tokens.weight"] = (WORDS, WIDTH)
    for block in range(BLOCKS):
        shard = shards[block * SHARDS // BLOCKS]
        shard |= {f"model.layers.{block}.{name}.weight": shape for name, shape in MATRICES.items()}
        shard |= {f"model.layers.{block}.{name}.weight": (WIDTH,) for name in NORMS}
    shards[-1] |= {"model.norm.weight": (WIDTH,), "lm_head.weight": (WORDS, WIDTH)}
    return shards


def header_of(shapes: dict[str, tuple[int, ...]]) -> Hollow:
    """A safetensors file in bfloat16, up to its first tensor."""
    end, entries = 0, {}
    for name, shape in shapes.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        entries[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    header = json.dumps(entries).encode()
    return Hollow(len(header).to_bytes(8, "little") + header, 8 + len(header) + end)


@pytest.fixture(scope="module")
def hub() -> Iterator[HubStandin]:
    standin = HubStandin()
    names = [f"model-{i:05}-of-{SHARDS:05}.safetensors" for i in range(1, SHARDS + 1)]
    shards = {name: header_of(shapes) for name, shapes in zip(names, shapes_by_shard(), strict=True)}
    weight_map = {tensor: names[i] for i, each in enumerate(shapes_by_shard()) for tensor in each}
    small = {"model.safetensors.index.json": {"weight_map": weight_map}, "config.json": CONFIG}
    files = {**shards, **{name: json.dumps(content).encode() for name, content in small.items()}}
    standin.repositories["org/llama-13b"] = Repository(files, "0" * 39 + "1", {"main": "0" * 39 + "1"})
    for path, content in files.items():
        if path.endswith(LARGE):
            standin.blobs[content.sha256] = content
            standin.owners[content.sha256] = "org/llama-13b"
    yield standin
    standin.close()


def plan(hub, home, *words: str, status: int = 0) -> dict:
    found = setol(environment(hub, home), "plan", "org/llama-13b", "--results", home / "r", "--json", *words)
    assert found.returncode == status, found.stderr
    return json.loads(found.stdout) | {"stderr": found.stderr}


def test_forty_blocks_from_headers_alone(hub, tmp_path):
    pytest.importorskip("transformers", reason="tells the layers by the model's own architecture")
    found = plan(hub, tmp_path, "--workers", "4", "--network", "8Gbit/s", "--node-memory", "16GB")
    rows = found["files"]
    assert len(rows) == SHARDS
    assert {row["to_do"] for row in rows} == {"compute"}
    estimates = [row["estimate"] for row in rows]
    n_matrices = {"linear": 7 * BLOCKS + 1, "embedding": 1}
    for kind, count in n_matrices.items():
        assert sum(each["matrices"].get(kind, 0) for each in estimates) == count
    assert sum(each["n_params"] for each in estimates) == 13_015_864_320
    in_a_block = 4 * WIDTH**3 + 3 * INNER * WIDTH**2
    assert sum(each["gram_flops"] for each in estimates) == BLOCKS * in_a_block + 2 * WORDS * WIDTH**2
    assert sum(each["eigen_flops"] for each in estimates) == (7 * BLOCKS + 2) * (4 * WIDTH**3 // 3)
    assert sum(each["skipped"]["vector"] for each in estimates) == 2 * BLOCKS + 1
    assert max(row["cost"]["memory"] for row in rows) < 2.5 * 2**30
    assert found["forecast"]["network_seconds"] == pytest.approx(26.03, abs=0.01)
    assert found["forecast"]["bottleneck"] == "compute"
    assert sum(hub.sent.values()) < 10**6


def test_what_no_machine_can_hold_is_named(hub, tmp_path):
    found = plan(hub, tmp_path, "--node-memory", "700MB", status=1)
    assert len(found["forecast"]["too_large"]) == SHARDS
    assert "takes about 732 MB of memory, more than the 700 MB of the largest machine" in found["stderr"]
    assert plan(hub, tmp_path, "--node-memory", "740MB")["forecast"]["too_large"] == []
