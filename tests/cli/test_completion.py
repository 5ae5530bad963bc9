"""Shell completion, asked as the shells ask: through environment variables."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from setol_zoo.cli import COMMANDS, main
from setol_zoo.cli.completion import SHELLS


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
    offers = [offer.partition(",") for offer in run.stdout.splitlines()]
    return [value if kind == "plain" else f"<{kind}>" for kind, _, value in offers]


def test_commands():
    assert complete("setol ") == list(COMMANDS)
    assert complete("setol re") == ["report"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("setol run --catalog d", ["demo"]),
        ("setol run --catalog my_own", ["<file>"]),
        ("setol run --catalog demo resnet1", ["resnet110", "resnet1202"]),
        ("setol analyze efficientnet_lite", [f"efficientnet_lite{n}" for n in (0, 1, 2)]),
        ("setol analyze ./weights", ["<file>"]),
        ("setol plan --preset ", ["default", "weightwatcher"]),
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


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_begins_with_how_to_install_it(shell):
    run = CliRunner().invoke(main, ["completion", shell])
    assert run.exit_code == 0, run.output
    first, *script = run.stdout.splitlines()
    assert first.startswith("# ")
    assert f"setol completion {shell}" in first
    assert any("_SETOL_COMPLETE" in line for line in script)
    found = json.loads(CliRunner().invoke(main, ["completion", shell, "--json"]).stdout)
    assert run.stdout == f"# {found['install']}\n{found['script']}\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_takes_the_script_and_completes_with_it(tmp_path):
    command = tmp_path / "setol"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m setol_zoo.cli "$@"\n')
    command.chmod(0o755)
    script = 'eval "$(setol completion bash)"; COMP_WORDS=(setol rep); COMP_CWORD=1; _setol_completion setol rep setol'
    run = subprocess.run(
        ["bash", "--norc", "-c", f'{script}; echo "${{COMPREPLY[@]}}"'],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip() == "report", run.stderr
