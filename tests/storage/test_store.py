"""Files in an object store, through a real server: whole, listed, kept, and in spite of what servers do."""

import threading
import time
from pathlib import Path

import pytest

from catalogs.places import place_of
from catalogs.reaching import PlaceError, files_below
from pipeline.store.storage import Store
from tests.storage.s3_server import S3Server

BIG = 11 << 20
"""Bytes that take an upload in several parts."""


@pytest.fixture(params=["here", "s3"])
def store(request: pytest.FixtureRequest, server: S3Server, tmp_path: Path) -> Store:
    """The same tests here and there."""
    where = tmp_path / "results" if request.param == "here" else place_of(server.url(tmp_path.name))
    found = Store(where)
    found.prepare(("layers/v1",))
    return found


def test_what_is_put_is_there(store: Store) -> None:
    assert not store.exists("layers/v1/a.parquet")
    assert store.names("layers/v1") == {} == store.names("nothing")
    store.put(b"old content", "layers/v1/a.parquet")
    store.put(b"content", "layers/v1/a.parquet")
    store.put(bytes(BIG), "layers/v1/b.parquet")
    assert store.exists("layers/v1/a.parquet")
    assert not store.exists("layers/v1")
    assert store.read("layers/v1/a.parquet").to_pybytes() == b"content"
    assert store.read("layers/v1/b.parquet").to_pybytes() == bytes(BIG)
    assert store.names("layers/v1") == {"layers/v1/a.parquet": 7, "layers/v1/b.parquet": BIG}


def test_a_file_that_is_not_there(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("layers/v1/a.parquet")
    store.rename("layers/v1/a.parquet", "layers/v1/b.parquet")
    assert store.names("layers/v1") == {}


def test_another_name(store: Store) -> None:
    store.put(b"content", "layers/v1/a.parquet")
    store.rename("layers/v1/a.parquet", "layers/v1/a.parquet.damaged")
    assert store.names("layers/v1") == {"layers/v1/a.parquet.damaged": 7}


def test_many_files_are_few_requests(server: S3Server) -> None:
    server.path("many/layers/v1").mkdir(parents=True)
    for number in range(2500):
        server.path(f"many/layers/v1/{number:032x}.parquet").write_bytes(b"content")
    before = len(server.requests())
    assert len(files_below(place_of(server.url("many")), "layers/v1")) == 2500
    assert len(server.requests()) - before == 3


def test_a_small_file_is_one_request(server: S3Server) -> None:
    before = len(server.requests())
    Store(place_of(server.url("one"))).put(b"content", "a")
    ((method, path, status),) = server.requests()[before:]
    assert (method, path, status) == ("PUT", "/zoo/one/a", 200)


@pytest.mark.parametrize("status", [500, 503])
def test_errors_that_pass(server: S3Server, status: int) -> None:
    store = Store(place_of(server.url(f"errors{status}")), patient=True)
    server.fail(status, share=0.2)  # of reads, pyarrow itself tries some no second time
    try:
        for number in range(6):
            store.put(b"content", f"a{number}")
        assert len(store.names("")) == 6
        assert {store.read(f"a{number}").to_pybytes() for number in range(6)} == {b"content"}
    finally:
        server.fail()
    assert status in {answer for _, _, answer in server.requests()}


def test_a_server_that_is_started_again(server: S3Server) -> None:
    store = Store(place_of(server.url("again")), patient=True)
    store.put(b"before", "a")
    server.kill()
    threading.Timer(2, server.start).start()
    store.put(b"after", "b")
    assert {name: store.read(name).to_pybytes() for name in store.names("")} == {"a": b"before", "b": b"after"}


def test_an_upload_that_is_broken_off_leaves_nothing(server: S3Server) -> None:
    """The server dies between the parts of a large file: there is none, and the old one stays."""
    store = Store(place_of(server.url("broken")))
    store.put(b"old", "a")
    server.fail(seconds=0.5, method="PUT")
    uploaded = threading.Thread(target=lambda: _put_or_fail(store, bytes(3 * BIG)))
    uploaded.start()
    time.sleep(0.3)
    server.kill()
    uploaded.join()
    server.start()
    server.fail()
    assert store.names("") == {"a": 3}
    assert store.read("a").to_pybytes() == b"old"


def _put_or_fail(store: Store, content: bytes) -> None:
    with pytest.raises(PlaceError):
        store.put(content, "a")


def test_a_server_that_gives_back_other_bytes(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those do that keep the framing of the checksums that clients of 2025 send along."""
    store = Store(place_of(server.url("other")))
    store.put(b"x", ".setol")
    upload = Store._upload
    monkeypatch.setattr(Store, "_upload", lambda self, content, name: upload(self, b"45\r\n" + content, name))
    with pytest.raises(PlaceError, match=r"other bytes than were written.*AWS_REQUEST_CHECKSUM_CALCULATION"):
        store.prepare(())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bucket": "none"}, r"^there is no bucket none for s3://\*\*\*@none/x\?.*Mend its name, or make it"),
        ({"key": "STRANGER"}, r"lets nobody in with these credentials \(INVALID_ACCESS_KEY_ID .*AWS_ACCESS_KEY_ID and"),
    ],
)
def test_what_cannot_be_written_to(server: S3Server, change: dict[str, str], message: str) -> None:
    with pytest.raises(PlaceError, match=message) as caught:
        Store(place_of(server.url("x", **change)), patient=True).prepare(())
    assert "\n" not in str(caught.value)
    assert "testsecret" not in str(caught.value)


def test_a_server_that_is_not_there() -> None:
    start = time.monotonic()
    with pytest.raises(PlaceError, match=r"the server of s3://\*\*\*@b/x\?.* does not answer .*AWS_ENDPOINT_URL"):
        Store(place_of("s3://K:S@b/x?endpoint_override=127.0.0.1:1&scheme=http")).prepare(())
    assert time.monotonic() - start < 30
