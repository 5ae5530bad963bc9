"""What `setol run` says while it works, where there is no terminal to draw on."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from tests.cli.test_commands import setol


@pytest.fixture
def nets(tmp_path):
    """Two files of one stem."""
    matrix = torch.randn(70, 60, generator=torch.Generator().manual_seed(5))
    save_file({"fc.weight": matrix}, tmp_path / "net.safetensors")
    torch.save({"fc.weight": matrix.T.contiguous()}, tmp_path / "net.pt")
    return tmp_path


def test_lines_before_and_between_the_slow_steps(nets):
    pytest.importorskip("ray", reason="needs Ray")
    options = ("--cpus", "1", "--results", "r")
    command = [sys.executable, "-m", "setol_zoo.cli", "run", "net.pt", "net.safetensors", *options]
    run = subprocess.run(command, cwd=nets, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    first, second, third, *finished = run.stderr.splitlines()
    assert first == "looking up what there is to do"
    assert second == "2 weight files: 0 there already, 2 to do (35 kB)"
    assert third == "starting Ray on this machine"
    assert len(finished) == 2
    assert {line.split()[1] for line in finished} == {"net.pt", "net.safetensors"}  # two tasks share the one slot


def test_what_cannot_be_had_is_not_nothing_to_do(nets):
    serial = ("--executor", "serial", "--results", nets / "r")
    missing = setol("run", nets / "gone.pt", *serial)
    assert missing.exit_code == 1
    assert "1 weight file: 0 there already, 1 cannot be had\ngone FAILED: no such file" in missing.stderr
    assert "nothing to do" not in missing.stderr
    (nets / "cut.safetensors").write_bytes(b"\x10")
    assert "0 there already, 1 to do" in setol("run", nets / "cut.safetensors", *serial).stderr
    held = setol("run", nets / "cut.safetensors", *serial)
    assert held.exit_code == 1
    assert "1 weight file: 0 there already, 1 failed before\n" in held.stderr


def test_nothing_to_do_where_all_is_there(nets):
    arguments = ("run", nets / "net.pt", "--executor", "serial", "--results", nets / "r")
    assert setol(*arguments).exit_code == 0
    again = setol(*arguments)
    assert again.exit_code == 0
    assert "1 weight file: 1 there already, nothing to do\n" in again.stderr


@pytest.mark.parametrize("as_json", [False, True])
def test_damaged_metrics_of_another_share_change_no_exit_status(nets, as_json):
    """They are for the run that made them to mend; this one's work is done."""
    results = nets / "r"
    assert setol("run", nets / "net.pt", "--results", results, "--executor", "serial").exit_code == 0
    (other,) = (results / "layers" / "v1").iterdir()
    other.write_bytes(other.read_bytes()[:-20])
    run = setol(*("run", nets / "net.safetensors", "--results", results, "--executor", "serial"), *["--json"] * as_json)
    assert run.exit_code == 0, run.output
    (told,) = [line for line in run.stderr.splitlines() if "cannot be read" in line]
    assert told.startswith(f"the run is through, but not all results can be read: {other} cannot be read: ")
    if as_json:
        said = json.loads(run.stdout)
        assert (said["computed"], said["failures"], said["record"]) == (1, [], None)
    else:
        *_, counts, last = run.stdout.splitlines()
        assert counts == "1 model: 1 weight file computed, 0 there already, 0 failed"
        assert last == f"next: setol status --check --results {results}"
        healed = setol("status", "--check", "--results", results)
        assert f"{other} is damaged (" in healed.stdout, healed.output
        assert setol("status", "--results", results).exit_code == 1
