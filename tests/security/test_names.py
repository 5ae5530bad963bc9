"""Names that lead elsewhere, hide something or are no files: refused, before anything is fetched or written."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from catalogs import CatalogError, load_catalog, parse_model_key
from catalogs.plain import LONGEST_FILE_NAME, LONGEST_KEY, hidden_character, no_file_name, plain_text
from checkpoints.errors import CheckpointError
from checkpoints.hub_choice import shard_names
from checkpoints.shards import weight_files_at
from tests.cli.test_commands import setol
from tests.sources.conftest import environment, weights
from tests.sources.conftest import setol as setol_with

HIDDEN = [
    "\x1b[2J",
    "\r",
    "\n",
    "\x00",
    "\x07",
    "\x7f",
    "\x9b",
    "\u202e",
    "\u2066",
    "\u200b",
    "\u2028",
    "\ufeff",
    "\udc80",
]
OUTSIDE = ["../x", "../../etc/passwd", "/etc/passwd", "a/../../x", "..", "C:\\x", "C:x", "..\\x", "\\\\host\\share\\x"]
DEVICES = ["NUL", "con", "AUX.pt", "com1.safetensors", "LPT9", "a/prn.bin", "CONIN$", "nul .pt"]


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize(
    "form", ["hub:org/n{}et", "timm:res{}net", "path:n{}et.pt", "url:https://h/n{}et.pt", "h{}ub:a"]
)
def test_no_key_holds_what_nobody_sees(form, hidden):
    with pytest.raises(CatalogError, match=r"malformed model key .* which nobody sees") as raised:
        parse_model_key(form.format(hidden))
    assert hidden_character(str(raised.value)) is None


@pytest.mark.parametrize(
    "key", ["hub:../../etc", "hub:org/..", "hub:/etc/passwd", "hub:a/b/c", "hub:https://h/x", "hub:-x"]
)
def test_no_repository_leads_elsewhere(key):
    with pytest.raises(CatalogError, match="malformed model key"):
        parse_model_key(key)


@pytest.mark.parametrize("revision", ["../../x", "a/../../x", "-x", "/etc", "refs/../../x", "main^", "a b"])
@pytest.mark.parametrize("start", ["hub:org/net@", "timm:resnet50.a1_in1k@"])
def test_no_revision_leads_elsewhere(start, revision):
    with pytest.raises(CatalogError, match=r"malformed model key .* behind @"):
        parse_model_key(start + revision)


@pytest.mark.parametrize(
    "end", ["..", "%2e%2e", "a%2F..", "%2e%2e%2fx%2f..", "x%00.pt", "x%1b.pt", "a%5cb.pt", "nul.pt", "x" * 300]
)
def test_no_address_ends_in_what_is_no_file(end):
    with pytest.raises(CatalogError, match=r"need the address of a file|which nobody sees"):
        parse_model_key(f"url:https://example.org/{end}#sha256={'0' * 64}")


def test_a_key_has_a_length():
    with pytest.raises(CatalogError, match=f"need at most {LONGEST_KEY} characters, got 1000004") as raised:
        parse_model_key("hub:" + "a" * 1_000_000)
    assert len(str(raised.value)) < 200
    assert parse_model_key("path:" + "a" * 200).id == "a" * 200


@pytest.mark.parametrize(
    "name", [*OUTSIDE, *DEVICES, *(f"a{each}.pt" for each in HIDDEN if each != "\udc80"), "a" * 256]
)
def test_what_is_no_file_name(name):
    assert no_file_name(name)


@pytest.mark.parametrize(
    "name", ["a.pt", "a/b/model-00001-of-00002.safetensors", "console.pt", "ä.pt", "x" * LONGEST_FILE_NAME, "..a"]
)
def test_what_is_one(name):
    assert no_file_name(name) is None


@pytest.mark.parametrize("file", [*OUTSIDE, *DEVICES, "\x1b[2J", "a\u202eb.pt"])
@pytest.mark.parametrize("row", ["wheel:net/net@1.0,{file},{zeros},{zeros}", "hub:org/net,{file},,"])
def test_no_file_of_a_catalog_leads_elsewhere(tmp_path, row, file):
    own = tmp_path / "own.csv"
    own.write_text("model,file,weights_sha256,container_sha256\n" + row.format(file=f'"{file}"', zeros="0" * 64) + "\n")
    with pytest.raises(CatalogError, match=r"own\.csv:2: file (needs a path inside|holds the character)") as raised:
        load_catalog(own)
    assert hidden_character(str(raised.value), allowed="\n") is None


@pytest.mark.parametrize("column", ["name", "family", "licence", "dataset", "setting"])
def test_no_cell_of_a_catalog_holds_what_nobody_sees(tmp_path, column):
    own = tmp_path / "own.csv"
    cells = {"dataset": "d", "metric": "acc@1", "value": "90", "unit": "percent", column: "x\x1b[2J"}
    own.write_text(f"model,{','.join(cells)}\npath:a.pt,{','.join(cells.values())}\n")
    with pytest.raises(CatalogError, match=rf"{column} holds the character U\+001B"):
        load_catalog(own)


def test_notes_may_have_lines(tmp_path):
    (tmp_path / "own.csv").write_text('model,notes\npath:a.pt,"one\n\ttwo"\n')
    (file,) = load_catalog(tmp_path / "own.csv").files
    assert file.notes == "one\n\ttwo"


@pytest.mark.parametrize(
    "shard", [*OUTSIDE, "/etc/passwd", "sub/x.safetensors", "a\x1b.safetensors", "a\x00", "nul", "a" * 300]
)
def test_no_shard_leads_elsewhere(tmp_path, shard):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"fc.weight": shard}}))
    (tmp_path.parent / "x").write_bytes(b"")
    with pytest.raises(CheckpointError, match="shards must lie beside their index") as raised:
        weight_files_at(tmp_path)
    assert hidden_character(str(raised.value)) is None
    with pytest.raises(CheckpointError, match="shards must lie beside their index"):
        shard_names(index, "hub:org/net")


def test_a_repository_with_such_an_index_costs_the_others_nothing(hub, tmp_path):
    index = json.dumps({"weight_map": {"a": "../../../../x.safetensors"}}).encode()
    hub.add("names/outside", {"model.safetensors.index.json": index, "config.json": b"{}"})
    hub.add("names/deep", {"model.safetensors": weights(501), "config.json": b'{"a":' * 100_000})
    hub.add("names/well", {"model.safetensors": weights(502), "config.json": b"{}"})
    names = ("hub:names/outside", "hub:names/deep", "hub:names/well")
    run = setol_with(
        environment(hub, tmp_path), "run", *names, "--results", tmp_path / "r", "--executor", "serial", "--json"
    )
    assert run.returncode == 1, run.stderr
    summary = json.loads(run.stdout)
    assert summary["computed"] == 2
    assert "shards must lie beside their index" in summary["failures"][0]["error"]


@pytest.mark.parametrize(
    "target", ["../../etc\x1b[2J", "org/na\u202eme", "hub:org/x\ny", "x" * 10_000, "hub:../../etc"]
)
@pytest.mark.parametrize("command", ["run", "analyze", "plan"])
def test_the_command_refuses_them_and_shows_them_harmlessly(tmp_path, command, target):
    options = () if command == "analyze" else ("--results", tmp_path / "r")
    found = setol(command, target, *options)
    assert found.exit_code == 2, found.output
    assert hidden_character(found.output, allowed="\n") is None
    assert len(found.output) < 3000
    assert not (tmp_path / "r").exists()


def test_a_folder_may_hold_a_file_of_any_name(tmp_path):
    """The key is the folder's; the file's own name is shown written out."""
    folder = tmp_path / "net"
    folder.mkdir()
    save_file({"fc.weight": torch.randn(60, 50)}, folder / "m\x1b[2J\u202e.safetensors")
    found = setol("run", folder, "--results", tmp_path / "r", "--executor", "serial")
    assert found.exit_code == 0, found.output
    shown = setol("sql", "SELECT file FROM layers", "--results", tmp_path / "r")
    assert "m\\x1b[2J\\u202e.safetensors" in shown.output
    assert hidden_character(found.output + shown.output, allowed="\n") is None


def test_hidden_characters_are_written_out():
    assert plain_text("a\x1b[2J\u202eb\U000e0041\n") == "a\\x1b[2J\\u202eb\\U000e0041\\x0a"
    assert plain_text("two\nlines\x07", keep="\n") == "two\nlines\\x07"
    assert plain_text("naïve 模型 – ×") == "naïve 模型 – ×"
    assert Path(plain_text("../x")).name == "x"
