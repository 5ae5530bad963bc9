"""Models of the hub on Ray's workers: they download themselves, with the driver's hub and token."""

import tempfile
from pathlib import Path

import pytest

from tests.sources.conftest import environment, setol, weights
from tests.sources.hub_standin import TOKEN
from tests.sources.test_run import assert_nowhere

RESULTS = ("spectra", "layers", "options")


def published(folder: Path) -> dict[str, bytes]:
    """The files of results by their paths; the log, whose names and times differ, is left out."""
    files = [path for name in RESULTS for path in (folder / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.suffix == ".parquet"}


def test_two_models_on_two_workers_as_in_one_process(hub, tmp_path):
    pytest.importorskip("ray", reason="needs Ray")
    names = ("ray/first", "ray/second")
    for seed, name in enumerate(names, start=60):
        hub.add(name, {"model.safetensors": weights(seed), "config.json": b"{}"}, private=True)
    found = {}
    with tempfile.TemporaryDirectory(prefix="ray-") as logs:  # a short path: there are sockets in it
        for executor, options in (("ray", ("--cpus", 2)), ("serial", ())):
            home = tmp_path / executor
            before = len(hub.seen)
            env = environment(hub, home) | {"RAY_TMPDIR": logs}
            command = ("run", *names, "--executor", executor, *options, "--results", home / "r")
            run = setol(env, *command)
            assert run.returncode == 0, run.stderr
            assert "2 weight files computed" in run.stdout
            fetched = [each for each in hub.seen[before:] if each.where == "storage" and each.method == "GET"]
            assert len(fetched) == 2
            assert not [each for each in fetched if TOKEN in str(each)]
            assert not list((home / "hf").rglob("model.safetensors"))  # removed, as they were not there before
            found[executor] = published(home / "r")
            assert_nowhere(home, run.stdout + run.stderr)
        assert len(list(Path(logs).rglob("worker*.out"))) >= 2  # the logs are there
        assert not [path for path in Path(logs).rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert len(found["ray"]) == 4  # spectra and layers of each
    assert found["ray"] == found["serial"]
