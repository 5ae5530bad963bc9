"""Names of models, layers, families and data sets, and texts of errors: shown as texts wherever they are shown."""

import os
import pty
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from safetensors.torch import save_file

import setol_zoo as zoo
from analysis import open_results
from analysis.reporting.report import report_html
from catalogs.plain import hidden_character
from tests.cli.test_commands import setol
from tests.sources.conftest import ROOT

HOSTILE = {
    "escape": "a\x1b[2J\x1b]0;owned\x07.weight",
    "direction": "b\u202egpj.weight",
    "line": "c\nnext: rm -rf.weight",
    "nul": "d\x00\x9b2J.weight",
    "rich": "[red]e[/blue][/]\\[.weight",
    "html": "<script>alert('f')</script><img src=x onerror=alert(1)>.weight",
    "sql": "g'); DROP VIEW models;--.weight",
    "math": "h$\\frac{.weight",
    "template": "{{ 7 * 7 }}{% raw %}.weight",
    "path": "../../../i.weight",
    "long": "j" * 3000 + ".weight",
}
"""Names of tensors."""

FAMILY = "<b>fam</b>[red]'; --"
NAME = "[/red]<i>net</i>{{ x }}$"
SGR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
"""Colours, and what moves the cursor of a bar: ours."""


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a model with such names, beside one that fails with such a text."""
    place = tmp_path_factory.mktemp("shown")
    generator = torch.Generator().manual_seed(9)
    tensors = {name: torch.randn(80, 60, generator=generator) for name in HOSTILE.values()}
    save_file(tensors, place / "net.safetensors")
    (place / "bad.pt").write_bytes(b"<script>alert('error')</script>")
    cells = f'"{NAME}","{FAMILY}","<u>data</u>",acc@1,90,percent'
    (place / "own.csv").write_text(
        f"model,name,family,dataset,metric,value,unit\npath:net.safetensors,{cells}\npath:bad.pt,,,,,,\n"
    )
    run = setol("run", "--catalog", place / "own.csv", "--results", place / "r", "--executor", "serial")
    assert run.exit_code == 1, run.output
    assert hidden_character(run.output, allowed="\n") is None
    return place / "r"


def test_stored_names_have_no_hidden_characters(folder: Path) -> None:
    names = [row["tensor"] for row in open_results(folder).rows("SELECT tensor FROM layers")]
    assert len(names) == len(HOSTILE)
    assert [name for name in names if hidden_character(name)] == []
    assert "a\\x1b[2J\\x1b]0;owned\\x07.weight" in names


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("sql", "FROM layers"),
        ("sql", "SELECT name, layer FROM layers", "--format", "csv"),
        ("correlate",),
        ("failures",),
    ],
)
def test_a_terminal_sees_names_and_no_commands(folder: Path, words: tuple[str, ...]) -> None:
    asked = ("sql", "FROM failures") if words == ("failures",) else words
    shown = _on_terminal(*asked, "--results", str(folder))
    assert hidden_character(SGR.sub("", shown), allowed="\r\n") is None
    assert not re.search(r"^next: rm", shown, re.MULTILINE)
    assert "Traceback" not in shown
    if words == ("status",):
        assert NAME in SGR.sub("", shown)  # no markup


def test_analyze_on_a_terminal(folder: Path) -> None:
    shown = _on_terminal("analyze", str(folder.parent / "net.safetensors"))
    assert hidden_character(SGR.sub("", shown), allowed="\r\n") is None
    assert not re.search(r"^next: rm", shown, re.MULTILINE)
    assert "Traceback" not in shown


def _on_terminal(*words: str) -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.environ |= {"TERM": "xterm", "COLUMNS": "200", "SETOL_CACHE": "/nonexistent/cache"}
        os.execv(sys.executable, [sys.executable, "-m", "setol_zoo.cli", *words])
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.waitpid(pid, 0)
    return shown.decode(errors="replace")


def test_the_report_has_its_own_elements_alone(folder: Path) -> None:
    page = report_html(open_results(folder))
    tags = _Tags()
    tags.feed(page)
    assert not tags.found & {"script", "img", "i", "u", "iframe", "object", "embed", "link", "form", "base"}
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert hidden_character(page, allowed="\t\r\n\u200b") is None
    assert "&lt;script&gt;" in page
    assert "49" not in re.findall(r"\{\{.*?\}\}|49", page) or "{{ 7 * 7 }}" not in HOSTILE.values()


def test_figures_are_well_formed_and_hold_no_elements_of_names(folder: Path, tmp_path: Path) -> None:
    drawn = setol("analyze", folder.parent / "net.safetensors", "--plot", tmp_path / "plots", "--format", "svg")
    assert drawn.exit_code == 0, drawn.output
    pictures = list((tmp_path / "plots").rglob("*.svg"))
    assert len(pictures) == len(HOSTILE) + 1
    for picture in pictures:
        assert picture.resolve().is_relative_to((tmp_path / "plots").resolve())
        text = picture.read_text()
        assert hidden_character(text, allowed="\t\r\n") is None
        elements = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(text).iter()}
        assert not elements & {"script", "img", "image", "foreignObject", "a", "i", "b"}
        assert len(picture.name.encode()) <= 255


def test_the_notebook_sees_texts(folder: Path) -> None:
    found = zoo.analyze(folder.parent / "net.safetensors")
    tags = _Tags()
    tags.feed(found._repr_html_())
    assert tags.found <= {"div", "p", "b", "table", "thead", "tbody", "tr", "th", "td"}
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert hidden_character(found._repr_html_() + str(found), allowed="\n") is None
