"""Models that kill, hang or starve the process that works on them.

They lie on a web server of their own, which knows by the port of the connection which process asks for the weights, and
does to it what a bug in a library, a dead connection or a crowded machine would.
"""

import hashlib
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from safetensors.torch import save

from benchmarks.faults.command import Site
from benchmarks.faults.scenario import Injected
from benchmarks.faults.zoo import write_catalog

MARGIN = 2**27
"""Bytes that a starved process may still take: enough for the download, too little for the Gram matrix."""


@dataclass(slots=True)
class Trap:
    """A weight file, and what happens to who asks for it.

    Attributes:
        content: The file.
        spring: Called with the process's id before anything is sent.
        drip: Whether it is sent a byte a second, so that no connection times out.
        sprung: The processes that it was done to.
    """

    content: bytes
    spring: Callable[[int], None]
    drip: bool = False
    sprung: list[int] = field(default_factory=list)


def segfault(site: Site) -> Injected:
    """The process that fetches the model gets SIGSEGV, each time."""
    trap = Trap(_model(7), lambda pid: os.kill(pid, signal.SIGSEGV), drip=True)  # or it may have all before it dies
    return _with_trap(site, trap, r"SIGSEGV|died|killed|crashed")


def starved(site: Site) -> Injected:
    """The process gets no more memory than it has and a little, when it is about to need half a gigabyte."""

    def limit(pid: int) -> None:
        taken = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (taken + MARGIN, resource.RLIM_INFINITY))

    return _with_trap(site, Trap(_model(8, 4000, 4000), limit), r"[Mm]emory|alloc")


def hangs(site: Site) -> Injected:
    """The weights come so slowly that they will never be there."""
    site.options = (*site.options, "--time-limit", "10")
    return _with_trap(site, Trap(_model(9), lambda pid: None, drip=True), r"longer|time|limit")


def _with_trap(site: Site, trap: Trap, reason: str) -> Injected:
    sha256 = hashlib.sha256(trap.content).hexdigest()
    with _served(trap) as address:
        model = f"url:{address}/deadly.safetensors#sha256={sha256}"
        catalog = site.zoo.catalog.with_name("with-one-more.csv")  # beside the other, as are the files that it names
        write_catalog(catalog, [model, *site.zoo.catalog.read_text().split()[1:]])
        for _ in range(2):
            site.start(catalog).end()
    return Injected(len(trap.sprung), {sha256: reason})


@contextmanager
def _served(trap: Trap) -> Iterator[str]:
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            process = process_at(self.client_address[1])
            trap.sprung.append(process)
            trap.spring(process)
            with suppress(ConnectionError):
                self.send_response(200)
                self.send_header("Content-Length", str(len(trap.content)))
                self.end_headers()
                if not trap.drip:
                    self.wfile.write(trap.content)
                for position in range(len(trap.content) if trap.drip else 0):
                    self.wfile.write(trap.content[position : position + 1])
                    if closing.wait(1.0):
                        break

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        closing.set()
        server.shutdown()
        server.server_close()


def process_at(port: int) -> int:
    """The process of this machine that holds the local end of a connection from 127.0.0.1:port."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if words[1] == f"0100007F:{port:04X}":
                found = _holder(f"socket:[{words[9]}]")
                if found is not None:
                    return found
    raise LookupError(f"no process is connected from port {port}")


def _holder(socket: str) -> int | None:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if any(os.readlink(link) == socket for link in (entry / "fd").iterdir()):
                    return int(entry.name)
    return None


def _model(seed: int, rows: int = 200, columns: int = 100) -> bytes:
    generator = torch.Generator().manual_seed(seed)
    return save({"fc.weight": torch.randn(rows, columns, generator=generator)})
