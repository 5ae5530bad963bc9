"""Nothing is written outside the results folder, the caches, and the folder of temporary files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.security.bombs import saved
from tests.sources.conftest import ROOT, environment, weights
from tests.sources.hub_standin import sha256

WATCH = """
import json, os, sys
allowed = [os.path.realpath(each) for each in json.loads(sys.argv[1])]
outside = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def look(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITES)
        paths = [path] if writes else []
    elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree"):
        folder = arguments[-1] if event != "os.truncate" else -1
        below = os.readlink(f"/proc/self/fd/{folder}") if isinstance(folder, int) and folder >= 0 else ""
        paths = [os.path.join(below, os.fsdecode(arguments[0]))] if isinstance(arguments[0], (str, bytes)) else []
    elif event in ("os.rename", "os.link", "os.symlink"):
        paths = list(arguments[:2]) if event == "os.rename" else [arguments[1]]
    else:
        return
    for path in paths:
        if isinstance(path, (str, bytes, os.PathLike)):
            place = os.path.realpath(os.path.dirname(os.path.abspath(os.fsdecode(path)))) + "/"
            # Python's own compiled files, and devices
            if "__pycache__" not in os.fsdecode(path) and not place.startswith("/dev/"):
                if not any(place.startswith(each + "/") for each in allowed):
                    outside.append(f"{event} {os.fsdecode(path)}")
sys.addaudithook(look)
from setol_zoo.cli import main
try:
    main(sys.argv[2:])
except SystemExit as error:
    print("status", error.code)
print("written outside:", json.dumps(outside))
"""


def _all_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_run_writes_where_it_may_and_nowhere_else(hub, tmp_path):
    """Python tells of every file that it opens to write; the folders around are compared before and after."""
    home, here, work = tmp_path / "home", tmp_path / "here", tmp_path / "tmp"
    for folder in (home, here, work):
        folder.mkdir()
    save_file({"../../escaped.weight": torch.randn(70, 60)}, here / "net.safetensors")
    (here / "net.pt").write_bytes(saved({"../../x": torch.randn(70, 60)}))
    index = json.dumps({"weight_map": {"a": "../../../escaped.safetensors"}}).encode()
    hub.add("writes/outside", {"model.safetensors.index.json": index, "../../escaped.txt": b"x"})
    hub.add("writes/well", {"model.safetensors": weights(610), "config.json": b"{}", "../../escaped.json": b"{}"})
    plain = hub.add("writes/by-address", {"model.safetensors": weights(611)})
    digest = sha256(plain.files["model.safetensors"])
    address = f"url:{hub.endpoint}/writes/by-address/resolve/main/model.safetensors#sha256={digest}"
    before = _all_files(tmp_path)
    env = environment(hub, home) | {"TMPDIR": str(work), "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "MPLCONFIGDIR": str(home / "mpl")}
    results = here / "r"
    allowed = json.dumps([str(home), str(work), str(results), str(here / "r")])
    models = ("hub:writes/outside", "hub:writes/well", address, "net.safetensors", "net.pt")
    calls = (
        ("run", *models, "--results", "r", "--executor", "serial"),
        ("plan", *models, "--results", "r"),
        ("status", "--results", "r"),
        ("refit", "--results", "r", "--preset", "weightwatcher", "--cpus", "1"),
        ("sql", "SELECT * FROM layers", "--results", "r"),
        ("report", "--results", "r"),
        ("analyze", "net.safetensors"),
    )
    for words in calls:
        command = [sys.executable, "-c", WATCH, allowed, *words]
        process = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, timeout=200, check=False)
        told = [line for line in process.stdout.splitlines() if line.startswith("written outside: ")]
        assert told, process.stderr
        # The results folder itself is made in the current one.
        found = [
            each
            for each in json.loads(told[0].removeprefix("written outside: "))
            if not each.endswith(("/here/r", " r"))
        ]
        assert found == [], words
    new = _all_files(tmp_path) - before
    assert {path.split(os.sep)[0] for path in new} <= {"home", "here", "tmp"}
    assert {path for path in new if path.startswith("here")} == {
        path for path in new if path == "here/r" or path.startswith("here/r/")
    }
    assert not [path for path in new if "escaped" in path]
    assert (results / "report.html").exists()
