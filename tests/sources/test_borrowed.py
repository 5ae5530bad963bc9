"""Weights that were fetched for a run are gone after it; what was there before is not."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from catalogs import WeightFile
from checkpoints import borrowed as module
from checkpoints.borrowed import borrowed
from checkpoints.errors import CheckpointError
from checkpoints.fetch import fetch
from tests.sources.conftest import environment, setol, weights
from tests.sources.hub_standin import Fault, HubStandin, sha256


def put(hub: HubStandin, name: str, *faults: Fault) -> WeightFile:
    """Put weights on the web of the stand-in."""
    content = weights(41) + name.encode()
    hub.add(f"borrowed/{name}", {"model.safetensors": content}, *faults)
    digest = sha256(content)
    url = f"{hub.storage_address}/blobs/{digest}/{name}.safetensors"
    return WeightFile(model=f"url:{url}#sha256={digest}", name=name, file=url, weights_sha256=digest, size=len(content))


def held(cache: Path) -> list[str]:
    """Names of the weights in a cache, whole or in part."""
    return sorted(
        path.name for folder in ("files", "partial") for path in (cache / folder).rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("keep", [False, True])
def test_what_was_fetched_is_removed_unless_it_is_to_be_kept(hub, tmp_path, keep):
    file = put(hub, f"fetched-{keep}")
    with borrowed(file, tmp_path, keep=keep) as weights_here:
        assert weights_here.path.is_file()
        assert weights_here.bytes_fetched == file.size
    assert held(tmp_path) == ([weights_here.path.name] if keep else [])


def test_what_was_there_before_stays(hub, tmp_path):
    file = put(hub, "before")
    path = fetch(file, tmp_path)
    with borrowed(file, tmp_path, keep=False) as weights_here:
        assert weights_here.bytes_fetched == 0
    assert held(tmp_path) == [path.name]


def test_the_last_of_two_removes_it(hub, tmp_path):
    file = put(hub, "shared")
    with borrowed(file, tmp_path, keep=False) as first:
        with borrowed(file, tmp_path, keep=False) as second:
            assert second.bytes_fetched == 0
        assert first.path.is_file()
    assert held(tmp_path) == []


def test_one_that_keeps_it_has_its_way(hub, tmp_path):
    file = put(hub, "wanted")
    with borrowed(file, tmp_path, keep=False), borrowed(file, tmp_path, keep=True):
        pass
    assert held(tmp_path) == ["wanted.safetensors"]


def test_what_a_killed_process_left_is_removed_by_the_next(hub, tmp_path):
    file, other = put(hub, "orphan"), put(hub, "other")
    code = (
        "import json, sys, time; from pathlib import Path; from catalogs import WeightFile;"
        "from checkpoints.borrowed import borrowed\n"
        "file = WeightFile(**json.loads(sys.argv[2]))\n"
        "with borrowed(file, Path(sys.argv[1]), keep=False): print('here', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), json.dumps(asdict(file))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    with borrowed(other, tmp_path, keep=False):
        pass
    assert held(tmp_path) == ["orphan.safetensors"]  # somebody works on it
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with borrowed(other, tmp_path, keep=False):
        pass
    assert held(tmp_path) == []


def test_a_failure_in_between_removes_it_too(hub, tmp_path):
    file = put(hub, "failing")
    with pytest.raises(ValueError, match="no good"), borrowed(file, tmp_path, keep=False):
        raise ValueError("no good")
    assert held(tmp_path) == []


def test_a_full_disk_gets_its_room_back(hub, tmp_path, monkeypatch):
    file = put(hub, "full")
    left = module.partial_of(file.file, tmp_path)

    def fill(*_: object) -> Path:
        left.parent.mkdir(parents=True)
        left.write_bytes(b"part of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "fetch", fill)
    with pytest.raises(OSError, match="No space left"), borrowed(file, tmp_path, keep=False):
        pass
    assert held(tmp_path) == []


def test_a_file_of_ones_own_stays_and_leaves_no_trace(tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_bytes(weights(42))
    digest, size = sha256(path.read_bytes()), path.stat().st_size
    file = WeightFile(model=f"path:{path}", name="own", file=str(path), weights_sha256=digest, size=size)
    with borrowed(file, tmp_path / "cache", keep=False) as weights_here:
        assert weights_here.bytes_fetched == 0
    assert path.is_file()
    assert not (tmp_path / "cache").exists()


def test_weights_that_cannot_be_had_leave_no_mark(hub, tmp_path):
    file = put(hub, "gone", *[Fault("blob", status=404)] * 9)
    with pytest.raises(CheckpointError, match="the server answers 404"), borrowed(file, tmp_path, keep=False):
        pass
    assert list((tmp_path / "borrowed").glob("*.mark")) == []
    assert list((tmp_path / "borrowed").glob("*.user")) == []


@pytest.mark.parametrize("words", [(), ("--keep-weights",)])
def test_a_run_leaves_the_hubs_cache_as_it_was(hub, tmp_path, words):
    pytest.importorskip("huggingface_hub", reason="needs the hub's client")
    repo = hub.add(f"borrowed/run{len(words)}", {"model.safetensors": weights(43 + len(words))})
    env = environment(hub, tmp_path)
    options = ("--executor", "serial", "--device", "cpu", "--results", tmp_path / "r", *words)
    run = setol(env, "run", f"borrowed/run{len(words)}", *options)
    assert run.returncode == 0, run.stderr
    digest = sha256(repo.files["model.safetensors"])
    names = [path.name for path in (tmp_path / "hf").rglob("*")]
    assert (digest in names) == ("model.safetensors" in names) == bool(words)
    assert setol(env, "run", f"borrowed/run{len(words)}", *options).returncode == 0  # there is nothing left to do
