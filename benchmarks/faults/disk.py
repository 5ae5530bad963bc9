"""A disk that is full: small file systems in memory for the results, or for the caches."""

import subprocess
from collections.abc import Callable

from benchmarks.faults.command import Site
from benchmarks.faults.scenario import CannotBeTried, Injected

ENOUGH = "256m"


def disk_full(name: str, size: str) -> Callable[[Site], Injected]:
    """A scenario where the folder `name` below the site's home has room for some files only, and later for all.

    Args:
        name: `results`, or `hf` (the cache of the hub's client).
        size: Room at first, as `mount` takes it.
    """

    def inject(site: Site) -> Injected:
        folder = site.home / name
        folder.mkdir()
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
        site.closing.callback(_run, "umount", "-l", str(folder))
        running = site.start()
        running.end()
        refused = running.failed()
        _run("mount", "-o", f"remount,size={ENOUGH}", str(folder))
        site.finish()
        return Injected(refused)

    return inject


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotBeTried(f"{command[0]} needs the rights of root ({getattr(error, 'stderr', error)})") from error
