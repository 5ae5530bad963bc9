"""A bucket's keys become names of files on this machine: none leads out of the cache."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from analysis import AnalysisError, open_results
from analysis.opening.mirror import mirror_of
from catalogs.places import Place, place_of
from tests.analysis.conftest import write_rich

OUTSIDE = [
    "options/../../../../escaped.json",
    "options/..",
    "options/../escaped.json",
    "options//escaped.json",
    "options/sub/escaped.json",
    "options//etc/escaped.json",
    "options/..\\escaped.json",
    "options/C:escaped.json",
    "options/escaped\x7f.json",
    "options/nul",
    "options/" + "a" * 300 + ".json",
    "attempts/../../../../../escaped.parquet",
    "spectra/v1/../../../../escaped.parquet",
    "layers/v1/sub/escaped.parquet",
    "catalog/.hidden.parquet",
    "scores/\u202eescaped.parquet",
]
"""Keys below run1/, as a server may list them."""


class Bucket(ThreadingHTTPServer):
    """A server of S3's protocol that lists whatever keys it is given, which no honest one would take."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects = objects
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Bucket

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        name = unquote(urlsplit(self.path).path)
        there = name.strip("/") == "zoo" or name in self.server.objects
        self._answer(200 if there else 404, self.server.objects.get(name, b""))

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        if "list-type" not in query:
            self.server.asked.append(unquote(address.path))
            self._answer(200, self.server.objects.get(unquote(address.path), b"PAR1 from the bucket PAR1"))
            return
        prefix = "/zoo/" + query.get("prefix", [""])[0]
        listed = "".join(
            f"<Contents><Key>{escape(key.removeprefix('/zoo/'))}</Key><LastModified>2024-01-01T00:00:00.000Z"
            f"</LastModified><Size>{len(content)}</Size></Contents>"
            for key, content in self.server.objects.items()
            if key.startswith(prefix)
        )
        told = f"<ListBucketResult><Name>zoo</Name><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"
        self._answer(200, b'<?xml version="1.0" encoding="UTF-8"?>' + told.encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Results as they are, and beside them keys that lead elsewhere."""
    monkeypatch.setenv("SETOL_CACHE", str(tmp_path / "cache"))
    rich = write_rich(tmp_path / "rich")
    objects = {
        f"/zoo/run1/{path.relative_to(rich).as_posix()}": path.read_bytes()
        for path in rich.rglob("*")
        if path.is_file()
    }
    server = Bucket(objects | {f"/zoo/run1/{name}": b'{"from": "the bucket"}' for name in OUTSIDE})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def place(bucket: Bucket) -> Place:
    found = place_of(f"s3://k:s@zoo/run1?endpoint_override=127.0.0.1:{bucket.server_port}&scheme=http")
    assert isinstance(found, Place)
    return found


def test_only_plain_names_of_known_folders_count(bucket: Bucket) -> None:
    files = mirror_of(place(bucket)).files
    honest = {key.removeprefix("/zoo/run1/") for key in bucket.objects} - set(OUTSIDE)
    assert set(files) == honest
    assert len(honest) > 5


def test_nothing_is_written_outside_the_cache(bucket: Bucket, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "cache")}
    results = open_results(place(bucket))
    assert results.rows("FROM layers") == open_results(tmp_path / "rich").rows("FROM layers") != []
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "cache")} == before
    assert not list(tmp_path.rglob("*escaped*"))
    assert bucket.asked and not [name for name in bucket.asked if "escaped" in name]


def test_results_of_such_names_alone_are_none(bucket: Bucket) -> None:
    bucket.objects = {key: content for key, content in bucket.objects.items() if "escaped" in key}
    with pytest.raises(AnalysisError, match=r"there are no results in s3://"):
        open_results(place(bucket))
