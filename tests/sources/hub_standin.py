"""A hub on this machine: a real HTTP server that answers as the Hugging Face hub does, faults included.

Large files are redirected to a second port, as the hub redirects them to its storage, where no token may come.
"""

import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".pt", ".pth")
PIECE = 2**16
"""Bytes that are written at a time."""
TOKEN = "hf_theSecretTokenThatNobodyMayWriteDown"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request.

    Attributes:
        stage: `info` (list of files), `resolve` (where a file lies), or `blob` (its content).
        status: Status to answer with.
        headers: Headers beside it.
        keep: For a body that breaks off, the part of it that is sent.
        reset: Whether the connection is then reset; else it is closed.
        wrong: Whether other bytes are sent, as many.
        whole: Whether the whole body is sent where a range was asked for.
    """

    stage: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    keep: float | None = None
    reset: bool = False
    wrong: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Seen:
    """A request that came; names of headers in lower case, `at` in seconds of a clock that only runs forward."""

    where: str
    method: str
    path: str
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)


@dataclass
class Repository:
    files: dict[str, bytes]
    commit: str
    branches: dict[str, str]
    private: bool = False
    faults: list[Fault] = field(default_factory=list)


class HubStandin:
    """The two servers, what they hold, what they have seen, and the bytes of bodies sent by path."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.owners: dict[str, str] = {}
        self.seen: list[Seen] = []
        self.sent: Counter[str] = Counter()
        self.delay = 0.0  # seconds before every answer
        self.hub = self._serve("hub")
        self.storage = self._serve("storage")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.hub.server_port}"

    @property
    def storage_address(self) -> str:
        return f"http://127.0.0.1:{self.storage.server_port}"

    def add(self, repo: str, files: dict[str, bytes], *faults: Fault, private: bool = False) -> Repository:
        """Add a repository; its commit is a hash of what it holds."""
        made_from = repo.encode() + b"".join(name.encode() + content for name, content in sorted(files.items()))
        commit = hashlib.sha1(made_from).hexdigest()
        added = Repository(files, commit, {"main": commit}, private, list(faults))
        self.repositories[repo] = added
        for path, content in files.items():
            if path.endswith(LARGE):
                self.blobs[sha256(content)] = content
                self.owners[sha256(content)] = repo
        return added

    def requests(self, repo: str, where: str = "hub") -> list[Seen]:
        """The requests about a repository, on the hub or on the storage."""
        if where == "hub":
            return [each for each in self.seen if each.where == "hub" and repo in each.path]
        digests = {sha256(content) for content in self.repositories[repo].files.values()}
        return [each for each in self.seen if each.where == "storage" and each.path.split("/")[2] in digests]

    def bytes_sent(self, repo: str) -> int:
        """Bytes of the weights of a repository that the storage has sent."""
        digests = {sha256(content) for content in self.repositories[repo].files.values()}
        return sum(count for path, count in self.sent.items() if digests & set(path.split("/")))

    def close(self) -> None:
        for server in (self.hub, self.storage):
            server.shutdown()
            server.server_close()

    def _serve(self, where: str) -> ThreadingHTTPServer:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def send_body(self, body: bytes):
                path = unquote(urlsplit(self.path).path)
                try:
                    for start in range(0, len(body), PIECE):
                        standin.sent[path] += self.wfile.write(body[start : start + PIECE])
                except (BrokenPipeError, ConnectionResetError):  # the other side has what it wanted
                    self.close_connection = True

            def do_HEAD(self):
                self.answer()

            def do_GET(self):
                self.answer()

            def answer(self):
                path = unquote(urlsplit(self.path).path)
                names = {name.lower(): value for name, value in self.headers.items()}
                standin.seen.append(Seen(where, self.command, path, names))
                time.sleep(standin.delay)
                if where == "hub":
                    _answer_as_hub(standin, self, path)
                else:
                    _answer_as_storage(standin, self, path)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


def sha256(content: "bytes | Hollow") -> str:
    return content.sha256 if isinstance(content, Hollow) else hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Hollow:
    """A large file of which only the beginning is kept; the rest reads as zeros."""

    beginning: bytes
    size: int

    @property
    def sha256(self) -> str:
        """A name for it, as nobody reads all of it."""
        return hashlib.sha256(self.beginning + str(self.size).encode()).hexdigest()

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, piece: slice) -> bytes:
        start, stop, _ = piece.indices(self.size)
        return self.beginning[start:stop].ljust(stop - start, b"\0")


def _take(repository: Repository, stage: str) -> Fault | None:
    fault = next((each for each in repository.faults if each.stage == stage), None)
    if fault is not None:
        repository.faults.remove(fault)
    return fault


def _answer_as_hub(standin: HubStandin, handler: BaseHTTPRequestHandler, path: str) -> None:
    info = re.fullmatch(r"/api/models/(.+?)(?:/revision/(.+))?", path)
    resolve = re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path)
    found = info or resolve
    if found is None:
        _send(handler, 404, {})
        return
    repository = standin.repositories.get(found[1])
    if repository is None:  # the hub does not tell strangers which repositories there are
        signed_in = "Authorization" in handler.headers
        _send(handler, 404 if signed_in else 401, {"X-Error-Code": "RepoNotFound"})
        return
    if fault := _take(repository, "info" if info else "resolve"):
        assert fault.status is not None
        _send(handler, fault.status, dict(fault.headers))
        return
    if repository.private and handler.headers.get("Authorization") != f"Bearer {TOKEN}":
        _send(handler, 401, {"X-Error-Code": "RepoNotFound"})
        return
    revision = found[2] or "main"
    commit = revision if revision == repository.commit else repository.branches.get(revision)
    if commit is None:
        _send(handler, 404, {"X-Error-Code": "RevisionNotFound"})
    elif info:
        with_metadata = "blobs" in handler.path
        siblings = [_sibling(name, content, with_metadata) for name, content in sorted(repository.files.items())]
        body = json.dumps({"id": found[1], "sha": commit, "siblings": siblings, "private": repository.private})
        _send(handler, 200, {"Content-Type": "application/json"}, body.encode())
    else:
        _resolve(standin, handler, repository, commit, found[3])


def _sibling(name: str, content: bytes, with_metadata: bool) -> dict[str, object]:
    if not with_metadata:
        return {"rfilename": name}
    entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": sha256(content)[:40]}
    if name.endswith(LARGE):
        entry["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 134}
    return entry


def _resolve(
    standin: HubStandin, handler: BaseHTTPRequestHandler, repository: Repository, commit: str, path: str
) -> None:
    headers = {"X-Repo-Commit": commit}
    if path not in repository.files:
        _send(handler, 404, {**headers, "X-Error-Code": "EntryNotFound"})
        return
    content = repository.files[path]
    if path.endswith(LARGE):
        digest = sha256(content)
        headers |= {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": str(len(content))}
        location = f"{standin.storage_address}/blobs/{digest}/{path}?Signature=signed"
        _send(handler, 302, {**headers, "Location": location})
    else:
        _send(handler, 200, {**headers, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}, content)


def _answer_as_storage(standin: HubStandin, handler: BaseHTTPRequestHandler, path: str) -> None:
    digest = path.split("/")[2] if path.count("/") > 2 else ""
    content = standin.blobs.get(digest)
    if content is None:
        _send(handler, 404, {})
        return
    fault = _take(standin.repositories[standin.owners[digest]], "blob")
    if fault and fault.status:
        _send(handler, fault.status, dict(fault.headers))
        return
    if fault and fault.wrong:
        content = bytes(len(content))
    status, headers, body = 200, {"ETag": f'"{digest}"', "Accept-Ranges": "bytes"}, content
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range") or "")
    if asked and not (fault and fault.whole):
        start = int(asked[1])
        if start >= len(content):
            _send(handler, 416, {"Content-Range": f"bytes */{len(content)}"})
            return
        stop = min(int(asked[2]) + 1 if asked[2] else len(content), len(content))
        status, body = 206, content[start:stop]
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    if fault and fault.keep is not None:
        _break_off(handler, status, headers, body, fault)
    else:
        _send(handler, status, headers, body)


def _send(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command == "GET":
        handler.send_body(body)


def _break_off(
    handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes, fault: Fault
) -> None:
    """Promise a whole body and send a part of it."""
    assert fault.keep is not None
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.send_body(body[: int(len(body) * fault.keep)])
    handler.wfile.flush()
    handler.close_connection = True
    if fault.reset:
        time.sleep(0.5)  # a reset throws away what the other side has not read
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
