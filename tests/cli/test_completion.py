"""Shell completion, asked as the shells ask: through environment variables."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from catalogs import catalog_names
from setol_zoo.cli import COMMANDS, main
from setol_zoo.cli.completion import SHELLS
from tests.random_models import write_models

LITE = [f"efficientnet_lite{n}" for n in (0, 1, 2)]


def complete(line: str) -> list[str]:
    """What bash is offered for the last word of a line; files as `<file>`."""
    words = line.split(" ")
    run = subprocess.run(
        [sys.executable, "-c", "from setol_zoo.cli import main; main(prog_name='setol')"],
        env=os.environ | {"_SETOL_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    offers = [offer.partition(",") for offer in run.stdout.splitlines() if offer]
    return [value if kind == "plain" else f"<{kind}>" for kind, _, value in offers]


def test_commands():
    assert complete("setol ") == list(COMMANDS)
    assert complete("setol re") == [name for name in COMMANDS if name.startswith("re")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("setol run --catalog d", ["demo"]),
        ("setol run --catalog my_own", ["<file>"]),
        ("setol correlate --scores timm-in", ["timm-in1k"]),
        ("setol catalog show demo --family res", ["resnet-cifar"]),
        ("setol correlate --scores demo --dataset imagenet-r", ["imagenet-r", "imagenet-real"]),
        ("setol regress --unit per", ["percent", "perplexity"]),
        ("setol run --catalog demo resnet1", ["resnet110", "resnet1202"]),
        (
            "setol plan --catalog demo ",
            [*(f"resnet{n}" for n in (20, 32, 44, 56, 110, 1202)), *LITE, "all-MiniLM-L6-v2"],
        ),
        ("setol analyze efficientnet_lite", [*LITE, "efficientnet_lite0.ra_in1k"]),
        ("setol analyze ./weights", ["<file>"]),
        ("setol plan --preset ", ["default", "natcomm2021", "weightwatcher"]),
        ("setol refit --preset na", ["natcomm2021"]),
        ("setol refit --detail ", ["basic", "full", "standard"]),
        ("setol run --fingers cl", ["clip", "clip_weightwatcher"]),
        ("setol analyze x.pt --bulk ", ["iteration", "quantile"]),
        ("setol refit --perm", ["--permutations"]),
        ("setol plan --no-", ["--no-vectors", "--no-windows"]),
        ("setol export --format ", ["weightwatcher"]),
        ("setol export --results nowhere --model ", []),
        ("setol analyze x.pt --preset w", ["weightwatcher"]),
        ("setol catalog show de", ["demo"]),
        ("setol catalog ", ["list", "show", "check"]),
        ("setol sql FROM mod", ["model_metrics", "models"]),
        ("setol completion z", ["zsh"]),
        ("setol run --executor ", ["ray", "serial"]),
    ],
)
def test_names(line, expected):
    assert sorted(complete(line)) == sorted(expected)


def test_models_of_a_results_folder(tmp_path):
    for path in write_models(tmp_path, 2, layers=1, size=60, seed=1):
        analyzed = CliRunner().invoke(main, ["analyze", str(path), "--results", str(tmp_path / "r")])
        assert analyzed.exit_code == 0, analyzed.output
    assert complete(f"setol export --results {tmp_path / 'r'} --model m") == ["m0", "m1"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_begins_with_how_to_install_it(shell):
    run = CliRunner().invoke(main, ["completion", shell])
    assert run.exit_code == 0, run.output
    first, *script = run.stdout.splitlines()
    assert first.startswith("# ")
    assert f"setol completion {shell}" in first
    assert any("_SETOL_COMPLETE" in line for line in script)
    found = json.loads(CliRunner().invoke(main, ["completion", shell, "--json"]).stdout)
    assert run.stdout == f"# {found['install']}\n{found['script']}"


@pytest.fixture
def path_with_setol(tmp_path) -> str:
    """A search path on which the command is found."""
    command = tmp_path / "bin" / "setol"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m setol_zoo.cli "$@"\n')
    command.chmod(0o755)
    return f"{command.parent}:{os.environ['PATH']}"


LINES = {
    "setol rep": ["report"],
    "setol run --catalog demo resnet11": ["resnet110"],
    "setol plan --catalog demo resnet1": ["resnet110", "resnet1202"],
    "setol run --catalog=d": ["demo"],
    "setol run --catalog=": sorted(catalog_names()),
}


def in_a_shell(shell: str, *arguments: str, path: str, cwd: Path) -> list[str]:
    """The lines that a script prints, run by a shell without anybody's settings."""
    quiet = {"bash": "--norc", "fish": "--no-config"}[shell]
    environment = os.environ | {"PATH": path, "HOME": str(cwd), "XDG_CONFIG_HOME": str(cwd / ".config")}
    run = subprocess.run(
        [shell, quiet, "-c", *arguments], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_takes_the_script_and_completes_with_it(path_with_setol, tmp_path):
    asked = "\n".join(
        f"COMP_WORDS=({line.replace('=', ' = ')}) COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); "  # as bash breaks words
        '_setol_completion setol; echo "${COMPREPLY[@]}"'
        for line in LINES
    )
    found = in_a_shell("bash", f'eval "$(setol completion bash)"\n{asked}', path=path_with_setol, cwd=tmp_path)
    assert dict(zip(LINES, (sorted(line.split()) for line in found), strict=True)) == LINES


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_takes_the_script_and_completes_with_it(path_with_setol, tmp_path):
    (tmp_path / "a b.pt").touch()
    (tmp_path / "own folder").mkdir()

    # As the first line of the script says to install it.
    install = CliRunner().invoke(main, ["completion", "fish"]).stdout.splitlines()[0].removeprefix("# ")
    in_a_shell("fish", install, path=path_with_setol, cwd=tmp_path)
    installed = tmp_path / ".config" / "fish" / "completions" / "setol.fish"
    assert installed.read_text().startswith(f"# {install}\n")

    def offers(line: str) -> list[str]:
        return in_a_shell("fish", f"source {installed}; complete -C $argv[1]", line, path=path_with_setol, cwd=tmp_path)

    for line, names in LINES.items():
        before = "--catalog=" if "=" in line else ""  # fish replaces the whole word
        assert sorted(offer.split("\t")[0] for offer in offers(line)) == [before + name for name in names]
    assert "plan\tWhat a run would do, and what it would cost; computes nothing." in offers("setol ")
    assert offers("setol analyze a\\ ") == offers("setol analyze 'a ") == ["a b.pt"]
    assert offers("setol analyze ~/a") == ["~/a b.pt"]
    assert offers("setol run --results=own") == ["--results=own folder/\tDirectory"]


class Zsh:
    """An interactive zsh on a terminal: completion is part of its line editor, and of nothing else."""

    def __init__(self, home: Path, path: str) -> None:
        install = CliRunner().invoke(main, ["completion", "zsh"]).stdout.splitlines()[0]
        line = install.removeprefix("# ").partition("    #")[0]
        (home / ".zshrc").write_text(f"unsetopt beep\nautoload -Uz compinit && compinit -u\n{line}\nPROMPT='ready> '\n")
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        environment = os.environ | {"PATH": path, "HOME": str(home), "ZDOTDIR": str(home), "TERM": "xterm"}
        self._process = subprocess.Popen(
            ["zsh", "-d", "-i"],
            stdin=there,
            stdout=there,
            stderr=there,
            env=environment,
            cwd=home,
            start_new_session=True,
        )
        os.close(there)
        self._read_until("ready> ")

    def completed(self, line: str) -> str:
        """What becomes of a line when Tab is typed behind it."""
        os.write(self._here, f"{line}\t".encode())
        # To its beginning, a command that prints it, and Enter: typed ahead, zsh reads them when it has completed.
        os.write(self._here, b"\x01print -r -- '=>' \x05 '<='\r")
        found = re.search(r"=> (setol .*?) *<=\r", self._read_until(" <=\r"))
        assert found, "what is typed is echoed with quotes around the arrows"
        return found[1]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._here)

    def _read_until(self, expected: str, seconds: float = 60) -> str:
        """The text that comes, without colours and cursor moves."""
        limit, raw, text = time.monotonic() + seconds, "", ""
        while expected not in text:
            assert time.monotonic() < limit, f"{expected!r} did not come, but {text!r}"
            if select.select([self._here], [], [], 0.1)[0]:
                raw += os.read(self._here, 65536).decode(errors="replace")
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]", "", raw)
        return text


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_takes_the_script_and_completes_with_it(path_with_setol, tmp_path):
    (tmp_path / "a b.pt").touch()
    (tmp_path / "own folder").mkdir()
    zsh = Zsh(tmp_path, path_with_setol)
    try:
        for line, names in LINES.items():
            before = line[: max(line.rfind(" "), line.rfind("=")) + 1]
            assert zsh.completed(line) == (before + names[0] if len(names) == 1 else line)
        assert zsh.completed("setol analyze a\\ ") == "setol analyze a b.pt"
        assert zsh.completed("setol run --results=own") == "setol run --results=own folder"
    finally:
        zsh.close()
