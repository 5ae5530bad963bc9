"""What zoos publish beside an address: digits of a hash, or none; a weight file as it is, or alone in a zip."""

import hashlib
import io
import json
import re
import time
import zipfile
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner, Result

from catalogs import WeightFile, parse_model_key
from catalogs.files import read_weight_files
from catalogs.table import Row
from checkpoints.errors import CheckpointError
from checkpoints.fetch import fetch
from checkpoints.open import open_checkpoint
from checkpoints.remote import identify_remote
from checkpoints.remote_header import local_copy
from pipeline.planning.identify import identify
from setol_zoo.cli import main
from tests.sources.conftest import weights
from tests.sources.hub_standin import Fault, HubStandin, sha256

LARGE = weights(50, 8_000)
SMALL = weights(51)


def put(hub: HubStandin, name: str, content: bytes, *faults: Fault) -> str:
    """Put content on the storage; the address ends in the name."""
    hub.add(f"zoo/{name}", {"model.bin": content}, *faults)
    return f"{hub.storage_address}/blobs/{sha256(content)}/{name}"


def setol_here(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return sink.getvalue()


def row_of(url: str, behind: str) -> WeightFile:
    """The record of a catalog's row."""
    problems: list[str] = []
    (file,) = read_weight_files([Row("x.csv:2", {"model": f"url:{url}{behind}"}, problems)], None)  # type: ignore[arg-type]
    assert problems == []
    return file


def fetched(url: str, behind: str, cache) -> tuple[WeightFile, bytes]:
    (file,) = identify_remote(row_of(url, behind), cache)
    path = fetch(file, cache)
    assert local_copy(file, cache) == path
    return file, path.read_bytes()


def times_sent(hub: HubStandin, content: bytes) -> int:
    return sum(each.where == "storage" and sha256(content) in each.path for each in hub.seen)


def digest(content: bytes, algorithm: str) -> str:
    return hashlib.new(algorithm, content).hexdigest()


@pytest.mark.parametrize(
    ("algorithm", "digits"), [("sha256", 8), ("sha256", 63), ("sha256", 64), ("sha1", 8), ("sha1", 40), (None, 0)]
)
@pytest.mark.parametrize("in_a_zip", [False, True])
def test_what_was_published_is_checked_and_the_whole_hash_recorded(hub, tmp_path, algorithm, digits, in_a_zip):
    content = SMALL + f"{algorithm} {digits}".encode()
    sent = zipped((f"net-{digits}.pth", content)) if in_a_zip else content
    url = put(hub, f"net-{digits}.pth{'.zip' * in_a_zip}", sent)
    behind = f"#{algorithm}={digest(content, algorithm)[:digits]}" if algorithm else "#unpinned"
    file, came = fetched(url, behind, tmp_path)
    assert came == content
    assert file.weights_sha256 == sha256(content)
    assert file.model == f"url:{url}#sha256={sha256(content)}"
    assert parse_model_key(file.model).sha256 == sha256(content)
    if digits < 64:
        assert file.size == len(content)
        assert fetched(url, behind, tmp_path)[0] == file
    assert times_sent(hub, sent) == 1
    names = sorted(path.name for path in (tmp_path / "files").rglob("*") if path.is_file())
    assert names == [f"net-{digits}.pth"]
    assert list((tmp_path / "partial").iterdir()) == []


@pytest.mark.parametrize("behind", ["#sha256=01234567", f"#sha1={'0' * 40}"])
@pytest.mark.parametrize("in_a_zip", [False, True])
def test_wrong_digits_are_permanent_and_nothing_is_kept(hub, tmp_path, behind, in_a_zip):
    content = SMALL + behind.encode()
    url = put(hub, f"wrong.pth{'.zip' * in_a_zip}", zipped(("wrong.pth", content)) if in_a_zip else content)
    algorithm, _, digits = behind[1:].partition("=")
    with pytest.raises(CheckpointError, match=f"must have a {algorithm} that begins with {digits}, but what") as caught:
        identify_remote(row_of(url, behind), tmp_path)
    assert not caught.value.transient
    assert not (tmp_path / "files").exists() and not (tmp_path / "urls").exists()
    assert list((tmp_path / "partial").iterdir()) == []


def test_digits_of_another_algorithm_do_not_pass_for_known_ones(hub, tmp_path):
    content = SMALL + b"two"
    url = put(hub, "two.pth", content)
    fetched(url, f"#sha1={digest(content, 'sha1')[:8]}", tmp_path)
    with pytest.raises(CheckpointError, match="must have a sha1 that begins with 01234567"):
        identify_remote(row_of(url, "#sha1=01234567"), tmp_path)


def test_a_file_that_was_replaced_is_told_from_the_one_that_was_trusted(hub, tmp_path):
    content = SMALL + b"replaced"
    url = put(hub, "replaced.pth", content, Fault("blob"), Fault("blob", wrong=True))
    file, _ = fetched(url, "#unpinned", tmp_path)
    fetch(file, tmp_path).unlink()
    assert identify_remote(row_of(url, "#unpinned"), tmp_path) == [file]
    with pytest.raises(CheckpointError, match=f"must have sha256 {file.weights_sha256}") as caught:
        fetch(file, tmp_path)
    assert not caught.value.transient


def test_a_zip_that_broke_off_goes_on(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("checkpoints.retry.FIRST_WAIT", 0.01)
    content = LARGE + b"broken"
    sent = zipped(("net.pth", content), method=zipfile.ZIP_STORED)
    url = put(hub, "net.pth.zip", sent, Fault("blob", keep=0.6), *[Fault("blob", status=503)] * 4)
    file = replace(row_of(url, "#unpinned"), weights_sha256=sha256(content))
    with pytest.raises(CheckpointError, match="the server answers 503") as caught:
        fetch(file, tmp_path)
    assert caught.value.transient
    assert fetch(file, tmp_path).read_bytes() == content
    asked = [each.headers.get("range") for each in hub.seen if each.where == "storage" and sha256(sent) in each.path]
    assert asked[-1] == f"bytes={int(len(sent) * 0.6)}-"


def test_a_zip_of_which_another_half_was_left_comes_again(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("checkpoints.retry.FIRST_WAIT", 0.01)
    content = LARGE + b"halves"
    sent = zipped(("net.pth", content), method=zipfile.ZIP_STORED)
    url = put(hub, "halves.pth.zip", sent, *[Fault("blob", keep=0.5, wrong=True)] * 5)
    file = replace(row_of(url, "#unpinned"), weights_sha256=sha256(content))
    with pytest.raises(CheckpointError, match="came cut short"):
        fetch(file, tmp_path)
    assert fetch(file, tmp_path).read_bytes() == content


def encrypted() -> bytes:
    """A zip whose member is marked as encrypted, in both of its headers."""
    whole = bytearray(zipped(("a.pth", b"abc")))
    whole[6] |= 1
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    return bytes(whole)


def of_unknown_method() -> bytes:
    whole = bytearray(zipped(("b.pth", b"abc")))
    whole[8], whole[whole.index(b"PK\x01\x02") + 10] = 97, 97
    return bytes(whole)


def lying() -> bytes:
    """A stored member of which the headers tell another checksum."""
    whole = bytearray(zipped(("c.pth", b"abc" * 100), method=zipfile.ZIP_STORED))
    whole[whole.index(b"abc")] ^= 1
    return bytes(whole)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (zipped(("a.pth", b"1"), ("b.pth", b"2")), r"the zip holds 2 files \('a.pth', 'b.pth'\), and one weight file"),
        (zipped(("sub/", b"")), r"the zip holds no file, and one weight file is needed"),
        (zipped(("../../evil.pth", b"1")), r"called '../../evil.pth', and it leads out of its folder"),
        (zipped(("/etc/evil.pth", b"2")), r"called '/etc/evil.pth', and it leads out of its folder"),
        (zipped(("a\u202eb.pth", b"3")), r"and it holds the character U\+202E"),
        (zipped(("bomb.pth", bytes(2**24))), r"refused 'bomb.pth': it would unpack to 16777216 bytes, more than 20"),
        (encrypted(), r"the file in the zip is encrypted"),
        (of_unknown_method(), r"damaged zip \S+net.pth.zip: .*compression"),
        (lying(), r"damaged zip \S+net.pth.zip: Bad CRC-32"),
        (b"no zip at all", r"damaged zip \S+net.pth.zip: File is not a zip file"),
        (zipped(("cut.pth", SMALL))[:-40], r"damaged zip \S+net.pth.zip: File is not a zip file"),
    ],
    ids=["two", "none", "up", "root", "hidden", "bomb", "encrypted", "method", "checksum", "no zip", "cut"],
)
def test_zips_that_are_refused(hub, tmp_path, content, told):
    url = put(hub, "net.pth.zip", content)
    with pytest.raises(CheckpointError, match=told) as caught:
        identify_remote(row_of(url, "#unpinned"), tmp_path / "cache")
    assert not caught.value.transient
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "locks"]
    assert left == []


def test_a_folder_in_a_zip_does_not_count(hub, tmp_path):
    url = put(hub, "net.pth.zip", zipped(("sub/", b""), ("sub/other name.pth", SMALL)))
    assert fetched(url, "#unpinned", tmp_path)[1] == SMALL


def test_checkpoints_of_pycls_are_read(tmp_path):
    matrix = torch.arange(6.0).reshape(2, 3)
    state = {
        "epoch": 9,
        "model_state": {"head.weight": matrix},
        "optimizer_state": {"m": {0: matrix + 1}},
        "cfg": "A: 1",
    }
    torch.save(state, tmp_path / "net.pyth")
    opened = open_checkpoint(tmp_path / "net.pyth")
    assert [header.name for header in opened.headers] == ["head.weight"]
    assert torch.equal(opened.read("head.weight"), matrix)


def test_a_run_computes_what_can_be_had_and_counts_the_rest(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "cache"))
    content = weights(52)
    net = zipped(("net.safetensors", content))
    url = f"url:{put(hub, 'net.safetensors.zip', net)}#sha1={digest(content, 'sha1')[:8]}"
    lines = ["model,name,family,dataset,metric,value,unit", f"{url},net,toys,digits,acc@1,90,percent"]
    lines += [f"scores:zoo/gone{i},,toys,digits,acc@1,{91 + i},percent" for i in range(2)]
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    asked = ("--catalog", tmp_path / "mine.csv", "--results", tmp_path / "out")

    plan = setol_here("plan", *asked, "--json")
    assert plan.exit_code == 0, plan.output
    told = {row["name"]: row["to_do"] for row in json.loads(plan.stdout)["files"]}
    assert told == {"net": "compute", "gone0": "scores only", "gone1": "scores only"}
    assert "1 weight file: 1 to do (" in (shown := setol_here("plan", *asked).stdout)
    assert "; 2 models have scores only" in shown

    run = setol_here("run", *asked, "--executor", "serial")
    assert run.exit_code == 0, run.output
    assert "2 models have scores only: nobody can fetch the weights" in run.output
    assert ": 1 weight file computed, 0 there already, 0 failed" in run.output
    status = setol_here("status", "--results", tmp_path / "out")
    assert status.exit_code == 0, status.output
    assert "scores only: 2 models whose weights nobody can fetch" in status.output
    assert "not finished" not in status.output

    query = "SELECT models.name, status, value FROM models JOIN scores USING (model) ORDER BY 1"
    rows = json.loads(setol_here("sql", query, "--results", tmp_path / "out", "--json").stdout)
    gone = [(f"gone{i}", "scores-only", 91.0 + i) for i in range(2)]
    assert [tuple(row.values()) for row in rows] == [*gone, ("net", "done", 90.0)]
    exact = f"url:{url[4:].partition('#')[0]}#sha256={sha256(content)}"
    scored = json.loads(
        setol_here("sql", "SELECT model, score FROM scored_models", "--results", tmp_path / "out", "--json").stdout
    )
    assert scored == [{"model": exact, "score": 90.0}]


@pytest.mark.parametrize("typed", ["scores:huyvnphan/resnet18", "resnet18.huyvnphan", "scores:nobody/knows@v1"])
def test_a_model_with_scores_only_cannot_be_asked_for(typed):
    outcome = setol_here("run", typed, "--results", "nowhere")
    assert outcome.exit_code == 2
    assert re.search(r"of scores:\S+ there are scores only: nobody can fetch its weights", outcome.output)


def test_several_addresses_are_downloaded_at_one_time(hub, tmp_path, monkeypatch):
    contents = [SMALL + bytes([i]) for i in range(6)]
    rows = tuple(row_of(put(hub, f"net{i}.pth", content), "#unpinned") for i, content in enumerate(contents))
    monkeypatch.setattr(hub, "delay", 0.4)
    began = time.monotonic()
    found = identify(rows, tmp_path)
    assert time.monotonic() - began < 6 * 0.4
    assert [file.weights_sha256 for file in found.files] == [sha256(content) for content in contents]
    assert found.renamed == {row.model: file.model for row, file in zip(rows, found.files, strict=True)}
