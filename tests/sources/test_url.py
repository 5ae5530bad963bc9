"""Files on the web, against the storage of the stand-in: the same faults, without the hub's client."""

from pathlib import Path

import pytest

from checkpoints.errors import CheckpointError
from checkpoints.url import Found, fetch_url, identify_url, published_prefix
from tests.sources.conftest import weights
from tests.sources.hub_standin import Fault, HubStandin, sha256


@pytest.fixture(autouse=True)
def without_long_waits(monkeypatch):
    monkeypatch.setattr("checkpoints.retry.FIRST_WAIT", 0.01)


LARGE = weights(30, 8_000)  # 2.2 MB: more than one piece
SMALL = weights(31)


def put(hub: HubStandin, name: str, content: bytes, *faults: Fault) -> str:
    """Put content on the storage under an address of its own."""
    content += name.encode()  # behind the last tensor: another content for each name
    hub.add(f"web/{name}", {"model.safetensors": content}, *faults)
    return f"{hub.storage_address}/blobs/{sha256(content)}/{name}.safetensors"


def content_at(hub: HubStandin, url: str) -> bytes:
    return hub.blobs[url.split("/")[4]]


def ranges(hub: HubStandin, url: str) -> list[str | None]:
    return [each.headers.get("range") for each in hub.seen if each.where == "storage" and each.path in url]


def left_in(cache: Path) -> list[Path]:
    return [path for path in (cache / "partial").iterdir() if path.stat().st_size]


def test_a_file_is_downloaded_once(hub, tmp_path):
    url = put(hub, "once", SMALL)
    content = content_at(hub, url)
    path = fetch_url(url, sha256(content), tmp_path)
    assert (path.name, path.read_bytes()) == ("once.safetensors", content)
    assert fetch_url(url, sha256(content), tmp_path) == path
    assert ranges(hub, url) == [None]
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("reset", [False, True])
def test_a_download_goes_on_where_it_broke_off(hub, tmp_path, reset):
    url = put(hub, f"broken-{reset}", LARGE, Fault("blob", keep=0.6, reset=reset))
    content = content_at(hub, url)
    assert fetch_url(url, sha256(content), tmp_path).read_bytes() == content
    first, second = ranges(hub, url)
    assert first is None
    assert second == f"bytes={int(len(content) * 0.6)}-"


def test_the_next_run_goes_on_where_this_one_gave_up(hub, tmp_path):
    url = put(hub, "patient", LARGE, Fault("blob", keep=0.6), *[Fault("blob", status=503)] * 4)
    content = content_at(hub, url)
    with pytest.raises(CheckpointError, match=r"the server answers 503 for http\S+patient") as caught:
        fetch_url(url, sha256(content), tmp_path)
    assert caught.value.transient
    assert len(left_in(tmp_path)) == 1
    assert fetch_url(url, sha256(content), tmp_path).read_bytes() == content
    assert ranges(hub, url)[-1] == f"bytes={int(len(content) * 0.6)}-"
    assert left_in(tmp_path) == []


def test_what_an_earlier_run_left_of_another_file_is_thrown_away(hub, tmp_path):
    url = put(hub, "replaced", SMALL, *[Fault("blob", keep=0.5, wrong=True)] * 5)
    content = content_at(hub, url)
    with pytest.raises(CheckpointError, match=r"came cut short: \d+ of \d+ bytes"):
        fetch_url(url, sha256(content), tmp_path)
    assert fetch_url(url, sha256(content), tmp_path).read_bytes() == content


def test_a_body_that_is_always_cut_short(hub, tmp_path):
    url = put(hub, "cut", SMALL, *[Fault("blob", keep=0.0)] * 5)
    with pytest.raises(CheckpointError, match=r"came cut short: 0 of \d+ bytes") as caught:
        fetch_url(url, sha256(content_at(hub, url)), tmp_path)
    assert caught.value.transient


def test_a_busy_server_is_waited_for(hub, tmp_path):
    url = put(hub, "busy", SMALL, Fault("blob", status=429, headers=(("Retry-After", "1"),)), Fault("blob", status=502))
    content = content_at(hub, url)
    assert fetch_url(url, sha256(content), tmp_path).read_bytes() == content
    assert len(ranges(hub, url)) == 3


def test_a_wrong_hash_is_permanent_and_nothing_is_kept(hub, tmp_path):
    url = put(hub, "wrong", SMALL, Fault("blob", wrong=True))
    with pytest.raises(CheckpointError, match=r"wrong hash: http\S+ must have sha256") as caught:
        fetch_url(url, sha256(content_at(hub, url)), tmp_path)
    assert not caught.value.transient
    assert left_in(tmp_path) == []
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize(
    ("status", "message"), [(404, "no such file: the server answers 404"), (403, r"may not be read \(403\)")]
)
def test_a_refusal_is_permanent(hub, tmp_path, status, message):
    url = put(hub, f"refused-{status}", SMALL, Fault("blob", status=status))
    with pytest.raises(CheckpointError, match=message) as caught:
        fetch_url(f"{url}?part=private", "0" * 64, tmp_path)
    assert not caught.value.transient
    assert "part=private" not in str(caught.value)


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match=r"the connection to 127\.0\.0\.1 failed .*Check the network") as caught:
        fetch_url("http://127.0.0.1:9/x.pt", "0" * 64, tmp_path)
    assert caught.value.transient


def test_a_redirect_leads_to_the_web_only(hub, tmp_path):
    (tmp_path / "secret").write_text("secret")
    location = (("Location", f"file://{tmp_path}/secret"),)
    url = put(hub, "redirect", SMALL, *[Fault("blob", status=302, headers=location)] * 5)
    with pytest.raises(CheckpointError, match="the server answers 302"):
        fetch_url(url, "0" * 64, tmp_path)


def test_a_file_of_unknown_content_is_hashed_and_kept(hub, tmp_path):
    url = put(hub, "unknown", SMALL)
    digest = sha256(content_at(hub, url))
    found = identify_url(url, digest[:8], tmp_path)
    assert found == identify_url(url, digest[:8], tmp_path) == Found(digest, len(content_at(hub, url)))
    path = fetch_url(url, digest, tmp_path)
    assert len(ranges(hub, url)) == 1
    path.unlink()  # what it is stays known
    assert identify_url(url, digest[:8], tmp_path) == found
    assert len(ranges(hub, url)) == 1
    assert fetch_url(url, digest, tmp_path).is_file()


def test_a_note_of_an_earlier_version_needs_the_file(hub, tmp_path):
    url = put(hub, "noted", SMALL)
    found = identify_url(url, "", tmp_path)
    (note,) = (tmp_path / "urls").iterdir()
    note.write_text(found.sha256)
    assert identify_url(url, "", tmp_path) == found
    fetch_url(url, found.sha256, tmp_path).unlink()
    assert identify_url(url, "", tmp_path) == found
    assert len(ranges(hub, url)) == 2


def test_published_digits_of_the_hash_are_checked(hub, tmp_path):
    url = put(hub, "published", SMALL)
    with pytest.raises(CheckpointError, match="must have a sha256 that begins with 01234567") as caught:
        identify_url(url, "01234567", tmp_path)
    assert not caught.value.transient
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("resnet50-11ad3fa6.pth", "11ad3fa6"),
        ("seresnext26_32x4d-65ebdb501.pth", "65ebdb501"),
        ("resnet18_fbgemm_16fa66dd.pth", "16fa66dd"),
        ("IN22K-vit.g.16-600e.pth.tar", ""),
        ("model.safetensors", ""),
    ],
)
def test_published_prefix(name, prefix):
    assert published_prefix(f"https://example.org/models/{name}") == prefix
