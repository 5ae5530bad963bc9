"""Weights of the hub, against a server on this machine that answers as the hub does."""

import json
from pathlib import Path

import pytest

from tests.sources.conftest import environment, probe, weights
from tests.sources.hub_standin import TOKEN, Fault, HubStandin, sha256

CONFIG = b'{"architecture": "toy", "model_type": "toy"}'
PIECE = 10 * 2**20
"""Bytes that the hub's client writes at a time: what it can go on from."""
GATED = (("X-Error-Code", "GatedRepo"),)
INDEX = {"weight_map": {"fc.weight": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}


@pytest.fixture(scope="module")
def zoo(hub) -> HubStandin:
    """Repositories of every shape, and one for every fault."""
    one = {"model.safetensors": weights(1), "config.json": CONFIG, "pytorch_model.bin": weights(2)}
    hub.add("org/formats", one)
    hub.add("org/only-pickle", {"pytorch_model.bin": weights(3), "README.md": b"text"})
    shards = {
        "model.safetensors.index.json": json.dumps(INDEX).encode(),
        "model-00001-of-00002.safetensors": weights(4),
        "model-00002-of-00002.safetensors": weights(5),
        "pytorch_model.bin": weights(6),
    }
    hub.add("org/sharded", shards)
    outside = {"model.safetensors.index.json": b'{"weight_map": {"a": "../x.safetensors"}}'}
    hub.add("org/outside", outside)
    hub.add("org/several", {"a.safetensors": weights(7), "b.safetensors": weights(8)})
    hub.add("org/nothing", {"README.md": b"text", "model.gguf": b"GGUF"})
    hub.add("org/private", {"model.safetensors": weights(9)}, private=True)

    def faulty(name: str, *faults: Fault, rows: int = 90) -> None:
        hub.add(f"org/{name}", {"model.safetensors": weights(sum(map(ord, name)), rows)}, *faults)

    faulty("gated", Fault("resolve", 403, GATED))
    faulty("gated-file", *[Fault("resolve", 403, GATED)] * 4)
    faulty("forbidden", Fault("resolve", 403))
    faulty("busy", Fault("resolve", 429, (("Retry-After", "1"),)))
    faulty("busy-hours", Fault("resolve", 429, (("Retry-After", "7200"),)))
    faulty("fault", Fault("resolve", 503))
    faulty("down", *[Fault("resolve", 500)] * 9)
    # What is not in model.safetensors is looked for in the list of the repository, by a request of another kind.
    hub.add("org/listed-gated", {"pytorch_model.bin": weights(31)}, Fault("info", 403, GATED))
    hub.add("org/listed-busy", {"pytorch_model.bin": weights(32)}, Fault("info", 429, (("Retry-After", "1"),)))
    hub.add("org/listed-down", {"pytorch_model.bin": weights(33)}, *[Fault("info", 500)] * 9)
    faulty("resolve-fault", Fault("resolve", 503))
    faulty("blob-fault", Fault("blob", 502))
    faulty("cut", Fault("blob", keep=0.8), rows=60_000)  # more than one of the client's pieces
    faulty("reset", Fault("blob", keep=0.5, reset=True))
    faulty("wrong", Fault("blob", wrong=True))
    return hub


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def told(zoo, home) -> dict[str, dict]:
    """What becomes of every repository, asked for in one process."""
    keys = [f"hub:{name}" for name in zoo.repositories] + [
        "hub:org/formats@nobranch",
        "hub:org/unknown",
    ]
    rows = [{"model": key} for key in keys]
    rows.append({"model": "hub:org/several@main", "file": "b.safetensors"})
    rows.append({"model": "hub:org/formats@main", "file": "modl.safetensors"})
    rows.append({"model": f"hub:org/formats@{zoo.repositories['org/formats'].commit}", "weights_sha256": "0" * 64})
    return {each["model"]: each for each in probe(environment(zoo, home), *rows)}


def test_one_file_is_identified_by_the_hub_and_verified(zoo, told, home):
    found = told["hub:org/formats"]
    repository = zoo.repositories["org/formats"]
    content = repository.files["model.safetensors"]
    assert found["key"] == f"hub:org/formats@{repository.commit}"
    assert (found["files"], found["sha256"], found["size"]) == (
        ["model.safetensors"],
        [sha256(content)],
        [len(content)],
    )
    path = Path(found["paths"][0])
    assert path.read_bytes() == content
    assert path.is_relative_to(home / "hf")  # the user's own cache, shared with everything else
    assert path.with_name("config.json").read_bytes() == CONFIG
    assert not path.with_name("pytorch_model.bin").exists()  # nothing is downloaded that is not needed


def test_the_token_goes_to_the_hub_and_not_where_it_redirects_to(zoo, told):
    assert all(each.headers["authorization"] == f"Bearer {TOKEN}" for each in zoo.requests("org/private"))
    stored = [each for each in zoo.seen if each.where == "storage"]
    assert len(stored) > 5
    assert not [each for each in stored if "authorization" in each.headers or TOKEN in str(each)]
    assert told["hub:org/private"]["error"] is None


def test_nobody_is_told_of_the_use(zoo, told):
    paths = [each.path for each in zoo.seen if each.where == "hub"]
    assert len(paths) > 20
    assert [path for path in paths if not (path.startswith("/api/models/") or "/resolve/" in path)] == []


def test_a_pickle_where_there_is_nothing_better(zoo, told):
    assert told["hub:org/only-pickle"]["files"] == ["pytorch_model.bin"]


def test_shards_by_their_index(zoo, told):
    found = told["hub:org/sharded"]
    files = zoo.repositories["org/sharded"].files
    assert found["files"] == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert found["sha256"] == [sha256(files[name]) for name in found["files"]]
    assert [Path(path).read_bytes() for path in found["paths"]] == [files[name] for name in found["files"]]


def test_a_file_chosen_in_the_catalog(told):
    assert told["hub:org/several@main"]["files"] == ["b.safetensors"]


@pytest.mark.parametrize("name", ["busy", "listed-busy", "fault", "resolve-fault", "blob-fault", "cut", "reset"])
def test_what_passes_is_waited_for(told, name):
    assert told[f"hub:org/{name}"]["error"] is None


def test_the_time_that_a_busy_hub_asks_for_is_waited(told):
    assert told["hub:org/busy"]["seconds"] >= 1
    assert told["hub:org/listed-busy"]["seconds"] >= 1


def test_a_download_goes_on_where_it_broke_off(zoo, told):
    size = len(zoo.repositories["org/cut"].files["model.safetensors"])
    assert size > 1.25 * PIECE
    ranges = [each.headers["range"] for each in zoo.requests("org/cut", "storage") if "range" in each.headers]
    assert ranges == [f"bytes={PIECE}-"]
    assert Path(told["hub:org/cut"]["paths"][0]).stat().st_size == size


REFUSED = {
    "hub:org/gated": (False, r"hub:org/gated is gated: accept its conditions at http\S+/org/gated and set HF_TOKEN"),
    "hub:org/gated-file": (False, r"gated: accept its conditions at http\S+/org/gated-file"),
    "hub:org/listed-gated": (False, r"hub:org/listed-gated is gated: accept its conditions at http"),
    "hub:org/listed-down": (True, r"hub:org/listed-down: the hub answers 500, a fault on its side"),
    "hub:org/forbidden": (False, r"may not be read with this token \(403\): set HF_TOKEN"),
    "hub:org/busy-hours": (True, r"the hub answers 429, too many requests"),
    "hub:org/down": (True, r"the hub answers 500, a fault on its side\. Run the same command again later"),
    "hub:org/wrong": (False, r"wrong hash: hub:org/wrong@[0-9a-f]{40} model\.safetensors \(in the cache: .*must have"),
    "hub:org/nothing": (False, r"holds no weight file that can be read: need .*; it has README\.md, model\.gguf"),
    "hub:org/several": (False, r"holds 2 weight files \(a\.safetensors, b\.safetensors\) and none .*column file"),
    "hub:org/outside": (False, r"names '\.\./x\.safetensors': shards must lie beside their index"),
    "hub:org/formats@nobranch": (False, r"hub:org/formats@nobranch: the hub has no such revision \(404\)"),
    "hub:org/unknown": (False, r"hub:org/unknown: the hub has no such repository \(404\)"),
    "hub:org/formats@main": (False, r"unknown file 'modl\.safetensors'; nearest: model\.safetensors"),
}


@pytest.mark.parametrize("model", REFUSED)
def test_what_does_not_pass_is_told(told, model):
    transient, message = REFUSED[model]
    with pytest.raises(AssertionError, match=message):  # the pattern is looked for in the message itself
        raise AssertionError(told[model]["error"])
    assert told[model]["transient"] is transient


def test_a_pinned_hash_that_the_hub_does_not_have(zoo, told):
    found = told[f"hub:org/formats@{zoo.repositories['org/formats'].commit}"]
    assert found["error"].startswith("wrong hash: hub:org/formats@")
    assert found["transient"] is False


def test_what_is_in_the_cache_needs_few_requests_and_none_offline(zoo, told, home):
    before = len(zoo.seen)
    commit = zoo.repositories["org/formats"].commit
    (branch,) = probe(environment(zoo, home), {"model": "hub:org/formats"})
    asked = [(each.method, each.path) for each in zoo.seen[before:]]
    assert asked == [("HEAD", "/org/formats/resolve/main/model.safetensors")]
    before = len(zoo.seen)
    (pinned,) = probe(environment(zoo, home), {"model": f"hub:org/formats@{commit}"})
    rows = [{"model": "hub:org/formats"}, {"model": f"hub:org/formats@{commit}"}, {"model": "hub:org/sharded"}]
    *offline, sharded = probe(environment(zoo, home, token=False, offline=True), *rows)
    assert zoo.seen[before:] == []
    kept = ("key", "files", "sha256", "size", "paths")
    assert all({name: each[name] for name in kept} == {name: branch[name] for name in kept} for each in offline)
    assert pinned["paths"] == branch["paths"]
    assert sharded["sha256"] == told["hub:org/sharded"]["sha256"]


def test_offline_without_the_model_in_the_cache(zoo, tmp_path):
    (found,) = probe(environment(zoo, tmp_path, offline=True), {"model": "hub:org/formats"})
    assert found["transient"] is True
    assert "is not in the cache" in found["error"] and "HF_HUB_OFFLINE" in found["error"]


def test_without_a_token_a_private_repository_is_not_there(zoo, tmp_path):
    (found,) = probe(environment(zoo, tmp_path, token=False), {"model": "hub:org/private"})
    assert found["transient"] is False
    assert "hub:org/private cannot be read (401)" in found["error"]
    assert "set HF_TOKEN" in found["error"]


def test_a_page_that_is_no_answer_of_the_hub(zoo, tmp_path):
    """What a captive portal sends: status 200, and no JSON."""
    page = (("Content-Type", "text/html"),)
    zoo.add("org/portal", {"model.safetensors": weights(10)}, Fault("resolve", 200, page))
    zoo.add("org/listed-portal", {"pytorch_model.bin": weights(11)}, Fault("info", 200, page))
    asked = ({"model": "hub:org/portal"}, {"model": "hub:org/listed-portal"})
    found, listed = probe(environment(zoo, tmp_path), *asked)
    assert found["transient"] is listed["transient"] is True
    assert "hub:org/portal: what came is no answer of the hub: it names no commit. Check HF_ENDPOINT" in found["error"]
    assert "hub:org/listed-portal: the hub's client failed (" in listed["error"]
    assert "Check HF_ENDPOINT" in listed["error"]


def test_a_hub_that_is_not_there(zoo, tmp_path):
    env = environment(zoo, tmp_path) | {"HF_ENDPOINT": "http://127.0.0.1:9"}
    (found,) = probe(env, {"model": "hub:org/formats"})
    assert found["transient"] is True
    assert "the connection to the hub failed (ConnectError)" in found["error"]
    assert found["error"].endswith("run the same command again.")  # nothing of it is in the cache


def test_a_cache_is_offered_where_it_holds_the_model(zoo, tmp_path):
    env = environment(zoo, tmp_path)
    (fetched,) = probe(env, {"model": "hub:org/formats"})
    assert fetched["error"] is None
    gone = env | {"HF_ENDPOINT": "http://127.0.0.1:9", "SETOL_CACHE": str(tmp_path / "fresh")}
    held, other = probe(gone, {"model": "hub:org/formats"}, {"model": "hub:org/only-pickle"})
    assert held["error"].endswith("run the same command again; HF_HUB_OFFLINE=1 uses what is in the cache.")
    assert other["error"].endswith("run the same command again.")
    (offline,) = probe(gone | {"HF_HUB_OFFLINE": "1"}, {"model": "hub:org/formats"})
    assert offline["error"] is None  # what was offered holds
