"""`setol run` on models of the hub, as a user types it, with the token in the environment."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources.conftest import ROOT, environment, probe, setol, weights
from tests.sources.hub_standin import TOKEN, Fault, sha256


def models_in(env: dict[str, str], results: Path) -> dict[str, str]:
    status = setol(env, "status", "--results", results, "--json")
    return {row["model"]: row["status"] for row in json.loads(status.stdout)["models"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_a_model_of_the_hub_is_computed_once(hub, home):
    repository = hub.add("zoo/private-net", {"model.safetensors": weights(20)}, private=True)
    env, results = environment(hub, home), home / "once"
    first = setol(env, "run", "zoo/private-net", "--executor", "serial", "--results", results, "--json")
    assert first.returncode == 0, first.stderr
    exact = f"hub:zoo/private-net@{repository.commit}"
    summary = json.loads(first.stdout)
    assert (summary["computed"], summary["renamed"]) == (1, {"hub:zoo/private-net": exact})
    assert models_in(env, results) == {exact: "done"}

    before = len(hub.seen)
    again = setol(env, "run", "hub:zoo/private-net", "--executor", "serial", "--results", results, "--json")
    assert (again.returncode, json.loads(again.stdout)["computed"]) == (0, 0), again.stderr
    assert {each.where for each in hub.seen[before:]} == {"hub"}  # no weights

    offline = environment(hub, home, token=False, offline=True)
    before = len(hub.seen)
    alone = setol(offline, "run", "hub:zoo/private-net", "--executor", "serial", "--results", results, "--json")
    assert (alone.returncode, json.loads(alone.stdout)["computed"]) == (0, 0), alone.stderr
    assert hub.seen[before:] == []

    told = "".join(process.stdout + process.stderr for process in (first, again, alone))
    assert_nowhere(home, told)


def test_a_catalog_with_scores(hub, home):
    names = ("zoo/small", "zoo/medium", "zoo/large")
    for seed, name in enumerate(names, start=21):
        hub.add(name, {"model.safetensors": weights(seed), "config.json": b"{}"})
    gated = Fault("resolve", 403, (("X-Error-Code", "GatedRepo"),))
    hub.add("zoo/gated", {"model.safetensors": weights(25)}, *[gated] * 3)
    lines = ["model,name,family,dataset,metric,value,unit"]
    lines += [f"hub:{name},,toys,digits,acc@1,{90 + i},percent" for i, name in enumerate(names)]
    lines += ["hub:zoo/gated,,toys,digits,acc@1,95,percent"]
    url_content = weights(26)
    hub.add("zoo/on-the-web", {"model.safetensors": url_content})
    address = f"{hub.storage_address}/blobs/{sha256(url_content)}/web.safetensors"
    lines += [f"url:{address}#sha256={sha256(url_content)},web,toys,digits,acc@1,96,percent"]
    catalog = home / "mine.csv"
    catalog.write_text("\n".join(lines) + "\n")

    env, results = environment(hub, home), home / "scored"
    run = setol(env, "run", "--catalog", catalog, "--executor", "serial", "--results", results, "--json")
    assert run.returncode == 1, run.stderr
    summary = json.loads(run.stdout)
    assert summary["computed"] == 4
    (failure,) = summary["failures"]
    assert failure["model"] == "hub:zoo/gated"
    assert "accept its conditions at" in failure["error"] and not failure["transient"]

    query = "SELECT model, score FROM scored_models WHERE score IS NOT NULL ORDER BY score"
    rows = json.loads(setol(env, "sql", query, "--results", results, "--json").stdout)
    commits = {name: hub.repositories[name].commit for name in names}
    expected = [{"model": f"hub:{name}@{commits[name]}", "score": 90.0 + i} for i, name in enumerate(names)]
    assert [row for row in rows if row["model"].startswith("hub:zoo/") and "gated" not in row["model"]] == expected

    # The gate opens: the same command finishes, and the row without a commit is gone.
    hub.repositories["zoo/gated"].faults.clear()
    again = setol(env, "run", "--catalog", catalog, "--executor", "serial", "--results", results, "--json")
    assert (again.returncode, json.loads(again.stdout)["computed"]) == (0, 1), again.stderr
    found = models_in(env, results)
    assert set(found.values()) == {"done"}
    assert f"hub:zoo/gated@{hub.repositories['zoo/gated'].commit}" in found and "hub:zoo/gated" not in found
    assert_nowhere(home, run.stdout + run.stderr + again.stdout + again.stderr)


def test_downloads_are_shown_on_a_terminal_and_nowhere_else(hub, home):
    hub.add("zoo/shown", {"model.safetensors": weights(27, 9_000)})
    results, options = home / "shown", ("--executor", "serial", "--results")
    piped = setol(environment(hub, home / "piped"), "run", "zoo/shown", *options, results)
    assert piped.returncode == 0
    assert "fetching" not in piped.stderr and "%|" not in piped.stderr

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "setol_zoo.cli", "run", "zoo/shown", *options, str(home / "shown too")]
    env = environment(hub, home / "terminal") | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
    os.close(ours)
    assert process.returncode == 0, shown
    assert b"fetching hub:zoo/shown model.safetensors (3 MB)" in shown
    assert TOKEN.encode() not in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_a_model_that_is_not_there_is_a_row_and_an_exit_status(hub, home):
    env, results = environment(hub, home), home / "none"
    run = setol(env, "run", "zoo/nobody", "--executor", "serial", "--results", results)
    assert run.returncode == 1
    assert "hub:zoo/nobody: the hub has no such repository (404)" in run.stderr
    assert models_in(env, results) == {"hub:zoo/nobody": "failed"}
    assert_nowhere(home, run.stdout + run.stderr)


def test_a_name_that_is_neither_on_the_hub_nor_here_is_a_wrong_call(hub, home):
    env = environment(hub, home)
    told = (
        "hub:zoo/nobody: the hub has no such repository (404). Check the spelling. There is no such file here either."
    )
    run = setol(env, "analyze", "zoo/nobody")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.splitlines() == ["looking for zoo/nobody on the hub", f"Error: nobody: {told}"]
    unreachable = setol(env | {"HF_ENDPOINT": "http://127.0.0.1:9"}, "analyze", "zoo/nobody")
    assert unreachable.returncode == 1  # it may well exist
    assert "the connection to the hub failed (ConnectError)" in unreachable.stderr
    assert unreachable.stderr.endswith(" There is no such file here either.\n")


def test_the_hub_extra_is_named_where_the_client_is_missing(hub, home):
    env = environment(hub, home)
    (home / "blocked").mkdir()
    (home / "blocked" / "sitecustomize.py").write_text(
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'huggingface_hub':\n"
        "            raise ModuleNotFoundError('blocked', name=name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
    )
    (told,) = probe(env | {"PYTHONPATH": str(home / "blocked")}, {"model": "hub:zoo/small"})
    assert "need the package huggingface_hub" in told["error"] and "'setol-zoo[hub]'" in told["error"]


def assert_nowhere(home: Path, told: str) -> None:
    """The token is in no output and in no file that was written."""
    assert TOKEN not in told
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
