"""A plan of many models of the hub: few requests, never too many in a second, and nothing asked twice."""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from tests.sources.conftest import environment, setol
from tests.sources.hub_standin import Fault, HubStandin
from tests.sources.test_plan import FUSED, GATED, INDEX, NEOX

N_MODELS = 300
N_ARCHITECTURES = 12
RATE = 200
N_THREADS = 8


def content(heads: int, seed: int) -> bytes:
    """A block of GPT-NeoX of some width; no two files are alike."""
    width = 20 * heads
    weight = np.random.default_rng(seed).standard_normal((3 * width, width)).astype(np.float32)
    return save({FUSED: weight, FUSED.replace("weight", "bias"): np.zeros(3 * width, np.float32)})


def config(heads: int, seed: int) -> bytes:
    shape = {"hidden_size": 20 * heads, "num_attention_heads": heads, "intermediate_size": 8 * heads}
    return json.dumps(NEOX | shape | {"_name_or_path": f"somebody/{seed}", "transformers_version": "4.1"}).encode()


def heads_of(number: int) -> int:
    return 2 + number % N_ARCHITECTURES


@pytest.fixture(scope="module")
def zoo() -> Iterator[HubStandin]:
    hub = HubStandin()
    for number in range(N_MODELS - 5):
        heads = heads_of(number)
        files = {"model.safetensors": content(heads, number), "config.json": config(heads, number)}
        refused = [Fault("resolve", 429, (("Retry-After", "2"),))] if number in (60, 200) else []
        hub.add(f"org/model-{number:04}", files, *refused)
    # The first one of an architecture of its own is damaged: the second does not fail with it.
    wide = {"config.json": config(30, 0)}
    whole = content(30, 1)
    hub.add("org/odd-1", {"model.safetensors": b"\x09" + bytes(len(whole) - 1), **wide})
    hub.add("org/odd-2", {"model.safetensors": whole, **wide})
    hub.add("org/gated", {"model.safetensors": content(2, 9999)}, *[Fault("resolve", 403, GATED)] * 9)
    shards = {
        "model-00001-of-00002.safetensors": content(2, 9001),
        "model-00002-of-00002.safetensors": content(3, 9002),
    }
    hub.add("org/sharded", {"model.safetensors.index.json": json.dumps(INDEX).encode(), **shards})
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


def plan(zoo: HubStandin, home: Path, *words: object) -> dict:
    names = [*(f"org/{name}" for name in ("missing",)), *zoo.repositories]
    catalog = home / "many.csv"
    catalog.write_text("model\n" + "".join(f"hub:{name}\n" for name in names))
    env = environment(zoo, home) | {"SETOL_HUB_RATE": str(RATE)}
    done = setol(env, "plan", "--catalog", catalog, "--results", home / "r", "--json", *words)
    assert done.returncode == 1, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def planned(zoo, home) -> dict:
    return plan(zoo, home, "--workers", 50, "--network", "10Gbit/s", "--price", 0.5, "--node-memory", "4GB")


def test_every_model_has_a_row_and_what_cannot_be_had_is_named(planned):
    rows = {row["name"].removeprefix("org/"): row for row in planned["files"]}
    told = Counter(row["to_do"] for row in planned["files"])
    assert told == {"compute": N_MODELS - 5 + 1 + 2, "fails": 3}  # two shards
    assert "the hub has no such repository (404)" in rows["missing"]["note"]
    assert "is gated: accept its conditions at" in rows["gated"]["note"]
    assert rows["odd-1"]["note"].startswith("damaged safetensors file")
    assert rows["odd-2"]["note"] is None and rows["odd-2"]["like"] is None


def test_two_requests_a_model_and_a_header_an_architecture(zoo, planned):
    kinds = Counter(
        f"{each.method} {'list' if each.path.startswith('/api/') else each.path.rpartition('/')[2]}"
        for each in zoo.seen
        if each.where == "hub"
    )
    again = 2  # refused at first
    n_models = N_MODELS - 5 + 4
    headers = N_ARCHITECTURES + 2 + 2  # both odd ones, both shards
    assert kinds["HEAD model.safetensors"] + kinds["GET config.json"] <= 2 * (n_models + 1) + again
    assert kinds["GET config.json"] >= N_MODELS - 5
    assert kinds["GET list"] == 1  # only the one in shards
    assert len([each for each in zoo.seen if each.where == "storage"]) == headers
    # The first answer of a repository that is not there may be asked for twice; nothing else is.
    assert sum(kinds.values()) <= 2 * n_models + headers + again + 8


def test_headers_of_others_tell_the_same_as_ones_own(planned):
    rows = [row for row in planned["files"] if row["name"].startswith("org/model-") or row["name"].startswith("model-")]
    assert len(rows) == N_MODELS - 5
    assert sum(row["like"] is None for row in rows) == N_ARCHITECTURES
    for row in rows:
        width = 20 * heads_of(int(row["name"].rpartition("-")[2]))
        assert row["estimate"]["matrices"] == {"linear": 3}  # as the architecture tells: query, key and value
        assert row["estimate"]["gram_flops"] == 3 * width**3


def test_the_rate_is_never_above_the_limit(zoo, planned):
    times = [each.at for each in zoo.seen if each.where == "hub"]
    times.sort()
    for seconds in (1, 3):
        most = max(bisect_right(times, start + seconds) - place for place, start in enumerate(times))
        assert most <= RATE * seconds + N_THREADS  # those that were on their way


def test_a_refusal_stops_all_threads_for_as_long_as_it_says(zoo, planned):
    times = sorted(each.at for each in zoo.seen if each.where == "hub")
    gaps = sorted((later - earlier for earlier, later in pairwise(times)), reverse=True)
    assert gaps[1] >= 1.5  # two refusals, of two seconds each


def test_the_forecast_adds_up(planned):
    found, rows = planned["forecast"], [row for row in planned["files"] if row["to_do"] == "compute"]
    assert planned["workers"] == {"count": 50, "network": 1.25e9, "node_memory": 4 * 10**9, "hourly": 0.5}
    assert planned["assumed"] == []
    assert found["network_seconds"] == pytest.approx(sum(row["bytes"] for row in rows) / 1.25e9)
    assert found["compute_seconds"] >= sum(row["cost"]["seconds"] for row in rows) / 50
    assert found["price"] == pytest.approx(found["seconds"] * 50 / 3600 * 0.5)
    assert found["writes"] == 3 * len(rows)
    assert found["too_large"] == []


def test_a_second_plan_asks_nothing_but_what_was_refused(zoo, planned, home):
    before = len(zoo.seen)
    again = plan(zoo, home)
    asked = {each.path.split("/resolve/")[0] for each in zoo.seen[before:]}
    assert asked <= {"/org/gated", "/org/missing", "/org/odd-1", "/api/models/org/missing"}
    before_and_after = [
        {row["model"]: {**row, "like": None} for row in each["files"] if row["name"] != "odd-1"}
        for each in (planned, again)
    ]
    assert before_and_after[0] == before_and_after[1]
    (odd,) = (row for row in again["files"] if row["name"] == "odd-1")
    assert odd["like"] == "odd-2"  # damaged, which only its own header tells
