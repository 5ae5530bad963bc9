"""Secrets of the environment, of addresses and of redirects: in no byte that is written, also where all goes wrong."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.test_commands import setol as setol_here
from tests.sources.conftest import ROOT, environment, setol, weights
from tests.sources.hub_standin import TOKEN, Fault, HubStandin, sha256

SIGNED = "Signature=signed"
"""What the stand-in's redirects carry, as those of the hub do."""

AWS_SECRET, AWS_SESSION = "wJalrXUtnFEMIexampleSecret", "FwoGZXIvYXdzEsessionExample"
OLD_TOKEN, URL_PASSWORD, URL_TOKEN = "hf_anOlderTokenInAnotherVariable", "pa55wordInAnAddress", "t0kenInAQueryString"
SECRETS = (TOKEN, SIGNED, AWS_SECRET, AWS_SESSION, OLD_TOKEN, URL_PASSWORD, URL_TOKEN)

GATED = (("X-Error-Code", "GatedRepo"),)
FAULTS = {
    "gated": [Fault("resolve", 403, GATED)] * 4,
    "forbidden": [Fault("resolve", 403)] * 4,
    "down": [Fault("resolve", 500)] * 9,
    "busy-hours": [Fault("resolve", 429, (("Retry-After", "7200"),))] * 2,
    "cut": [Fault("blob", keep=0.5)] * 9,
    "reset": [Fault("blob", keep=0.5, reset=True)] * 9,
    "storage-down": [Fault("blob", 503)] * 9,
    "expired": [Fault("blob", 403)] * 9,
    "wrong": [Fault("blob", wrong=True)] * 9,
}
"""Every kind of failure between the hub and its storage, where a signed address is at hand."""


def secretive(hub: HubStandin, home: Path) -> dict[str, str]:
    """An environment full of secrets."""
    return environment(hub, home) | {
        "HUGGING_FACE_HUB_TOKEN": OLD_TOKEN,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        "AWS_SESSION_TOKEN": AWS_SESSION,
        "https_proxy": f"http://me:{URL_PASSWORD}@127.0.0.1:9",
    }


def every_text(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The bytes of every file below a folder, and what is packed in Parquet files too."""
    for path in sorted(folder.rglob("*")):
        yield path, str(path).encode()
        if path.is_file():
            yield path, path.read_bytes()
            if path.suffix == ".parquet":
                yield path, str(pq.read_table(path).to_pylist()).encode()


def leaks(folder: Path, told: str = "") -> list[str]:
    """Where which secret stands."""
    found = [f"terminal: {secret}" for secret in SECRETS if secret in told]
    for path, content in every_text(folder):
        found += [f"{path}: {secret}" for secret in SECRETS if secret.encode() in content]
    return found


def faulty(hub: HubStandin, prefix: str, first_seed: int) -> list[str]:
    """A private repository for every kind of failure, and one that is well."""
    for seed, (name, faults) in enumerate(FAULTS.items(), start=first_seed):
        hub.add(f"{prefix}/{name}", {"model.safetensors": weights(seed), "config.json": b"{}"}, *faults, private=True)
    hub.add(f"{prefix}/well", {"model.safetensors": weights(first_seed + 50), "config.json": b"{}"}, private=True)
    return [f"{prefix}/{name}" for name in (*FAULTS, "well")]


def test_no_secret_is_written_whatever_fails(hub, tmp_path):
    names = faulty(hub, "leak", 300)
    plain = hub.add("leak/by-address", {"model.safetensors": weights(370)}, *[Fault("blob", 503)] * 9)
    digest = sha256(plain.files["model.safetensors"])
    address = f"url:{hub.endpoint}/leak/by-address/resolve/main/model.safetensors#sha256={digest}"
    env, results = secretive(hub, tmp_path), tmp_path / "r"
    run = setol(
        env, "run", *(f"hub:{name}" for name in names), address, "--results", results, "--executor", "serial", "--json"
    )
    assert run.returncode == 1, run.stderr
    summary = json.loads(run.stdout)
    assert summary["computed"] >= 1
    assert len(summary["failures"]) >= len(FAULTS) - 1, summary  # the client itself mends one or the other
    told = [run]
    told += [setol(env, "status", "--results", results), setol(env, "report", "--results", results)]
    told += [setol(env, "sql", "SELECT * FROM attempts", "--results", results, "--format", "csv")]
    told += [setol(env, "sql", "SELECT * FROM duckdb_settings()", "--results", results, "--format", "csv")]
    told += [setol(env, "plan", *(f"hub:{name}" for name in names), "--results", results)]
    assert (results / "report.html").exists()
    assert leaks(tmp_path, "".join(each.stdout + each.stderr for each in told)) == []
    assert [each for each in hub.seen if TOKEN in str(each)]  # it was used


def test_no_secret_is_in_what_ray_writes(hub, tmp_path):
    pytest.importorskip("ray", reason="needs Ray")
    hub.add("leakray/gated", {"model.safetensors": weights(400), "config.json": b"{}"}, *FAULTS["gated"])
    names = []
    for seed, name in enumerate(("storage-down", "expired", "well"), start=401):
        files = {"model.safetensors": weights(seed), "config.json": b"{}"}
        hub.add(f"leakray/{name}", files, *FAULTS.get(name, ()), private=True)
        names.append(f"hub:leakray/{name}")
    with tempfile.TemporaryDirectory(prefix="ray-") as logs:  # a short path: there are sockets in it
        env = secretive(hub, tmp_path) | {"RAY_TMPDIR": logs}
        run = setol(env, "run", *names, "--results", tmp_path / "r", "--cpus", 2)
        assert run.returncode == 1, run.stderr
        assert len(list(Path(logs).rglob("worker*.out"))) >= 1  # the logs are there
        assert leaks(Path(logs), run.stdout + run.stderr) == []
    assert leaks(tmp_path) == []


@pytest.mark.parametrize(
    "address",
    [
        f"https://me:{URL_PASSWORD}@example.org/net.pt",
        f"https://{URL_PASSWORD}@example.org/net.pt",
        f"https://example.org/net.pt?token={URL_TOKEN}",
        f"https://example.org/net.pt?X-Amz-Signature={URL_TOKEN}&x=1",
        f"https://example.org/net.pt?api_key={URL_TOKEN}",
        f"https://example.org/net.pt?sig={URL_TOKEN}",
        f"https://example.org/net.pt?AWSAccessKeyId=A&Signature={URL_TOKEN}",
        f"https://example.org/net.pt?X-Goog-Credential={URL_TOKEN}",
    ],
)
def test_an_address_with_credentials_is_refused_without_repeating_them(tmp_path, address):
    results = tmp_path / "r"
    (tmp_path / "own.csv").write_text(f"model,weights_sha256\nurl:{address},{'0' * 64}\n")
    whole = f"url:{address}#sha256={'0' * 64}"
    calls = (
        ("run", whole, "--results", results),
        ("plan", whole, "--results", results),
        ("analyze", f"url:{address}"),
        ("analyze", address),
        ("analyze", f"url:{address}\x1b"),
        ("run", "--catalog", tmp_path / "own.csv", "--results", results),
    )
    for arguments in calls:
        told = setol_here(*arguments)
        assert told.exit_code == 2
        assert leaks(tmp_path / "none", told.output) == []
    assert "it holds credentials" in told.output
    assert not results.exists()


def test_a_token_in_a_file_is_not_copied(hub, tmp_path):
    """huggingface_hub's own file, read from HF_TOKEN_PATH, is the only one that holds it afterwards."""
    hub.add("leakfile/net", {"model.safetensors": weights(420), "config.json": b"{}"}, private=True)
    token = tmp_path / "elsewhere" / "token"
    token.parent.mkdir()
    token.write_text(TOKEN)
    env = environment(hub, tmp_path / "home", token=False) | {"HF_TOKEN_PATH": str(token)}
    run = setol(env, "run", "hub:leakfile/net", "--results", tmp_path / "r", "--executor", "serial")
    assert run.returncode == 0, run.stderr
    assert leaks(tmp_path / "home", run.stdout + run.stderr) == []
    assert leaks(tmp_path / "r") == []


CRASH = """
import sys
from checkpoints.fetch import fetch
from catalogs import WeightFile
from pathlib import Path
fetch(WeightFile(**eval(sys.argv[1])), Path(sys.argv[2]))
"""


def test_not_even_a_traceback_holds_one(hub, tmp_path):
    """What a program of somebody's own would print, errors that caused the error included."""
    repository = hub.add("leaktrace/net", {"model.safetensors": weights(430)}, *[Fault("blob", 403)] * 9, private=True)
    row = {
        "model": f"hub:leaktrace/net@{repository.commit}",
        "name": "net",
        "file": "model.safetensors",
        "weights_sha256": sha256(repository.files["model.safetensors"]),
    }
    command = [sys.executable, "-c", CRASH, repr(row), str(tmp_path / "cache")]
    env = secretive(hub, tmp_path) | {"PATH": os.environ["PATH"]}
    process = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=200)
    assert process.returncode == 1
    assert "CheckpointError" in process.stderr
    assert leaks(tmp_path, process.stdout + process.stderr) == []
