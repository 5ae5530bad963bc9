"""`setol plan` of models that are not on this machine: headers alone are read, and they say what a run will do."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from analysis import open_results
from checkpoints.layout import lay_out
from checkpoints.safetensors_header import FIRST_BYTES
from checkpoints.tensors import TensorHeader
from checkpoints.torchvision_import import import_timm
from pipeline.planning.estimate import estimate
from tests.sources.conftest import environment, setol, weights
from tests.sources.hub_standin import TOKEN, Fault, HubStandin, sha256
from tests.sources.test_run import assert_nowhere

GATED = (("X-Error-Code", "GatedRepo"),)
INDEX = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
NEOX = {
    **{"model_type": "gpt_neox", "architectures": ["GPTNeoXForCausalLM"], "hidden_size": 80, "vocab_size": 90},
    **{"num_attention_heads": 4, "num_hidden_layers": 1, "intermediate_size": 8},
    **{"bos_token_id": 0, "eos_token_id": 1},
}
FUSED = "gpt_neox.layers.0.attention.query_key_value.weight"
LARGE = 30_000
"""Rows of matrices of 70 columns: 8.4 MB."""


def many_tensors(count: int) -> bytes:
    """A file whose header is longer than the first piece that is asked for."""
    generator = torch.Generator().manual_seed(count)
    return save({f"layers.{i}.fc.weight": torch.randn(3, 2, generator=generator) for i in range(count)})


@pytest.fixture(scope="module")
def zoo() -> Iterator[HubStandin]:
    hub = HubStandin()
    hub.add("org/large", {"model.safetensors": weights(40, LARGE)})
    hub.add("org/private", {"model.safetensors": weights(41)}, private=True)
    shards = {"model-00001-of-00002.safetensors": weights(42), "model-00002-of-00002.safetensors": weights(43, 100)}
    hub.add("org/sharded", {"model.safetensors.index.json": json.dumps(INDEX).encode(), **shards})
    fused = save({FUSED: torch.randn(240, 80, generator=torch.Generator().manual_seed(44))})
    hub.add("org/neox", {"model.safetensors": fused, "config.json": json.dumps(NEOX).encode()})
    hub.add("org/many", {"model.safetensors": many_tensors(1500)})
    hub.add("org/busy", {"model.safetensors": weights(45)}, Fault("blob", 503), Fault("resolve", 429))
    hub.add("org/whole", {"model.safetensors": weights(46, LARGE)}, Fault("blob", whole=True))
    hub.add("org/whole-many", {"model.safetensors": many_tensors(1600)}, *[Fault("blob", whole=True)] * 2)
    hub.add("org/pickle", {"pytorch_model.bin": weights(47)})
    hub.add("org/gated", {"model.safetensors": weights(48)}, *[Fault("resolve", 403, GATED)] * 9)
    hub.add("org/forbidden", {"model.safetensors": weights(53)}, *[Fault("blob", 403)] * 9)
    hub.add("org/lost", {"model.safetensors": weights(49)}, *[Fault("blob", 404)] * 9)
    hub.add("org/cut", {"model.safetensors": weights(50)[:-50]})
    hub.add("org/garbage", {"model.safetensors": b"\x09" + bytes(7) + b"not json!" + bytes(90)})
    hub.add("org/absurd", {"model.safetensors": b"\xff" * 200})
    hub.add("org/empty", {"model.safetensors": b""})
    hub.add("web/ranges", {"model.safetensors": weights(51, LARGE)})
    hub.add("web/no-ranges", {"model.safetensors": weights(52, LARGE)}, Fault("blob", whole=True))
    hub.add("web/long", {"model.safetensors": many_tensors(1700)})
    yield hub
    hub.close()


GOOD = ("org/large", "org/private", "org/sharded", "org/neox", "org/many", "org/busy", "org/whole", "org/whole-many")
BAD = ("org/pickle", "org/forbidden", "org/lost", "org/cut", "org/garbage", "org/absurd", "org/empty")
WEB = ("web/ranges", "web/no-ranges", "web/long")


def target(hub: HubStandin, name: str) -> str:
    if name.startswith("org/"):
        return f"hub:{name}"
    digest = sha256(hub.repositories[name].files["model.safetensors"])
    return f"url:{hub.storage_address}/blobs/{digest}/{name.partition('/')[2]}.safetensors#sha256={digest}"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def planned(zoo, home) -> dict[str, list[dict]]:
    """The rows of a plan by short name, asked for at once and before anything was downloaded."""
    targets = [target(zoo, name) for name in (*GOOD, *BAD, *WEB, "org/gated")]
    plan = setol(environment(zoo, home), "plan", *targets, "--results", home / "r", "--json")
    assert plan.returncode == 1, plan.stderr
    assert_nowhere(home, plan.stdout + plan.stderr)
    rows: dict[str, list[dict]] = {}
    for row in json.loads(plan.stdout)["files"]:
        rows.setdefault(row["model"].removeprefix("hub:").partition("@")[0], []).append(row)
        if row["model"].startswith("url:"):
            rows[f"web/{row['name']}"] = [row]
    return rows


def test_nothing_is_downloaded_but_headers(zoo, planned, home):
    assert list(home.rglob("*.safetensors")) == []
    assert {path.name for path in (home / "setol").iterdir()} == {"headers", "hub"}  # what was learnt
    assert zoo.bytes_sent("org/large") == zoo.bytes_sent("web/ranges") == FIRST_BYTES
    header = int.from_bytes(zoo.repositories["org/many"].files["model.safetensors"][:8], "little")
    assert header > FIRST_BYTES
    assert zoo.bytes_sent("org/many") == 8 + header  # two pieces, and not a byte twice
    ranges = [each.headers["range"] for each in zoo.requests("org/many", "storage")]
    assert ranges == [f"bytes=0-{FIRST_BYTES - 1}", f"bytes={FIRST_BYTES}-{8 + header - 1}"]
    every = [each for each in zoo.seen if each.where == "storage"]
    assert len(every) > 15 and all("range" in each.headers for each in every)


@pytest.mark.parametrize("name", ["org/whole", "web/no-ranges"])
def test_a_server_that_knows_no_ranges_is_told_to_stop(zoo, planned, name):
    (row,) = planned[name]
    assert row["estimate"]["n_params"] == LARGE * 71
    size = len(zoo.repositories[name].files["model.safetensors"])
    assert row["bytes"] == size
    # What the two ends of the connection hold is on its way before that is seen.
    assert zoo.bytes_sent(name) < size


def test_a_long_header_from_a_server_that_knows_no_ranges(planned):
    (row,) = planned["org/whole-many"]
    assert (row["estimate"]["n_tensors"], row["estimate"]["matrices"]) == (1600, {"linear": 1600})


def test_what_a_plan_says(zoo, planned):
    (row,) = planned["org/large"]
    assert (row["to_do"], row["fetch"], row["pickle"], row["note"]) == ("compute", True, False, None)
    assert row["bytes"] == len(zoo.repositories["org/large"].files["model.safetensors"])
    found = row["estimate"]
    assert (found["n_tensors"], found["n_params"]) == (2, LARGE * 71)
    assert (found["matrices"], found["skipped"]) == ({"linear": 1}, {"vector": 1})
    assert found["gram_flops"] == LARGE * 70**2
    assert [row["estimate"]["n_params"] for row in planned["org/sharded"]] == [100 * 71, 90 * 71]  # largest first


def test_the_token_goes_to_the_hub_and_not_where_it_redirects_to(zoo, planned):
    assert planned["org/private"][0]["note"] is None
    assert all(each.headers["authorization"] == f"Bearer {TOKEN}" for each in zoo.requests("org/private"))
    stored = [each for each in zoo.seen if each.where == "storage"]
    assert not [each for each in stored if "authorization" in each.headers or TOKEN in str(each)]


def test_the_architecture_tells_the_matrices_as_in_a_run(planned):
    by_name = estimate(lay_out([TensorHeader(FUSED, "float32", (240, 80))]))
    (row,) = planned["org/neox"]
    assert row["estimate"]["matrices"] == {"linear": 3}
    assert row["estimate"]["gram_flops"] == 3 * 80**3
    assert by_name.matrices == {"linear": 1}  # what the name alone would say


TOLD = {
    "org/pickle": r"unknown before download: a pickle's tensors are listed only inside it",
    "org/forbidden": r"hub:org/forbidden@[0-9a-f]{40} model\.safetensors may not be read with this token \(403\)",
    "org/lost": r"hub:org/lost@[0-9a-f]{40} model\.safetensors: the hub has no such .* \(404\)",
    "org/cut": r"damaged safetensors file model\.safetensors: its tensors take \d+ bytes, and \d+ are there",
    "org/garbage": r"damaged safetensors file model\.safetensors: its header is no list of tensors",
    "org/absurd": r"damaged safetensors file model\.safetensors: its header would have 18446744073709551615 bytes",
    "org/empty": r"damaged safetensors file model\.safetensors: it is empty \(0 bytes\)",
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_told_and_the_rest_goes_on(planned, name):
    (row,) = planned[name]
    assert (row["estimate"], row["to_do"]) == (None, "compute" if name == "org/pickle" else "fails")
    with pytest.raises(AssertionError, match=TOLD[name]):  # the pattern is looked for in the message itself
        raise AssertionError(row["note"])


def test_a_gated_model_fails_as_in_a_run(planned):
    (row,) = planned["org/gated"]
    assert (row["estimate"], row["to_do"]) == (None, "fails")
    assert "is gated: accept its conditions at" in row["note"]


def test_a_run_does_what_the_plan_said(zoo, planned, home):
    env, results = environment(zoo, home), home / "r"
    targets = [target(zoo, name) for name in (*GOOD, *WEB)]
    run = setol(env, "run", *targets, "--results", results, "--executor", "serial", "--json")
    assert run.returncode == 0, run.stderr
    query = "SELECT model, file, tensor, role, kind, reason, n_rows, n_cols, n_slices, n_params FROM spectra"
    ledger = open_results(results).rows(query)
    rows = [row for name in (*GOOD, *WEB) for row in planned[name]]
    assert len(rows) == len(GOOD) + len(WEB) + 1
    for row in rows:
        mine = [each for each in ledger if (each["model"], each["file"]) == (row["model"], row["file"])]
        made = [each for each in mine if each["role"] == "analyzed"]
        found = row["estimate"]
        assert found["n_tensors"] == len({each["tensor"] for each in mine})
        assert found["n_params"] == sum(each["n_params"] for each in mine)
        assert found["matrices"] == Counter(each["kind"] for each in made)
        assert found["skipped"] == Counter(each["reason"] for each in mine if each["role"] == "skipped")
        assert found["gram_flops"] == sum(each["n_slices"] * each["n_rows"] * each["n_cols"] ** 2 for each in made)


def test_what_is_in_the_cache_is_planned_without_a_request(zoo, planned, home):
    """After the run above: what was read from headers comes from the cache now, and is the same."""
    names = ("org/large", "org/sharded", "org/neox", "web/ranges")
    before = len(zoo.seen)
    arguments = ("plan", *(target(zoo, name) for name in names), "--results", home / "other", "--json")
    offline = setol(environment(zoo, home, token=False, offline=True), *arguments)
    assert offline.returncode == 0, offline.stderr
    assert zoo.seen[before:] == []
    rows = json.loads(offline.stdout)["files"]
    known = [row for name in names for row in planned[name]]
    there, expected = ([row | {"fetch": None} for row in each] for each in (rows, known))  # weights may be cleared away
    assert sorted(there, key=lambda row: row["bytes"]) == sorted(expected, key=lambda row: row["bytes"])
    online = setol(environment(zoo, home), *arguments)
    assert json.loads(online.stdout)["files"] == rows
    assert zoo.seen[before:] == []  # a plan takes a branch to stand where it stood minutes ago


def test_offline_what_is_not_in_the_cache_stays_unknown(zoo, tmp_path):
    """A catalog that pins everything needs no question to be planned, and gets no answer about shapes."""
    repository = zoo.repositories["org/large"]
    digest = sha256(repository.files["model.safetensors"])
    (tmp_path / "pinned.csv").write_text(
        f"model,file,weights_sha256\nhub:org/large@{repository.commit},model.safetensors,{digest}\n"
    )
    before = len(zoo.seen)
    env = environment(zoo, tmp_path, offline=True)
    plan = setol(env, "plan", "--catalog", tmp_path / "pinned.csv", "--results", tmp_path / "r", "--json")
    assert plan.returncode == 1, plan.stderr
    (row,) = json.loads(plan.stdout)["files"]
    assert (row["estimate"], row["bytes"], row["to_do"], row["fetch"]) == (None, None, "fails", False)
    assert "is not in the cache, and HF_HUB_OFFLINE forbids to fetch it" in row["note"]
    assert zoo.seen[before:] == []


def test_the_table_says_what_is_to_be_fetched(zoo, home):
    env = environment(zoo, home / "table") | {"COLUMNS": "200"}
    plan = setol(env, "plan", "hub:org/large", "hub:org/pickle", "--results", home / "table" / "r")
    assert plan.returncode == 0, plan.stderr
    assert "1 file unknown before download: a pickle's tensors are listed only inside it" in plan.stdout
    assert "2 weight files: 2 to do (8.5 MB, 8.5 MB of it to fetch)" in plan.stdout
    assert "skipped: 1 tensor, vector" in plan.stdout


def test_a_model_of_timm_is_planned_from_its_repository(tmp_path):
    pytest.importorskip("huggingface_hub", reason="needs the hub's client")
    timm = import_timm()
    torch.manual_seed(70)
    state = timm.create_model("test_resnet").state_dict()
    hub = HubStandin()
    try:
        repository = hub.add("timm/test_resnet.r160_in1k", {"model.safetensors": save(state)})
        env = environment(hub, tmp_path)
        plan = setol(env, "plan", "timm:test_resnet", "--results", tmp_path / "r", "--json")
        assert plan.returncode == 0, plan.stderr
        (row,) = json.loads(plan.stdout)["files"]
        assert row["model"] == f"timm:test_resnet.r160_in1k@{repository.commit}"
        assert hub.bytes_sent("timm/test_resnet.r160_in1k") == min(FIRST_BYTES, row["bytes"])
        run = setol(env, "run", "timm:test_resnet", "--results", tmp_path / "r", "--executor", "serial")
        assert run.returncode == 0, run.stderr
        other = environment(hub, tmp_path / "another machine")  # without the weights: the spectra are enough
        refit = setol(other, "plan", "timm:test_resnet", "--min-evals", 9, "--results", tmp_path / "r", "--json")
        assert refit.returncode == 0, refit.stderr
        assert [(each["to_do"], each["fetch"]) for each in json.loads(refit.stdout)["files"]] == [("refit", False)]
    finally:
        hub.close()
    query = "SELECT kind, reason, role, layout FROM spectra"
    ledger = open_results(tmp_path / "r").rows(query)
    assert "architecture" in {each["layout"] for each in ledger}
    assert row["estimate"]["n_tensors"] == len(state)
    assert row["estimate"]["matrices"] == Counter(each["kind"] for each in ledger if each["role"] == "analyzed")
    assert row["estimate"]["skipped"] == Counter(each["reason"] for each in ledger if each["role"] == "skipped")
