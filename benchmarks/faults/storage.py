"""An object store that goes away and comes back, or answers with errors: a real S3 server that keeps its objects."""

import time
from collections.abc import Callable
from http import HTTPStatus

from benchmarks.faults.command import Site
from benchmarks.faults.scenario import CannotBeTried, Injected
from tests.storage.s3_server import MISSING, S3Server


def store_restarted(site: Site, away: float = 4.0) -> Injected:
    """The server is killed in the middle, twice, and started again after some seconds."""
    server = _served(site)
    running = site.start()
    times = 0
    for third in (1, 2):
        if not running.wait_for(site.layers_there, third * site.zoo.count // 3):
            break
        server.kill()
        time.sleep(away)
        server.start()
        times += 1
    if running.end() != 0:
        site.finish()
    return Injected(times)


def store_fails(status: HTTPStatus, share: float = 0.3) -> Callable[[Site], Injected]:
    """A scenario where a share of all requests, once the work has begun, is answered with an error."""

    def inject(site: Site) -> Injected:
        server = _served(site)
        running = site.start()
        running.wait_for(site.layers_there, 1)
        server.fail(status, share=share)
        ended = running.end()
        server.fail()
        if ended != 0:
            site.finish()
        return Injected(sum(each == status for _, _, each in server.requests()))

    return inject


def _served(site: Site) -> S3Server:
    if MISSING:
        raise CannotBeTried(MISSING)
    server = site.closing.enter_context(S3Server(site.home / "s3"))
    site.results, site.here = server.url("run"), server.path("run")
    return server
