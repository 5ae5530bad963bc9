"""A real S3 server on this machine for tests: in a process of its own, over HTTP, with its objects on the disk.

The server is the package `localbucket`, which keeps objects as files, so they outlive it. This adds what it lacks: the
empty objects that stand for folders (a key with a slash at its end), a check of who calls, failures on demand, and a
line for each request. Used as

    with S3Server(tmp_path) as server:
        server.url("run1")             # s3://KEY:SECRET@zoo/run1?endpoint_override=127.0.0.1:PORT&scheme=http&...
        server.fail(503, share=0.3)    # three of ten requests from now on; server.fail() ends it
        server.kill(); server.start()  # same port, same objects
"""

import argparse
import importlib.util
import json
import os
import random
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

KEY, SECRET, BUCKET = "TESTKEY", "testsecret+with/signs", "zoo"

MISSING = None if importlib.util.find_spec("localbucket") else "needs an S3 server: pip install localbucket"
"""Why the tests that need the server are skipped; None where they are not."""


class S3Server:
    """The server's process, and what it is told.

    Attributes:
        root: Its objects lie in `root/data/BUCKET`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "data" / BUCKET).mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "S3Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it by `s3://zoo/...` alone."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    def url(self, path: str, *, bucket: str = BUCKET, key: str = KEY) -> str:
        """Where a folder lies, with everything in the URL."""
        secret = SECRET.replace("+", "%2B").replace("/", "%2F")
        return f"s3://{key}:{secret}@{bucket}/{path}?endpoint_override=127.0.0.1:{self.port}&scheme=http"

    def path(self, name: str = "") -> Path:
        """Where an object lies on the disk."""
        return self.root / "data" / BUCKET / name

    def start(self) -> None:
        """Start it, at the same port as before, and wait until it answers."""
        command = [sys.executable, __file__, str(self.root), "--port", str(self.port)]
        with (self.root / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        for _ in range(200):
            try:
                connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/alive")
                connection.getresponse().read()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the S3 server did not start: {(self.root / 'server.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End it at once, whatever it is doing; its objects stay."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def fail(self, status: int = 0, *, share: float = 1.0, seconds: float = 0.0, method: str = "") -> None:
        """From now on answer a share of the requests with an error, after some seconds; by default end that.

        Args:
            status: 500 or 503, or 0 for the right answer (which `seconds` then delay).
            share: Of the requests.
            seconds: To wait before each answer.
            method: Only such requests: `PUT`, `GET`.
        """
        told = {"status": status, "share": share, "seconds": seconds, "method": method}
        partial = self.root / "faults.tmp"
        partial.write_text(json.dumps(told))
        partial.replace(self.root / "faults.json")

    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path with query and status of every request so far."""
        lines = (self.root / "requests.log").read_text().splitlines() if (self.root / "requests.log").exists() else []
        return [(method, path, int(status)) for method, path, status in (line.split(" ") for line in lines)]


def serve(root: Path, port: int) -> None:
    """Be the server."""
    from http.server import ThreadingHTTPServer

    import localbucket

    chance = random.Random(os.getpid())
    log = (root / "requests.log").open("a", buffering=1)

    class Handler(localbucket.S3Handler):
        data_root = root / "data"

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            log.write(f"{self.command} {self.path} {int(code)}\n")

        def _dispatch(self, action: Any) -> None:
            if self.path == "/alive":
                self._send(HTTPStatus.OK)
            elif f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
                self._refuse(HTTPStatus.FORBIDDEN, "InvalidAccessKeyId", "The key you provided does not exist.")
            elif not self._fails():
                if self.command == "PUT" and urlsplit(self.path).path.endswith("/"):
                    self._read_body()
                    self._send(HTTPStatus.OK, headers={"ETag": '"d41d8cd98f00b204e9800998ecf8427e"'})
                else:
                    super()._dispatch(action)

        def _fails(self) -> bool:
            try:
                told = json.loads((root / "faults.json").read_text())
            except FileNotFoundError:
                return False
            if self.command != (told["method"] or self.command) or chance.random() >= told["share"]:
                return False
            time.sleep(told["seconds"])
            if told["status"]:
                name = "SlowDown" if told["status"] == 503 else "InternalError"
                self._refuse(HTTPStatus(told["status"]), name, "As it was told.")
            return bool(told["status"])

        def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
            self._send_error(localbucket.S3Error(status, code, message))

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve the folder ROOT/data as S3 on 127.0.0.1.")
    parser.add_argument("root", type=Path)
    parser.add_argument("--port", type=int, default=9000)
    arguments = parser.parse_args()
    serve(arguments.root, arguments.port)
