"""What a run shows on a terminal, and how it ends when somebody presses Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analysis.opening import results as analysis_results
from tests.cli.terminal import Terminal
from tests.cli.test_commands import setol
from tests.random_models import write_models

COUNT = 16
SAID = "interrupted: nothing half-done is left, and the same command goes on"


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Path:
    """Models that take a tenth of a second or so each, with a catalog."""
    folder = tmp_path_factory.mktemp("zoo")
    models = write_models(folder, COUNT, layers=2, size=600, seed=2)
    rows = "".join(f"path:{path.name}\n" for path in models)
    (folder / "zoo.csv").write_text(f"model\n{rows}")
    return folder


def check_that_nothing_is_half_done(zoo: Path, results: Path) -> None:
    """Every file is whole, and the same command does the rest."""
    assert not list(results.rglob("*.tmp"))
    done = list((results / "layers").rglob("*.parquet"))
    assert 1 <= len(done) < COUNT
    assert all(pq.read_table(path).num_rows == 2 for path in done)
    again = setol("run", "--catalog", zoo / "zoo.csv", "--results", results, "--executor", "serial")
    assert again.exit_code == 0, again.output
    assert f"{COUNT - len(done)} weight files computed, {len(done)} there already" in again.stdout


def test_ctrl_c_on_a_terminal_leaves_a_clean_line(zoo, tmp_path):
    arguments = ("run", "--catalog", zoo / "zoo.csv", "--results", tmp_path / "r", "--executor", "serial")
    with Terminal(*arguments) as terminal:
        terminal.wait_for(f"[ 1/{COUNT}] m0")
        terminal.type("\x03")
        assert terminal.finish() == 130
        raw = terminal.raw.replace("\r\n", "\n")
    # The bar's line is erased and the cursor shown again before the last words, and nothing follows them.
    erased, said = raw.rsplit("\x1b[2K", 1)
    assert said == f"{SAID}\n"
    assert "\x1b[?25h" in erased[erased.rindex("m") :]
    check_that_nothing_is_half_done(zoo, tmp_path / "r")


def test_the_bar_tells_count_times_and_what_runs(zoo, tmp_path):
    arguments = ("run", "--catalog", zoo / "zoo.csv", "--results", tmp_path / "r", "--executor", "serial")
    with Terminal(*arguments, "--limit", 4) as terminal:
        assert terminal.finish() == 0
        text = terminal.text
    bars = re.findall(r"(\d)/4 \S+ +\d:\d\d:\d\d elapsed, (?:-:--:--|\d:\d\d:\d\d) left", text)
    below = re.findall(r" left *\n(?:\d+ files/min · )?(m\d)?", text)
    assert {(int(done), name) for done, name in zip(bars, below, strict=True)} <= {(i, f"m{i}") for i in range(4)} | {
        (4, "")
    }
    assert len(set(bars)) > 1  # a quick file may come and go between two looks
    assert "4 models: 4 weight files computed" in text


def test_an_interrupt_without_a_terminal(zoo, tmp_path):
    command = [sys.executable, "-m", "setol_zoo.cli", "run", "--catalog", str(zoo / "zoo.csv")]
    command += ["--results", str(tmp_path / "r"), "--executor", "serial"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "[ 1/" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == SAID
    assert "Traceback" not in errors
    check_that_nothing_is_half_done(zoo, tmp_path / "r")


def test_ctrl_c_with_ray(zoo, tmp_path):
    pytest.importorskip("ray", reason="needs Ray")
    arguments = ("run", "--catalog", zoo / "zoo.csv", "--results", tmp_path / "r", "--cpus", 1)
    with Terminal(*arguments) as terminal:
        terminal.wait_for(f"[ 1/{COUNT}] ", seconds=120)
        terminal.type("\x03")
        assert terminal.finish() == 130
        assert terminal.text.endswith(f"{SAID}\n")
    assert not list((tmp_path / "r" / "layers").rglob("*.tmp"))


def test_an_interrupt_while_the_program_is_still_loading(zoo, tmp_path):
    arguments = ("run", "--catalog", zoo / "zoo.csv", "--results", tmp_path / "r", "--executor", "serial")
    code = (
        "import sys, builtins, setol_zoo.cli\n"
        "import importlib.abc\n"
        "class Stop(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
        "setol_zoo.cli.main(sys.argv[1:], prog_name='setol')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (130, f"looking up what there is to do\n{SAID}\n")


@pytest.mark.parametrize("words", [("status",), ("sql", "FROM models")])
def test_ctrl_c_while_results_are_loaded(words, tmp_path, monkeypatch):
    """DuckDB itself is interrupted, which it tells in its own way."""
    (model,) = write_models(tmp_path, 1, layers=1, size=60, seed=5)
    assert setol("run", model, "--results", tmp_path / "r", "--executor", "serial").exit_code == 0
    script = analysis_results._script

    def slow(name: str) -> str:
        monkeypatch.undo()
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        return f"{script(name)}; SELECT count(*) FROM range(40000000) AS numbers(n) WHERE n * n % 7 = 3"

    monkeypatch.setattr(analysis_results, "_script", slow)
    run = setol(*words, "--results", tmp_path / "r")
    assert (run.exit_code, run.stdout, run.stderr) == (130, "", f"{SAID}\n")
